/** One call that waits for the guard, and the two ways to end its wait. */
import type { Action, DecisionId, Event, HoldMechanism, Ruling } from "../core/mod.ts";
import type { HeldCall } from "../../ffi/mod.ts";

/** How a call is let go. */
export interface ReleaseTerms {
  /** The decision that the call's record will be found by; absent where the policy alone lets it go. */
  readonly decided?: DecisionId;
  /** Somebody answered. */
  readonly approved: boolean;
}

/**
 * What came of letting a call go. `gone`: nobody waited any more, and nothing was done. `left`: it was done, and who
 * waited has no result that says so. `later`: it waits on, and comes back by itself. `unsafe`: it cannot be let go, and
 * is to be refused.
 */
export type Released =
  | { readonly kind: "released" | "gone" | "left" | "later" }
  | { readonly kind: "unsafe"; readonly reason: string };

/** A held call with what it would do. Exactly one of `release` and `refuse` ends it. */
export interface HeldWork {
  /** What it came from: all that waits there is refused together. */
  readonly listener: number;
  readonly mechanism: Exclude<HoldMechanism, "reply">;
  /** `id`: of a system call. */
  readonly call: Pick<HeldCall, "tgid"> & Partial<Pick<HeldCall, "id">>;
  readonly event: Event;
  release(terms: ReleaseTerms): Released;
  /** Its caller still waits. */
  waits(): boolean;
  /** Makes it fail with EPERM; false where nobody waits any more. */
  refuse(decided: DecisionId): boolean;
}

/** A ruling; `decided` where whoever ruled remembers it under this id. */
export interface HeldRuling {
  readonly ruling: Ruling;
  readonly decided?: DecisionId;
  /** The action where whoever ruled knows more of it: an address by its names. */
  readonly action?: Action;
}
