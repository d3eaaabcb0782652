/** Every process that guarded trees contain, by pid and start time. Bounded: the one seen longest ago goes first. */
import { LIMITS, type ProcessInfo } from "../core/mod.ts";

/** One process. Replaced, never changed, when it execs. */
export interface KnownProcess {
  readonly info: ProcessInfo;
  /** `info` without argv and cwd. */
  readonly shown: ProcessInfo;
  /** The session's number in the kernel; 0: not known. */
  readonly scope: number;
  readonly start_low: number;
  readonly start_high: number;
  /** Programs above it in its session, its parent's first; absent for a process whose start was not seen. */
  readonly lineage?: readonly string[];
}

/** Processes by pid; a reused pid replaces the older one. */
export class ProcessTable {
  readonly #by_pid: Map<number, KnownProcess> = new Map();
  /** Living processes by scope, so that the end of a session is seen without a search. */
  readonly #counts: Map<number, number> = new Map();
  readonly #max: number;
  #evicted = 0;

  constructor(max: number = LIMITS.processes_max) {
    this.#max = max;
  }

  /** Processes remembered. */
  get size(): number {
    return this.#by_pid.size;
  }

  /** Processes forgotten because of the bound, while they may still have run. */
  get evicted(): number {
    return this.#evicted;
  }

  /** The process, if the pid still belongs to this start time. */
  find(pid: number, start_low: number, start_high: number): KnownProcess | undefined {
    const known = this.#by_pid.get(pid);
    if (known === undefined || known.start_low !== start_low || known.start_high !== start_high) return undefined;
    return known;
  }

  /** The process that has this pid now. */
  byPid(pid: number): KnownProcess | undefined {
    return this.#by_pid.get(pid);
  }

  /** Remembers or replaces. */
  put(process: KnownProcess): void {
    const pid = process.info.pid;
    // Deleting first moves the entry to the end: the map's order is the order of last change.
    this.#take(pid);
    this.#by_pid.set(pid, process);
    this.#counts.set(process.scope, this.countOf(process.scope) + 1);
    if (this.#by_pid.size <= this.#max) return;
    const oldest = this.#by_pid.keys().next();
    if (oldest.done) return;
    this.#take(oldest.value);
    this.#evicted++;
  }

  /** Forgets a process that ended. */
  remove(process: KnownProcess): void {
    const pid = process.info.pid;
    if (this.#by_pid.get(pid) === process) this.#take(pid);
  }

  /** Living processes of one scope. */
  countOf(scope: number): number {
    return this.#counts.get(scope) ?? 0;
  }

  /** Processes of one session. */
  ofScope(scope: number): KnownProcess[] {
    return [...this.#by_pid.values()].filter((each) => each.scope === scope);
  }

  #take(pid: number): void {
    const known = this.#by_pid.get(pid);
    if (known === undefined) return;
    this.#by_pid.delete(pid);
    const left = this.countOf(known.scope) - 1;
    if (left > 0) this.#counts.set(known.scope, left);
    else this.#counts.delete(known.scope);
  }
}

/** The short form of a process, for entries that repeat it. */
export function shownProcess(info: ProcessInfo): ProcessInfo {
  const { argv: _argv, cwd: _cwd, ...shown } = info;
  return shown;
}
