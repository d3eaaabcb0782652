/** The line of the record. */
import type { Action } from "./action.ts";
import type { Decision } from "./decision.ts";
import type { EntryId, SessionId } from "./ids.ts";
import type { Outcome } from "./outcome.ts";
import type { ProcessInfo } from "./process.ts";
import type { WallUs } from "./time.ts";

/** What a line is about. */
export type EntryKind =
  | "decision" // an action with a verdict that has, or would have, an effect; recorded before the effect
  | "outcome" // what came of a decision or of an observation
  | "observation" // an action that was only seen
  | "approval"
  | "session"
  | "policy"
  | "operator"
  | "gap"
  | "guard"
  | "checkpoint";

/** A located loss: `count` records of `type` between `from` and `to` (sequence numbers of `cpu`). */
export interface Gap {
  /** `decisions`, `telemetry`, `probe`, `coverage`, `recorder`. */
  readonly source: string;
  /** What was lost, or why it cannot be seen: `record`, `bytes`, `i386`, `io_uring`, ... */
  readonly type: string;
  readonly count: number;
  readonly from?: string;
  readonly to?: string;
  readonly cpu?: number;
}

/** An entry before the recorder numbers and chains it. */
export interface EntryDraft {
  readonly time_us: WallUs;
  readonly kind: EntryKind;
  readonly session_id?: SessionId;
  readonly principal?: string;
  readonly process?: ProcessInfo;
  readonly action?: Action;
  readonly decision?: Decision;
  readonly outcome?: Outcome;
  readonly gap?: Gap;
}

/** An entry as stored and shown. `prev` is the hash of the entry before, hex; 64 zeros for the first. */
export interface Entry extends Omit<EntryDraft, "time_us"> {
  readonly seq: number;
  readonly entry_id: EntryId;
  readonly boot_id: string;
  /** RFC 3339 UTC with microseconds. */
  readonly time: string;
  readonly prev: string;
}
