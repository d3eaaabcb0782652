/** A question to a human about one action that waits, and its one answer. */
import type { Action } from "./action.ts";
import type { PolicyRef } from "./decision.ts";
import type { ApprovalId, DecisionId } from "./ids.ts";
import type { ProcessInfo, SessionInfo } from "./process.ts";
import type { WallUs } from "./time.ts";

/** What keeps the action waiting: the kernel, or a reply that was not sent yet. */
export type HoldMechanism = "seccomp" | "fanotify" | "reply";

/** The question. Complete: who answers sees everything that will be done. */
export interface ApprovalRequest {
  readonly approval_id: ApprovalId;
  /** The decision that asked; the outcome carries it too. */
  readonly decision_id: DecisionId;
  readonly action: Action;
  readonly session?: SessionInfo;
  readonly process?: ProcessInfo;
  /** SHA-256 of the canonical JSON of what is approved, 64 hex digits: one byte of argv more asks again. */
  readonly digest: string;
  readonly policy: PolicyRef;
  readonly rule?: string;
  readonly reason: string;
  /** 0-100; absent where nobody judged. */
  readonly risk?: number;
  readonly held_by: HoldMechanism;
  readonly asked_us: WallUs;
  /** From then on the answer is deny. */
  readonly expires_us: WallUs;
}

/** The answer. There is exactly one for each request. */
export interface ApprovalAnswer {
  readonly approval_id: ApprovalId;
  readonly verdict: "allow" | "deny";
  /**
   * Who: `uid:0`, `uid:0/alice` (root by sudo), `token:ops`, `webhook:ops`, `grant:01J...` (a standing grant),
   * `expiry`, `unattended`, `requester-gone`, `interrupted`, `guard-stop`, `guard`; several with commas where a quorum
   * said yes.
   */
  readonly by: string;
  readonly reason: string;
  readonly held_ms: number;
}

/** Asks. The promise never rejects: what cannot be asked is denied, with the reason. */
export interface ApprovalPort {
  ask(request: ApprovalRequest): Promise<ApprovalAnswer>;
  /** The one that waited is gone (killed, or its call was interrupted): the question ends without effect. */
  withdraw(approval_id: ApprovalId): void;
}
