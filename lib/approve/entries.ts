/** What approvals write into the record. */
import {
  type ApprovalAction,
  type ApprovalRequest,
  type ApprovalVote,
  type Approver,
  type EntryDraft,
  formatTime,
  type GrantTerm,
  type OperatorAction,
  type WallUs,
} from "../core/mod.ts";
import type { Grant } from "./grant.ts";
import { describeSubject } from "./match.ts";
import type { Settlement } from "./question.ts";

/** An entry about a question. */
function draftOf(request: ApprovalRequest, time_us: WallUs, action: ApprovalAction): EntryDraft {
  const { session, process } = request;
  return {
    time_us,
    kind: "approval",
    ...(session === undefined ? {} : { session_id: session.session_id, principal: session.principal }),
    ...(process === undefined ? {} : { process }),
    action,
  };
}

function keysOf(request: ApprovalRequest): Pick<ApprovalAction, "approval_id" | "decision_id" | "digest" | "rule"> {
  const { approval_id, decision_id, digest, rule } = request;
  return { approval_id, decision_id, digest, ...(rule === undefined ? {} : { rule }) };
}

/** The question, with all that is asked about. */
export function askedEntry(request: ApprovalRequest): EntryDraft {
  return draftOf(request, request.asked_us, {
    type: "approval.asked",
    ...keysOf(request),
    reason: request.reason,
    held_by: request.held_by,
    ...(request.risk === undefined ? {} : { risk: request.risk }),
    expires: formatTime(request.expires_us),
    subject: request.action,
  });
}

/** One voice that counts. */
export function voteEntry(
  request: ApprovalRequest,
  vote: ApprovalVote,
  at: { readonly time_us: WallUs; readonly reason: string; readonly scope: string },
): EntryDraft {
  return draftOf(request, at.time_us, {
    type: "approval.vote",
    ...keysOf(request),
    verdict: vote.verdict,
    by: vote.by,
    verified: vote.verified,
    ...(at.reason === "" ? {} : { reason: at.reason }),
    ...(vote.verdict === "allow" ? { scope: at.scope } : {}),
  });
}

/** The one answer. */
export function answeredEntry(
  request: ApprovalRequest,
  settlement: Settlement,
  at: { readonly time_us: WallUs; readonly held_ms: number; readonly grant_id?: string },
): EntryDraft {
  return draftOf(request, at.time_us, {
    type: "approval.answered",
    ...keysOf(request),
    verdict: settlement.verdict,
    by: settlement.by,
    reason: settlement.reason,
    held_ms: at.held_ms,
    ...(at.grant_id === undefined ? {} : { grant_id: at.grant_id }),
  });
}

/** A standing grant begins, or was revoked by `by`. */
export function grantEntry(
  type: "approval.granted" | "approval.revoked",
  grant: Grant,
  at: { readonly time_us: WallUs; readonly by: string },
): EntryDraft {
  const { session_id, principal, rule, expires_us } = grant;
  return {
    time_us: at.time_us,
    kind: "approval",
    ...(session_id === undefined ? {} : { session_id }),
    principal,
    action: {
      type,
      approval_id: grant.approval_id,
      grant_id: grant.grant_id,
      ...(grant.subject.kind === "exact" ? { digest: grant.subject.digest } : {}),
      ...(rule === undefined ? {} : { rule }),
      by: at.by,
      scope: `${session_id === undefined ? "every session" : "this session"}: ${describeSubject(grant.subject)}`,
      ...(expires_us === undefined ? {} : { expires: formatTime(expires_us) }),
    },
  };
}

/** What an operator told the guard to do, and why it had no effect where it had none. */
export function operatorEntry(
  type: Extract<OperatorAction["type"], "operator.approve" | "operator.deny" | "operator.revoke">,
  approver: Approver,
  at: { readonly time_us: WallUs; readonly target: string; readonly refused?: string },
): EntryDraft {
  return {
    time_us: at.time_us,
    kind: "operator",
    action: {
      type,
      target: at.target,
      by: approver.id,
      verified: approver.verified,
      ...(at.refused === undefined ? {} : { refused: at.refused }),
    },
  };
}

/** A term in words: `once`, `session`, `15m`, `always`, and what it covers. */
export function scopeText(term: GrantTerm, match: string | undefined): string {
  const time = term.term === "duration" ? durationText(term.duration_ms) : term.term;
  return match === undefined ? time : `${time}: ${match}`;
}

function durationText(duration_ms: number): string {
  const units: readonly (readonly [string, number])[] = [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], [
    "s",
    1_000,
  ]];
  const [unit, ms] = units.find(([, each]) => duration_ms % each === 0) ?? ["ms", 1];
  return `${duration_ms / ms}${unit}`;
}
