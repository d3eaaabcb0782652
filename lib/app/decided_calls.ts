/** Joins the record that says whose decision a held call was to the record of what came of it, which follows it. */
import type { Action, DecisionId, Observed } from "../core/mod.ts";

/** How long after the first record the second may come, microseconds: one program sends both, but may be held up. */
const APART_US_MAX = 1_000_000;
/** Threads whose second record has not come. */
const WAITING_MAX = 4_096;

interface Waiting {
  readonly decided: DecisionId;
  readonly refused: boolean;
  readonly net: boolean;
  readonly boot_us: number;
}

/** What a caller's memory hides from its record has none, and then the next record is of something else. */
function goesSomewhere({ type }: Action): boolean {
  return type === "net.connect" || type === "net.send";
}

/** By thread. */
export class DecidedCalls {
  readonly #by_thread: Map<number, Waiting> = new Map();

  /** The record to go on with; `undefined` for one that only announces another. */
  join(record: Observed): Observed | undefined {
    const { facts, tid, boot_us } = record;
    if (facts.kind === "decided") {
      if (this.#by_thread.size >= WAITING_MAX) this.#by_thread.clear(); // their second records were lost
      const { decided, refused, net } = facts;
      this.#by_thread.set(tid, { decided, refused, net, boot_us });
      return undefined;
    }
    if (this.#by_thread.size === 0 || record.action === undefined) return record;
    const waiting = this.#by_thread.get(tid);
    if (waiting === undefined) return record;
    this.#by_thread.delete(tid);
    if (boot_us - waiting.boot_us > APART_US_MAX || waiting.net !== goesSomewhere(record.action)) return record;
    return { ...record, held: { decided: waiting.decided, refused: waiting.refused } };
  }
}
