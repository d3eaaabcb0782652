/** Questions as those see them who may answer, who they are, and what they say. */
import type { ApprovalRequest } from "./approval.ts";

/** Where a question is in its life. */
export type ApprovalState = "pending" | "allowed" | "denied";

/** One voice. */
export interface ApprovalVote {
  readonly by: string;
  readonly verified: string;
  readonly verdict: "allow" | "deny";
  /** RFC 3339 UTC. */
  readonly time: string;
}

/** A question and what is known of its answer. Times are RFC 3339 UTC. */
export interface ApprovalView extends Omit<ApprovalRequest, "asked_us" | "expires_us"> {
  readonly state: ApprovalState;
  readonly asked: string;
  readonly expires: string;
  /** Until it is denied by itself; 0 for an answered one. */
  readonly left_ms: number;
  /** How many must say yes. */
  readonly quorum: number;
  readonly votes: readonly ApprovalVote[];
  /** True where every yes needs a one-time code. */
  readonly code_needed: boolean;
  /** What `GrantRequest.match` may be for this action, as an example; absent where only the exact action can match. */
  readonly match_hint?: string;
  readonly answer?: {
    readonly verdict: "allow" | "deny";
    readonly by: string;
    readonly reason: string;
    readonly time: string;
    readonly held_ms: number;
    readonly grant_id?: string;
  };
}

/** What a stream of questions carries. */
export interface ApprovalEvent {
  readonly event: "asked" | "vote" | "answered";
  readonly approval: ApprovalView;
}

/** Who answers, as far as the guard could find out by itself. Nothing here comes from what they say of themselves. */
export interface Approver {
  /** `uid:1000`, `token:ops`, `webhook:ops`. */
  readonly id: string;
  /** For the record: how the guard knows. */
  readonly verified: string;
  /** Absent for those who are not a process of this host. */
  readonly uid?: number;
  readonly user?: string;
  readonly gids?: readonly number[];
  readonly groups?: readonly string[];
  /**
   * Why this process may not answer anything: it is in a guarded session, or nobody could find out. Absent: it is
   * outside of every session.
   */
  readonly inside?: string;
  /** True if the process has a controlling terminal. */
  readonly terminal: boolean;
  /** Came over the socket of approvers, which is for others than the one who asks: never answers for its own uid. */
  readonly apart?: true;
}

/** How long a yes holds. */
export type GrantTerm =
  | { readonly term: "once" }
  | { readonly term: "session" }
  | { readonly term: "duration"; readonly duration_ms: number }
  | { readonly term: "always" };

/** What somebody answers. */
export interface Ballot {
  readonly verdict: "allow" | "deny";
  /** 0 to 1,024 characters. */
  readonly reason?: string;
  /** Absent: once. */
  readonly grant?: GrantTerm;
  /** What the grant covers beyond this exact action; see docs/approvals.md. */
  readonly match?: string;
  /** One-time code, six digits. */
  readonly code?: string;
}

/** A standing grant as it is shown. Times are RFC 3339 UTC. */
export interface GrantView {
  readonly grant_id: string;
  readonly approval_id: string;
  readonly principal: string;
  /** The only session that it holds for; absent for all of the principal. */
  readonly session_id?: string;
  /** In words: what it covers. */
  readonly covers: string;
  readonly by: readonly string[];
  readonly created: string;
  /** Absent where it never does. */
  readonly expires?: string;
  /** Actions that it has answered since the guard began. */
  readonly uses: number;
}
