/** Joins the bytes that went through a file to the decision about its open. Bounded: the oldest opens go first. */
import { type DecisionId, type FileRef, LIMITS, type ProcessRef, type SessionInfo } from "../core/mod.ts";

/** One open, in full: keys are only hashes. */
interface Noted {
  /** Start time of the process, or id of the session. */
  readonly owner: string;
  /** 0 for a session. */
  readonly pid: number;
  readonly dev: number;
  readonly ino: number;
  readonly decision_id: DecisionId;
}

/**
 * Decisions by open file. Two generations: when the young one holds half of the bound, the old one is forgotten as a
 * whole. Removing single entries in order of age from a map of this size costs a search over the removed ones each
 * time. Keys are numbers, because this runs at every open and joined strings cost more than all the rest.
 */
export class OpenFiles {
  #young: Map<number, Noted> = new Map();
  #old: Map<number, Noted> = new Map();
  readonly #half: number;

  /** `max`: entries in both generations; the last half of them is always held. */
  constructor(max: number = LIMITS.open_files_max) {
    this.#half = Math.max(1, max >> 1);
  }

  /** Notes that `process` opened `file` under `decision_id`. */
  note(process: ProcessRef, session: SessionInfo | undefined, file: FileRef, decision_id: DecisionId): void {
    const { dev, ino } = file;
    const { pid, start } = process;
    this.#set(keyOf(pid, file), { owner: start, pid, dev, ino, decision_id });
    if (session === undefined) return;
    // Descriptors are inherited: bytes may come from a child that never opened the file.
    const owner = session.session_id;
    this.#set(keyOf(sessionNumber(owner), file), { owner, pid: 0, dev, ino, decision_id });
  }

  /** The decision about the last open of `file` by this process, else by anybody in its session. */
  find(process: ProcessRef, session: SessionInfo | undefined, file: FileRef): DecisionId | undefined {
    const own = this.#get(keyOf(process.pid, file), { owner: process.start, pid: process.pid, ...file });
    if (own !== undefined || session === undefined) return own;
    const owner = session.session_id;
    return this.#get(keyOf(sessionNumber(owner), file), { owner, pid: 0, ...file });
  }

  #get(key: number, wanted: Omit<Noted, "decision_id">): DecisionId | undefined {
    const found = this.#young.get(key) ?? this.#old.get(key);
    if (found === undefined || found.owner !== wanted.owner || found.pid !== wanted.pid) return undefined;
    return found.dev === wanted.dev && found.ino === wanted.ino ? found.decision_id : undefined;
  }

  #set(key: number, noted: Noted): void {
    if (this.#young.size >= this.#half && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, noted);
  }
}

/** 32 bits of the file and 21 of its owner; two opens with one key are told apart by the entry, the later one stays. */
function keyOf(owner: number, file: FileRef): number {
  const high = Math.trunc(file.ino / 0x1_0000_0000);
  const hash = (file.ino ^ Math.imul(file.dev, 0x9e37_79b1) ^ Math.imul(high, 0x85eb_ca6b)) >>> 0;
  return hash * 0x20_0000 + (owner & 0x1f_ffff);
}

/** The last four characters of an id, which are random. */
function sessionNumber(session_id: string): number {
  let number = 0;
  for (let i = session_id.length - 4; i < session_id.length; i++) {
    number = Math.imul(number, 37) + session_id.charCodeAt(i);
  }
  return number;
}
