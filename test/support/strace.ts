/**
 * The output of strace 6.1 as data. Only for logs made with {@link STRACE_FLAGS}: every string is in hexadecimal, so
 * that a name can hold anything, no structure is abbreviated, and every descriptor carries its path or its socket.
 */

/** The flags that the parser expects, without `-e trace=` and `-o`. */
export const STRACE_FLAGS: readonly string[] = ["-f", "-q", "-yy", "-xx", "-s", "200000", "--abbrev=none"];

/** One system call of one thread. */
export interface Call {
  /** The thread; after an execve by another thread than the first, the thread that the process goes on as. */
  tid: number;
  readonly name: string;
  /** As printed, split at the top level. */
  readonly args: readonly string[];
  /** What strace printed after the equals sign. */
  readonly returned: string;
  /** The number returned; undefined when the call never did. */
  readonly value?: number;
  /** Symbolic, when it failed. */
  readonly errno?: string;
}

/** What happened, in the order of the log. `begin` and `end` of a call are the same object. */
export type TraceEvent =
  | { readonly kind: "begin" | "end"; readonly call: Call }
  | { readonly kind: "exit"; readonly tid: number; readonly exit_code?: number; readonly signal?: string };

interface Begun {
  tid: number;
  readonly name: string;
  readonly head: string;
  readonly index: number;
}

const LINE = /^(\d+) +(.*)$/;
const ENTRY = /^([a-z_0-9]+)\((.*)$/;
const RESUMED = /^<\.\.\. ([a-z_0-9]+) resumed>(.*)$/;
/** The end of a line whose call has not returned; the second form is an execve by another thread than the first. */
const UNFINISHED = / <(?:unfinished|pid changed to \d+) \.\.\.>$/;
const RETURN = /^(.*)\) += (-?\d+|0x[0-9a-f]+|\?)(.*)$/;

/** Reads a log. Throws on a line that it does not understand: a comparison must not silently see less. */
export function parseStrace(log: string): readonly TraceEvent[] {
  const events: (TraceEvent | undefined)[] = [];
  const pending = new Map<number, Begun>();
  for (const line of log.split("\n")) {
    if (line === "") continue;
    const [, pid, rest] = LINE.exec(line) ?? [];
    if (pid === undefined || rest === undefined) {
      throw new Error(`read strace log: no thread id: ${line.slice(0, 200)}`);
    }
    parseLine(Number(pid), rest, { events, pending });
  }
  // What never returned (the thread was killed in it) has no effect that could be named.
  return events.filter((event): event is TraceEvent => event !== undefined);
}

function parseLine(
  tid: number,
  text: string,
  state: { readonly events: (TraceEvent | undefined)[]; readonly pending: Map<number, Begun> },
): void {
  const { events, pending } = state;
  if (text.startsWith("+++ ")) {
    const superseded = /^\+\+\+ superseded by execve in pid (\d+) \+\+\+$/.exec(text);
    if (superseded !== null) {
      const begun = pending.get(Number(superseded[1]));
      if (begun === undefined) throw new Error(`read strace log: superseded without an execve: ${text}`);
      pending.delete(begun.tid);
      begun.tid = tid;
      pending.set(tid, begun);
      return;
    }
    events.push(parseExit(tid, text));
    return;
  }
  // Signals, and calls in which a thread was killed before strace could read which they were.
  if (text.startsWith("--- ") || text.startsWith("???(") || text.startsWith("<... ??? resumed>")) return;
  const resumed = RESUMED.exec(text);
  if (resumed !== null) {
    const begun = pending.get(tid);
    const tail = resumed[2];
    if (begun === undefined || begun.name !== resumed[1] || tail === undefined) {
      throw new Error(`read strace log: resumed without a beginning: ${text.slice(0, 200)}`);
    }
    pending.delete(tid);
    finish(begun, begun.head + tail, events);
    return;
  }
  const entry = ENTRY.exec(text);
  const name = entry?.[1];
  const tail = entry?.[2];
  if (name === undefined || tail === undefined) throw new Error(`read strace log: not a call: ${text.slice(0, 200)}`);
  const index = events.push(undefined) - 1;
  const unfinished = UNFINISHED.exec(tail);
  if (unfinished !== null) {
    pending.set(tid, { tid, name, head: tail.slice(0, unfinished.index), index });
  } else {
    finish({ tid, name, head: "", index }, tail, events);
  }
}

function parseExit(tid: number, text: string): TraceEvent {
  const exited = /^\+\+\+ exited with (\d+) \+\+\+$/.exec(text);
  if (exited !== null) return { kind: "exit", tid, exit_code: Number(exited[1]) };
  const killed = /^\+\+\+ killed by (SIG[A-Z0-9]+)(?: \(core dumped\))? \+\+\+$/.exec(text);
  if (killed?.[1] !== undefined) return { kind: "exit", tid, signal: killed[1] };
  throw new Error(`read strace log: unknown end of a thread: ${text}`);
}

