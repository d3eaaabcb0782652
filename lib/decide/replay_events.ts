/**
 * From entries of a record back to the events that were decided. An entry says less than its event: arguments, working
 * directory and program of a process stand at its exec only, the agent at the beginning of its session, and the
 * directory that a relative name began from nowhere. What an entry lacks is taken from the entries before it.
 */
import {
  type Action,
  type Entry,
  type Event,
  LIMITS,
  parseTime,
  type ProcessInfo,
  type SessionInfo,
} from "../core/mod.ts";
import { normalName } from "./names.ts";

/** An action of a recording. */
export interface RecordedAction {
  readonly entry: Entry;
  readonly event: Event;
}

/** How entries are read. */
export interface RebuildOptions {
  /**
   * Home directory of the sessions' user: a record does not hold it. Absent: `~` is any home for what forbids, none for
   * what permits.
   */
  readonly home?: string;
}

/** Sessions remembered: more than a record of a long-lived guard has running at once. */
const SESSIONS_MAX = LIMITS.sessions_max * 4;

/** Rebuilds events. One for each recording; feed it every entry in order. */
export class EventRebuilder {
  readonly #options: RebuildOptions;
  readonly #processes: Map<string, ProcessInfo> = new Map();
  readonly #sessions: Map<string, SessionInfo> = new Map();

  constructor(options: RebuildOptions = {}) {
    this.#options = options;
  }

  /** The action that an entry records; `undefined` for outcomes, gaps and what the guard says of itself. */
  next(entry: Entry): RecordedAction | undefined {
    const { action } = entry;
    if (entry.kind === "session") this.#noteSession(entry);
    if (action === undefined || (entry.kind !== "observation" && entry.kind !== "decision")) return undefined;
    const process = this.#processOf(entry, action);
    const session = this.#sessionOf(entry);
    const event: Event = {
      time_us: parseTime(entry.time) ?? 0,
      action,
      ...(session === undefined ? {} : { session }),
      ...(process === undefined ? {} : { process }),
      ...(entry.process === undefined ? {} : { shown: entry.process }),
      ...basesOf(action),
    };
    this.#noteAction(entry, event);
    return { entry, event };
  }

  /** Who acted. An exec is the act of the caller: the process as it was before. */
  #processOf({ process }: Entry, action: Action): ProcessInfo | undefined {
    if (process === undefined) return undefined;
    const known = this.#processes.get(keyOf(process));
    if (action.type !== "exec") return { ...known, ...process };
    if (known !== undefined) return known;
    const { pid, start, ppid, uid } = process;
    return { pid, start, ...(ppid === undefined ? {} : { ppid }), ...(uid === undefined ? {} : { uid }) };
  }

  #sessionOf(entry: Entry): SessionInfo | undefined {
    const { session_id, principal, process } = entry;
    if (session_id === undefined) return undefined;
    const known = this.#sessions.get(session_id);
    if (known !== undefined) return known;
    const root = { pid: process?.pid ?? 0, start: process?.start ?? "0" };
    const session = { session_id, agent: "", principal: principal ?? "", root, ...this.#home() };
    this.#putSession(session);
    return session;
  }

  #noteSession({ action, session_id, principal, process }: Entry): void {
    if (session_id === undefined || action?.type !== "session.start") return;
    const root = { pid: process?.pid ?? 0, start: process?.start ?? "0" };
    this.#putSession({ session_id, agent: action.agent, principal: principal ?? "", root, ...this.#home() });
  }

  #putSession(session: SessionInfo): void {
    dropOldest(this.#sessions, SESSIONS_MAX);
    this.#sessions.set(session.session_id, session);
  }

  #home(): { readonly home?: string } {
    return this.#options.home === undefined ? {} : { home: this.#options.home };
  }

  #noteAction({ process }: Entry, { action, base }: Event): void {
    if (process === undefined) return;
    const key = keyOf(process);
    switch (action.type) {
      case "exec":
        this.#putProcess(key, {
          ...process,
          exe: process.exe ?? action.interpreter ?? action.path,
          argv: action.argv,
          ...(action.cwd === undefined ? {} : { cwd: action.cwd }),
        });
        return;
      case "process.fork": {
        const parent = this.#processes.get(key) ?? process;
        this.#putProcess(keyOf(action.child), { ...parent, ...action.child, ppid: process.pid });
        return;
      }
      case "process.exit":
        this.#processes.delete(key);
        return;
      default: {
        // Where a relative name began from is where the process is, as far as anybody knows.
        const known = this.#processes.get(key);
        if (base !== undefined && known !== undefined) this.#processes.set(key, { ...known, cwd: base });
      }
    }
  }

  #putProcess(key: string, process: ProcessInfo): void {
    this.#processes.delete(key);
    dropOldest(this.#processes, LIMITS.processes_max);
    this.#processes.set(key, process);
  }
}

function keyOf(process: { readonly pid: number; readonly start: string }): string {
  return `${process.pid}:${process.start}`;
}

function dropOldest(map: Map<string, unknown>, max: number): void {
  if (map.size < max) return;
  const oldest = map.keys().next();
  if (oldest.done !== true) map.delete(oldest.value);
}

/** Where relative requested names began, as far as the resolved names tell. */
function basesOf(action: Action): Pick<Event, "base" | "new_base"> {
  const base = "path" in action && "requested_path" in action && action.type !== "exec"
    ? baseOf(action.path, action.requested_path)
    : undefined;
  const new_base = "new_path" in action ? baseOf(action.new_path, action.requested_new_path) : undefined;
  return { ...(base === undefined ? {} : { base }), ...(new_base === undefined ? {} : { new_base }) };
}

/** The directory under which `requested` is `path`; `undefined` if a symbolic link or `..` is between them. */
function baseOf(path: string, requested: string | undefined): string | undefined {
  if (requested === undefined || requested === "" || requested.startsWith("/") || !path.startsWith("/")) {
    return undefined;
  }
  const tail = normalName(`/${requested}`);
  if (requested.split("/").includes("..")) return undefined;
  if (tail === "/") return path;
  return path.endsWith(tail) ? path.slice(0, -tail.length) || "/" : undefined;
}
