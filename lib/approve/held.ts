/** A question that is open, with what belongs to it, and the checks that need no state. */
import {
  AgentguardError,
  type ApprovalAnswer,
  approvalDigest,
  type ApprovalRequest,
  type ApprovalSettings,
  type Approver,
} from "../core/mod.ts";
import type { CheckedBallot } from "./ballot.ts";
import { whyNotEligible } from "./eligible.ts";
import { APPROVAL_LIMITS } from "./limits.ts";
import type { Question, Settlement, VoteResult } from "./question.ts";
import type { TotpChecker } from "./totp.ts";
import type { AnswerFacts } from "./view.ts";

/** What the policy says of approvals, with its secrets read. */
export interface ApprovalRules {
  readonly settings: ApprovalSettings;
  /** Present where every yes needs a one-time code. */
  readonly totp?: TotpChecker;
}

/** A question and what belongs to it. */
export interface Held {
  readonly question: Question;
  /** Of those who said yes, in their order. */
  readonly ballots: CheckedBallot[];
  /** As they were when it was asked; what is in force when somebody votes holds too. */
  readonly rules: ApprovalRules;
  /** Monotonic milliseconds. */
  readonly asked_ms: number;
  /** Denies it when its time is over. */
  readonly timer: Disposable;
  readonly resolve: (answer: ApprovalAnswer) => void;
  answer?: AnswerFacts;
}

/** The one that waited was killed, or its call was interrupted. */
export const REQUESTER_GONE: Settlement = {
  verdict: "deny",
  by: "requester-gone",
  reason: "the process that asked is gone",
};

/** A signal waits for the process that asks: only the end of its call lets it arrive. */
export const INTERRUPTED: Settlement = {
  verdict: "deny",
  by: "interrupted",
  reason: "a signal waits for the process that asks",
};

/** The guard ends in order. */
export const GUARD_STOP: Settlement = { verdict: "deny", by: "guard-stop", reason: "the guard stops" };

/** Nobody was there to be told, and the policy does not wait for somebody then. */
export const UNATTENDED: Settlement = {
  verdict: "deny",
  by: "unattended",
  reason: "nobody watches for questions, and [approval] unattended denies then",
};

/** The question with an end no later than `within_ms` after it was asked. */
export function expiringWithin(request: ApprovalRequest, within_ms: number): ApprovalRequest {
  return { ...request, expires_us: Math.min(request.expires_us, request.asked_us + within_ms * 1_000) };
}

/** What denies a question before anybody is asked; `undefined` where somebody is. */
export function whyNotAsked(
  request: ApprovalRequest,
  known: {
    readonly closed: boolean;
    readonly waiting: ReadonlyMap<string, Held>;
    readonly answered: ReadonlyMap<string, Held>;
  },
): Settlement | undefined {
  if (known.closed) return GUARD_STOP;
  const deny = (reason: string): Settlement => ({ verdict: "deny", by: "guard", reason });
  const { approval_id, session } = request;
  if (approvalDigest(request) !== request.digest) return deny("the digest is not that of the action");
  if (known.waiting.has(approval_id) || known.answered.has(approval_id)) return deny("it was asked before");
  const { pending_max, pending_per_session_max } = APPROVAL_LIMITS;
  if (known.waiting.size >= pending_max) return deny(`${pending_max} questions wait already`);
  let of_session = 0;
  for (const { question } of known.waiting.values()) {
    if (question.request.session?.session_id === session?.session_id) of_session++;
  }
  if (of_session < pending_per_session_max) return undefined;
  return deny(`${pending_per_session_max} questions of this session wait already`);
}

/** Why this approver may not answer: both the rules that it was asked under and those in force must let them. */
export function whyNotAllowed(
  approver: Approver,
  held: Held,
  now: { readonly rules: ApprovalRules },
): string | undefined {
  const { request } = held.question;
  return whyNotEligible(approver, request, held.rules.settings) ??
    whyNotEligible(approver, request, now.rules.settings);
}

/** The error of a vote that did not count; `undefined` where it did. */
export function whyNotCounted(result: VoteResult): AgentguardError | undefined {
  switch (result.kind) {
    case "counted":
    case "settled":
      return undefined;
    case "twice":
      return new AgentguardError("busy", "leave it to the others: you have voted on this question already");
    case "expired":
    case "late":
      return new AgentguardError("busy", lateText(result.settlement));
  }
}

/** What to say to somebody who came too late. */
export function lateText({ verdict, by }: Settlement): string {
  return `look at the answer (approvals show): it was ${verdict === "allow" ? "allowed" : "denied"} already by ${by}`;
}
