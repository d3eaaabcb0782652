/** What an approver says, checked before it counts. */
import {
  AgentguardError,
  type ApprovalRequest,
  type Ballot,
  canonicalJson,
  err,
  type GrantTerm,
  ok,
  type Result,
} from "../core/mod.ts";
import { scopeText } from "./entries.ts";
import { APPROVAL_LIMITS } from "./limits.ts";
import { type GrantSubject, grantSubject } from "./match.ts";

/** A ballot that can be counted. */
export interface CheckedBallot {
  readonly verdict: "allow" | "deny";
  readonly reason: string;
  readonly term: GrantTerm;
  /** What a standing grant would cover; absent for `once` and for a no. */
  readonly subject?: GrantSubject;
  /** The term in words. */
  readonly scope: string;
}

/** Checks a ballot on an action. The error is `usage` and says what to write instead. */
export function checkBallot(
  ballot: Ballot,
  request: Pick<ApprovalRequest, "action" | "session">,
): Result<CheckedBallot, AgentguardError> {
  const { verdict, match } = ballot;
  const reason = ballot.reason ?? "";
  const term = ballot.grant ?? { term: "once" };
  if (reason.length > APPROVAL_LIMITS.reason_chars_max) {
    return refused(`use a reason of at most ${APPROVAL_LIMITS.reason_chars_max} characters`);
  }
  if (verdict === "deny") {
    if (ballot.grant !== undefined || match !== undefined) return refused("deny without a term or a pattern");
    return ok({ verdict, reason, term, scope: "once" });
  }
  if (term.term === "once") {
    if (match !== undefined) return refused("give a term with the pattern: session, a duration or always");
    return ok({ verdict, reason, term, scope: "once" });
  }
  if (term.term === "duration" && !(term.duration_ms > 0 && term.duration_ms <= APPROVAL_LIMITS.grant_ms_max)) {
    return refused("use a duration of more than zero and at most 365 days");
  }
  if (request.session === undefined) return refused("approve this one only once: the question is of no session");
  const subject = grantSubject(request.action, match);
  if (!subject.ok) return refused(subject.error);
  return ok({ verdict, reason, term, subject: subject.value, scope: scopeText(term, match) });
}

/** The term that all who said yes agree on; `undefined` where they differ or said `once`. */
export function agreedTerm(ballots: readonly CheckedBallot[]): CheckedBallot | undefined {
  const first = ballots[0];
  if (first?.subject === undefined) return undefined;
  const wanted = ({ term, subject }: CheckedBallot): string => canonicalJson({ term, subject });
  return ballots.every((ballot) => wanted(ballot) === wanted(first)) ? first : undefined;
}

function refused(message: string): Result<CheckedBallot, AgentguardError> {
  return err(new AgentguardError("usage", message));
}
