/** Joins the bytes that went through a file to the decision about its open. Bounded: the oldest open goes first. */
import { type DecisionId, type FileRef, LIMITS, type ProcessRef, type SessionInfo } from "../core/mod.ts";

/** Decisions by open file. */
export class OpenFiles {
  readonly #by_key: Map<string, DecisionId> = new Map();
  readonly #max: number;

  constructor(max: number = LIMITS.open_files_max) {
    this.#max = max;
  }

  /** Notes that `process` opened `file` under `decision_id`. */
  note(process: ProcessRef, session: SessionInfo | undefined, file: FileRef, decision_id: DecisionId): void {
    this.#set(processKey(process, file), decision_id);
    // Descriptors are inherited: bytes may come from a child that never opened the file.
    if (session !== undefined) this.#set(sessionKey(session, file), decision_id);
  }

  /** The decision about the last open of `file` by this process, else by anybody in its session. */
  find(process: ProcessRef, session: SessionInfo | undefined, file: FileRef): DecisionId | undefined {
    const own = this.#by_key.get(processKey(process, file));
    if (own !== undefined || session === undefined) return own;
    return this.#by_key.get(sessionKey(session, file));
  }

  #set(key: string, decision_id: DecisionId): void {
    this.#by_key.delete(key);
    this.#by_key.set(key, decision_id);
    if (this.#by_key.size <= this.#max) return;
    const oldest = this.#by_key.keys().next();
    if (!oldest.done) this.#by_key.delete(oldest.value);
  }
}

function processKey(process: ProcessRef, file: FileRef): string {
  return `${process.pid}:${process.start}:${file.dev}:${file.ino}`;
}

function sessionKey(session: SessionInfo, file: FileRef): string {
  return `${session.session_id}:${file.dev}:${file.ino}`;
}
