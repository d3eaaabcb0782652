/** Questions as they are shown. */
import { type ApprovalView, formatTime, type WallUs } from "../core/mod.ts";
import { matchHint } from "./match.ts";
import type { Question, Settlement } from "./question.ts";

/** The answer of a question as it was given. */
export interface AnswerFacts {
  /** What the question settled on, or a deny where that could not be recorded. */
  readonly settlement: Settlement;
  readonly time_us: WallUs;
  readonly held_ms: number;
  readonly grant_id?: string;
}

/** The view of a question. `left_ms` is what is left of a pending one. */
export function viewOf(
  question: Question,
  facts: { readonly now_ms: number; readonly code_needed: boolean; readonly answer?: AnswerFacts },
): ApprovalView {
  const { asked_us, expires_us, ...request } = question.request;
  const { answer } = facts;
  const hint = matchHint(request.action);
  return {
    ...request,
    state: answer === undefined ? "pending" : answer.settlement.verdict === "allow" ? "allowed" : "denied",
    asked: formatTime(asked_us),
    expires: formatTime(expires_us),
    left_ms: answer === undefined ? Math.max(0, Math.round(question.deadline_ms - facts.now_ms)) : 0,
    quorum: question.quorum,
    votes: [...question.votes],
    code_needed: facts.code_needed,
    ...(hint === undefined ? {} : { match_hint: hint }),
    ...(answer === undefined ? {} : {
      answer: {
        ...answer.settlement,
        time: formatTime(answer.time_us),
        held_ms: answer.held_ms,
        ...(answer.grant_id === undefined ? {} : { grant_id: answer.grant_id }),
      },
    }),
  };
}