function finish(begun: Begun, text: string, events: (TraceEvent | undefined)[]): void {
  const [, args, value, rest] = RETURN.exec(text) ?? [];
  if (args === undefined || value === undefined || rest === undefined) {
    throw new Error(`read strace log: no result: ${begun.name}(${text.slice(0, 200)}`);
  }
  const errno = /^ ([A-Z0-9]+) /.exec(rest)?.[1];
  const call: Call = {
    tid: begun.tid,
    name: begun.name,
    args: splitArguments(args),
    returned: value + rest,
    ...(value === "?" ? {} : { value: Number(value) }),
    ...(errno === undefined ? {} : { errno }),
  };
  events[begun.index] = { kind: "begin", call };
  events.push({ kind: "end", call });
}

/** Splits at commas that are outside every bracket. Strings are hexadecimal and hold none. */
export function splitArguments(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charAt(i);
    if (c === "(" || c === "[" || c === "{") depth++;
    else if (c === ")" || c === "]" || c === "}") depth--;
    else if (c === "," && depth === 0) {
      parts.push(text.slice(from, i).trim());
      from = i + 1;
    }
  }
  const last = text.slice(from).trim();
  if (last !== "") parts.push(last);
  return parts;
}

/**
 * The bytes of a printed string, decoded as UTF-8 with replacement characters; undefined where strace printed a
 * pointer.
 */
export function printedString(text: string | undefined): string | undefined {
  const hex = /^"((?:\\x[0-9a-f]{2})*)"$/.exec(text ?? "")?.[1];
  return hex === undefined ? undefined : fromHex(hex);
}

/** The strings of a printed array, for example argv; undefined where strace printed a pointer. */
export function printedStrings(text: string | undefined): readonly string[] | undefined {
  if (text === undefined || !text.startsWith("[") || !text.endsWith("]")) return undefined;
  return splitArguments(text.slice(1, -1)).map((part) => printedString(part) ?? "");
}

/** A descriptor as printed with `-yy`. */
export interface PrintedFd {
  /** -100 for AT_FDCWD. */
  readonly fd: number;
  /** What /proc says that it is, without ` (deleted)`. */
  readonly path?: string;
  readonly deleted: boolean;
  /** For sockets: `TCP`, `UDPv6`, `UNIX-STREAM`, ... */
  readonly protocol?: string;
  /** For sockets: what is between the square brackets. */
  readonly endpoint?: string;
}

/** Reads a descriptor argument or return value; undefined for anything else. */
export function printedFd(text: string | undefined): PrintedFd | undefined {
  const [, number, rest] = /^(AT_FDCWD|-?\d+)(.*)$/.exec(text ?? "") ?? [];
  if (number === undefined || rest === undefined) return undefined;
  const fd = number === "AT_FDCWD" ? -100 : Number(number);
  const [, hex, deleted] = /^<((?:\\x[0-9a-f]{2})+)(?:<[^<>]*>)?>(\(deleted\))?$/.exec(rest) ?? [];
  if (hex !== undefined) return { fd, path: fromHex(hex), deleted: deleted !== undefined };
  const [, protocol, endpoint] = /^<([A-Za-z0-9-]+):\[(.*)\]>$/.exec(rest) ?? [];
  if (protocol !== undefined && endpoint !== undefined) return { fd, deleted: false, protocol, endpoint };
  return { fd, deleted: false };
}

/** The value of a field `name=value` of a printed structure, up to the next field. */
export function printedField(text: string, name: string): string | undefined {
  const open = text.indexOf("{");
  const close = text.lastIndexOf("}");
  for (const part of splitArguments(text.slice(open + 1, close))) {
    if (part.startsWith(`${name}=`)) return part.slice(name.length + 1);
  }
  return undefined;
}

/** A printed socket address. */
export type PrintedAddress =
  | { readonly family: "inet"; readonly address: string; readonly port: number }
  | { readonly family: "unix"; readonly path: string };

/** Reads a printed sockaddr; undefined for other families and for NULL. */
export function printedAddress(text: string | undefined): PrintedAddress | undefined {
  if (text === undefined) return undefined;
  const local = /sun_path=(@?)("(?:\\x[0-9a-f]{2})*")/.exec(text);
  if (local !== null) return { family: "unix", path: `${local[1] ?? ""}${printedString(local[2]) ?? ""}` };
  const port = /sin6?_port=htons\((\d+)\)/.exec(text)?.[1];
  const quoted = /inet_(?:addr\(|pton\(AF_INET6, )("(?:\\x[0-9a-f]{2})*")/.exec(text)?.[1];
  const address = printedString(quoted);
  if (port === undefined || address === undefined) return undefined;
  return { family: "inet", address: withoutMapping(address), port: Number(port) };
}

/** An IPv4 address that is written inside an IPv6 one, as IPv4. */
export function withoutMapping(address: string): string {
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1] ?? address;
}

function fromHex(text: string): string {
  return new TextDecoder().decode(Buffer.from(text.replaceAll("\\x", ""), "hex"));
}
