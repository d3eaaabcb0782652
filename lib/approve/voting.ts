/** What somebody says, checked against the question, the rules and the time, and counted. */
import {
  AgentguardError,
  type Approver,
  type Ballot,
  type Clock,
  err,
  formatTime,
  ok,
  type Result,
} from "../core/mod.ts";
import type { Timers } from "../task/mod.ts";
import { checkBallot, type CheckedBallot } from "./ballot.ts";
import { type ApprovalRules, type Held, lateText, whyNotAllowed } from "./held.ts";
import type { VoteResult } from "./question.ts";
import type { QuestionBook } from "./question_book.ts";

/** What the checks look at. */
export interface VotingParts {
  readonly book: QuestionBook;
  /** Those in force now; those under which a question was asked hold too. */
  readonly rules: ApprovalRules;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** A ballot that may be counted, with its question. */
export interface CountableVote {
  readonly held: Held;
  readonly counted: CheckedBallot;
}

/**
 * Whether this ballot may be counted. What the approver may do is told first: whoever may answer nothing learns nothing
 * about what waits. A one-time code is used up by the last check, and not before.
 */
export function checkVote(
  parts: VotingParts,
  approval_id: string,
  given: { readonly ballot: Ballot; readonly approver: Approver },
): Result<CountableVote, AgentguardError> {
  const { book, rules, clock, timers } = parts;
  const { ballot, approver } = given;
  const held = book.waiting.get(approval_id);
  const why = approver.inside ?? (held === undefined ? undefined : whyNotAllowed(approver, held, { rules }));
  if (why !== undefined) return err(new AgentguardError("permission", why));
  const before = book.answered.get(approval_id)?.answer?.settlement;
  if (before !== undefined) return err(new AgentguardError("busy", lateText(before)));
  if (held === undefined) {
    return err(new AgentguardError("not_found", `use the id of a question that waits, not ${approval_id}`));
  }
  const counted = checkBallot(ballot, held.question.request);
  if (!counted.ok) return counted;
  const totp = ballot.verdict === "allow" ? rules.totp ?? held.rules.totp : undefined;
  const at = { wall_us: clock.wallUs(), now_ms: timers.nowMs() };
  const code = totp === undefined ? ok(undefined) : totp.take(ballot.code, at);
  if (!code.ok) return err(new AgentguardError("permission", code.error));
  return ok({ held, counted: counted.value });
}

/** Counts it. */
export function countVote(parts: VotingParts, { held, counted }: CountableVote, approver: Approver): VoteResult {
  const { clock, timers } = parts;
  const { id: by, verified } = approver;
  const vote = { by, verified, verdict: counted.verdict, time: formatTime(clock.wallUs()) };
  const result = held.question.vote(vote, { now_ms: timers.nowMs(), reason: counted.reason });
  if (result.kind === "counted" || result.kind === "settled") held.ballots.push(counted);
  return result;
}
