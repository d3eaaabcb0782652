/** What the guard says of itself and of its record. */
import type { ActionBase } from "./action.ts";
import type { SessionId } from "./ids.ts";

/** Something the guard says of itself or of what it can see. */
export interface GuardAction extends ActionBase {
  readonly type:
    | "guard.start"
    | "guard.stop"
    | "guard.ready"
    | "guard.degraded"
    | "guard.restored"
    | "guard.lost"
    | "guard.policy.loaded"
    | "guard.tamper"
    | "guard.recovered"
    | "guard.key.rotated"
    | "guard.mismatch"
    | "guard.scope"
    | "guard.record.pruned"
    | "guard.record.repaired"
    | "guard.hold.added"
    | "guard.hold.released";
  readonly detail: string;
  /** Of `guard.record.pruned`: the first and last number of each run of entries whose text is gone, ascending. */
  readonly ranges?: readonly (readonly [number, number])[];
  /** Of `guard.hold.*`. */
  readonly hold?: HoldTerms;
}

/** Entries that are kept whatever else says that they may go: all given conditions must hold. */
export interface HoldTerms {
  readonly name: string;
  readonly session_id?: SessionId;
  readonly principal?: string;
  /** First and last time, inclusive; RFC 3339 UTC. */
  readonly since?: string;
  readonly until?: string;
}
