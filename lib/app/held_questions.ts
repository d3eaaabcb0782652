/** Held calls that wait for somebody's answer. They cost memory and a descriptor each, and no processor time. */
import { approvalDigest, type ApprovalId, type ApprovalRequest, type Decision, type Ruling } from "../core/mod.ts";
import type { PolicySnapshot } from "../decide/mod.ts";
import type { HeldLedger } from "./held_ledger.ts";
import type { HeldWork } from "./held_work.ts";

/** One that waits. */
export interface HeldQuestion {
  readonly approval_id: ApprovalId;
  readonly work: HeldWork;
  readonly decision: Decision;
  readonly asked_us: number;
  /** Becomes readable when the caller's process ends; -1 where it had ended already. */
  readonly pidfd: number;
}

/** Calls that may wait at once; what is over is refused. */
export const QUESTIONS_MAX = 4_096;

/** Every question by its approval, its caller and its listener. */
export class HeldQuestions {
  readonly #by_id: Map<ApprovalId, HeldQuestion> = new Map();
  readonly #by_pidfd: Map<number, HeldQuestion> = new Map();
  readonly #ledgerOf: (listener: number) => HeldLedger | undefined;

  /** `ledgerOf`: where what waits at a listener is noted too. */
  constructor(ledgerOf: (listener: number) => HeldLedger | undefined) {
    this.#ledgerOf = ledgerOf;
  }

  /** How many wait. */
  get size(): number {
    return this.#by_id.size;
  }

  /** Adds one. */
  put(question: HeldQuestion): void {
    this.#by_id.set(question.approval_id, question);
    if (question.pidfd >= 0) this.#by_pidfd.set(question.pidfd, question);
    const { listener, call: { id } } = question.work;
    if (id !== undefined) this.#ledgerOf(listener)?.waits(id);
  }

  /** Takes one out: from then on it is the caller's to answer. */
  take(approval_id: ApprovalId): HeldQuestion | undefined {
    const question = this.#by_id.get(approval_id);
    if (question === undefined) return undefined;
    this.#by_id.delete(approval_id);
    this.#by_pidfd.delete(question.pidfd);
    const { listener, call: { id } } = question.work;
    if (id !== undefined) this.#ledgerOf(listener)?.answered(id);
    return question;
  }

  /** The question of the process that the descriptor is open on. */
  ofPidfd(pidfd: number): HeldQuestion | undefined {
    return this.#by_pidfd.get(pidfd);
  }

  /** Those of one listener, or all. */
  of(listener?: number): readonly HeldQuestion[] {
    return [...this.#by_id.values()].filter((each) => listener === undefined || each.work.listener === listener);
  }
}

/** An unanswered question is denied after this, where the policy does not say. */
const TIMEOUT_MS = 300_000;

/** What is put to a human. */
export function questionOf(question: HeldQuestion, ruling: Ruling, policy: PolicySnapshot): ApprovalRequest {
  const { work, work: { event }, decision, approval_id, asked_us } = question;
  const timeout_ms = policy.rules[ruling.rule_index]?.approval_timeout_ms ?? policy.approval.timeout_ms ?? TIMEOUT_MS;
  return {
    approval_id,
    decision_id: decision.decision_id,
    action: event.action,
    ...(event.session === undefined ? undefined : { session: event.session }),
    ...(event.process === undefined ? undefined : { process: event.process }),
    digest: approvalDigest(event),
    policy: decision.policy,
    ...(ruling.rule === undefined ? undefined : { rule: ruling.rule }),
    reason: ruling.reason,
    ...(event.risk === undefined ? undefined : { risk: event.risk }),
    held_by: work.mechanism,
    asked_us,
    expires_us: asked_us + timeout_ms * 1000,
  };
}
