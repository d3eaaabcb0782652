/** The names that an event's action goes by, ready for matching. One object is reused for all events of a snapshot. */
import { type Event, isSpecialPurpose, type NetAction, parseAddress, parseIpv4 } from "../core/mod.ts";
import { usableHome } from "./match.ts";
import { type CommandLine, readCommandLine } from "./shell.ts";
import { NO_PAST, type StateView } from "./state.ts";
import { toolCommandEvent, toolCommandLine } from "./tool_command.ts";

const SLASH = 47;
const DOT = 46;
const AT = 64;

/** Without `.`, `..`, double and final slashes; a name that does not begin with a slash is left as it is. */
export function normalName(name: string): string {
  if (name.charCodeAt(0) !== SLASH || name.length === 1 || isNormal(name)) return name;
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** True for an absolute name without an empty, `.` or `..` component. One pass: most names are normal. */
function isNormal(name: string): boolean {
  let after_slash = false;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (after_slash && (code === SLASH || (code === DOT && isDots(name, i)))) return false;
    after_slash = code === SLASH;
  }
  return !after_slash;
}

/** True if the component that begins at `from` with a dot is `.` or `..`. */
function isDots(name: string, from: number): boolean {
  const end = name.charCodeAt(from + 1) === DOT ? from + 2 : from + 1;
  return end >= name.length || name.charCodeAt(end) === SLASH;
}

/** The command line of a tool call, each command with its names. */
export interface ToolNames {
  readonly opaque: boolean;
  readonly commands: readonly { readonly names: EventNames; readonly builtin: boolean }[];
}

/**
 * The names of one event. A field is `undefined` where the action has no such name (or, for a requested one, where it
 * is the same as the resolved one). `*_unknown` is true where there is one that nobody can make absolute: it stays
 * relative, so that a base name can still forbid it, and nothing that permits may rest on it.
 */
export class EventNames {
  event: Event;
  path: string | undefined;
  requested: string | undefined;
  requested_unknown = false;
  new_path: string | undefined;
  requested_new: string | undefined;
  requested_new_unknown = false;
  interpreter: string | undefined;
  /** See `usableHome`. */
  home: string | undefined;
  /** IPv4 as a number, -1 for anything else. */
  v4 = -1;
  /** The address of an event that is not IPv4. */
  address: Uint8Array | undefined;
  /** The names of the address, or the one that was looked up, as `hostName` writes them. */
  hosts: readonly string[] = NO_HOSTS;
  /** What happened before. */
  state: StateView = NO_PAST;
  /** Microseconds since the epoch. */
  now_us = 0;
  #line: CommandLine | undefined;
  #line_read = false;
  /** For a command inside a command line: whether it is opaque. */
  #inner_opaque: boolean | undefined;
  #raw_home: string | undefined;
  #tool: ToolNames | undefined;
  #tool_read = false;

  constructor(event: Event) {
    this.event = event;
  }

  /** Reads the names of the next event. */
  load(event: Event): void {
    this.event = event;
    this.path = undefined;
    this.requested = undefined;
    this.requested_unknown = false;
    this.new_path = undefined;
    this.requested_new = undefined;
    this.requested_new_unknown = false;
    this.interpreter = undefined;
    this.hosts = NO_HOSTS;
    this.#line_read = false;
    this.#inner_opaque = undefined;
    this.#tool_read = false;
    const raw_home = event.session?.home;
    if (raw_home !== this.#raw_home) {
      this.#raw_home = raw_home;
      this.home = raw_home === undefined ? undefined : usableHome(normalName(raw_home));
    }
    this.#loadAction();
  }

  /** Reads the names of a command inside a command line. */
  loadInner(event: Event, opaque: boolean): void {
    this.load(event);
    this.#inner_opaque = opaque;
  }

  /** Lets go of the state, which belongs to somebody else. */
  forgetState(): void {
    this.state = NO_PAST;
    this.#tool = undefined;
    this.#tool_read = false;
  }

  /** What is inside the command line of a program start; `undefined` where there is nothing. Read when first asked. */
  commandLine(): CommandLine | undefined {
    if (this.#line_read) return this.#line;
    const { action } = this.event;
    this.#line = action.type === "exec" ? readCommandLine(action) : undefined;
    this.#line_read = true;
    return this.#line;
  }

  /** True for a program start that runs code which nobody could follow. */
  opaque(): boolean {
    return this.#inner_opaque ?? this.commandLine()?.opaque ?? false;
  }

  /** The commands of a tool call's command line; `undefined` where it has none. Read when first asked. */
  toolCommands(): ToolNames | undefined {
    if (this.#tool_read) return this.#tool;
    const { action } = this.event;
    const line = action.type === "tool.call" ? toolCommandLine(action) : undefined;
    this.#tool = line === undefined ? undefined : {
      opaque: line.opaque,
      commands: line.commands.map((command) => {
        const inner = toolCommandEvent(this.event, command);
        const names = new EventNames(inner);
        names.loadInner(inner, command.opaque);
        names.state = this.state;
        names.now_us = this.now_us;
        return { names, builtin: command.builtin };
      }),
    };
    this.#tool_read = true;
    return this.#tool;
  }

  /** The directory that relative names of this event refer to. */
  cwd(): string | undefined {
    const { action, process, base } = this.event;
    const cwd = base ?? (action.type === "exec" ? action.cwd : undefined) ?? process?.cwd;
    return cwd === undefined ? undefined : normalName(cwd);
  }

  #loadAction(): void {
    const { action } = this.event;
    switch (action.type) {
      case "exec":
        if (action.interpreter !== undefined) this.interpreter = normalName(action.interpreter);
        this.#loadPath(action.path, action.requested_path);
        return;
      case "file.read":
      case "file.write":
      case "file.create":
      case "file.truncate":
      case "file.delete":
      case "file.mkdir":
      case "file.rmdir":
      case "file.chmod":
      case "file.chown":
      case "file.mknod":
        this.#loadPath(action.path, action.requested_path);
        return;
      case "file.rename":
      case "file.link":
        this.#loadPath(action.path, action.requested_path);
        this.#loadNew(action.new_path, action.requested_new_path);
        return;
      case "file.symlink":
        // The target is relative to the directory of the link, not to that of the process.
        this.path = action.path.charCodeAt(0) === SLASH
          ? normalName(action.path)
          : normalName(`${action.new_path}/../${action.path}`);
        this.#loadNew(action.new_path, action.requested_new_path);
        return;
      case "exec.failed":
        this.#loadRequested(undefined, action.requested_path);
        return;
      case "unix.connect":
        this.#loadPath(action.path, action.requested_path);
        return;
      case "net.connect":
      case "net.send":
        this.hosts = hostsOf(action);
        this.#loadAddress(action.address);
        return;
      case "net.bind":
      case "net.listen":
        this.#loadAddress(action.address);
        return;
      case "net.dns":
        this.v4 = -1;
        this.address = undefined;
        this.hosts = [hostName(action.name)];
        return;
      default:
        return;
    }
  }

  #loadPath(path: string, requested: string | undefined): void {
    const normal = normalName(path);
    this.path = normal;
    if (requested === path && path.charCodeAt(0) === SLASH) return;
    this.#loadRequested(normal, requested);
  }

  #loadRequested(path: string | undefined, requested: string | undefined): void {
    if (requested === undefined || requested === "") return;
    const absolute = this.#absolute(path, requested, this.cwd());
    if (absolute === undefined) {
      this.requested_unknown = true;
      this.requested = requested;
    } else if (absolute !== path) this.requested = absolute;
  }

  #loadNew(new_path: string, requested: string | undefined): void {
    const normal = normalName(new_path);
    this.new_path = normal;
    if (requested === undefined || requested === "") return;
    if (requested === new_path && new_path.charCodeAt(0) === SLASH) return;
    const { new_base } = this.event;
    const absolute = this.#absolute(normal, requested, new_base === undefined ? this.cwd() : normalName(new_base));
    if (absolute === undefined) {
      this.requested_new_unknown = true;
      this.requested_new = requested;
    } else if (absolute !== normal) this.requested_new = absolute;
  }

  /** The absolute form of a requested name; `undefined` if it is relative and nobody knows to what. */
  #absolute(path: string | undefined, requested: string, cwd: string | undefined): string | undefined {
    const first = requested.charCodeAt(0);
    if (first === SLASH || first === AT) return normalName(requested);
    if (cwd === undefined || cwd.charCodeAt(0) !== SLASH) return undefined;
    // The commonest case, without building a string: the resolved name is the working directory plus the requested one.
    if (
      path !== undefined && path.length === cwd.length + 1 + requested.length && path.startsWith(cwd) &&
      path.charCodeAt(cwd.length) === SLASH && path.endsWith(requested)
    ) return path;
    return normalName(`${cwd}/${requested}`);
  }

  /** What a name permits does not hold here: see `isSpecialPurpose`. An address that nobody can read is one, too. */
  specialPurpose(): boolean {
    const { v4, address } = this;
    if (v4 >= 0) return isSpecialPurpose(Uint8Array.of(v4 >>> 24, (v4 >>> 16) & 255, (v4 >>> 8) & 255, v4 & 255));
    return this.event.action.type !== "net.dns" && (address === undefined || isSpecialPurpose(address));
  }

  #loadAddress(address: string): void {
    this.v4 = parseIpv4(address);
    this.address = undefined;
    if (this.v4 >= 0) return;
    const bytes = parseAddress(address);
    if (bytes === undefined) return;
    if (bytes.length === 4) this.v4 = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    else this.address = bytes;
  }
}

const NO_HOSTS: readonly string[] = [];

function hostsOf({ host, hosts }: NetAction): readonly string[] {
  if (host === undefined) return NO_HOSTS;
  return hosts === undefined ? [hostName(host)] : hosts.map((each) => hostName(each));
}

/** A host name as rules compare it: lower case, without the final dot. */
export function hostName(host: string): string {
  const lower = host.toLowerCase();
  return lower.endsWith(".") ? lower.slice(0, -1) : lower;
}
