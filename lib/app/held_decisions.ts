/** Decides held calls: records, refuses, lets go, asks. */
import {
  type ApprovalAnswer,
  type ApprovalRequest,
  type Clock,
  type Decision,
  errorMessage,
  type Event,
  type IdGenerator,
  type Outcome,
  type RecordSink,
  type Ruling,
} from "../core/mod.ts";
import type { PolicySnapshot } from "../decide/mod.ts";
import type { SystemCalls } from "../../ffi/mod.ts";
import type { HeldLedger } from "./held_ledger.ts";
import { type HeldQuestion, HeldQuestions, questionOf, QUESTIONS_MAX } from "./held_questions.ts";
import type { HeldRuling, HeldWork, ReleaseTerms } from "./held_work.ts";
import type { HoldStatName } from "./holder_protocol.ts";
import { decisionEntry, decisionOf, doneEntry, outcomeEntry } from "./holder_record.ts";

/** What deciding needs. */
export interface HeldDecisionsParts {
  readonly system: SystemCalls;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  readonly sink: RecordSink;
  readonly policy: () => PolicySnapshot;
  /** Decides; later where the past has to be asked. Never rejects. */
  readonly decide: (event: Event) => HeldRuling | Promise<HeldRuling>;
  readonly ask: (request: ApprovalRequest) => void;
  readonly withdraw: (question: HeldQuestion) => void;
  readonly count: (name: HoldStatName, by: number) => void;
  /** The wait also ends when this descriptor is readable. */
  readonly watch: (pidfd: number) => void;
  readonly unwatch: (pidfd: number) => void;
  /** Where what waits at a listener is noted too; `undefined` where nobody reads it. */
  readonly ledgerOf: (listener: number) => HeldLedger | undefined;
}

const CALLER_GONE = "the caller had gone";
const CALLER_LEFT = "done; the caller has no result that says so";

/** The decisions of one thread. */
export class HeldDecisions {
  readonly questions: HeldQuestions;
  readonly #parts: HeldDecisionsParts;

  constructor(parts: HeldDecisionsParts) {
    this.#parts = parts;
    this.questions = new HeldQuestions(parts.ledgerOf);
  }

  /** Decides a call. `first` is what is known about it beside what the policy says of its event; the stricter holds. */
  submit(work: HeldWork, first?: Ruling): void {
    const ruled = this.#parts.decide(work.event);
    if (ruled instanceof Promise) void ruled.then((late) => this.#ruled(work, late, first));
    else this.#ruled(work, ruled, first);
  }

  /** Records a change that was done, and whose caller has no record that says so. */
  done(event: Event): void {
    this.#parts.sink.append(doneEntry(event));
  }

  /** Refuses a call about which nothing could be found out. */
  refuseUnread(work: HeldWork, reason: string): void {
    this.#deny(work, { verdict: "deny", rule_index: -1, reason, mode: "enforce" });
  }

  /** Somebody answered, or the time for it is over. */
  async answer(answer: ApprovalAnswer): Promise<void> {
    const question = this.questions.take(answer.approval_id);
    if (question === undefined) return; // the caller has gone meanwhile
    const who = { held_ms: this.#heldMs(question), approval_id: answer.approval_id, by: answer.by };
    this.#forget(question);
    const { work, decision } = question;
    if (answer.verdict === "deny") {
      this.#refuse(work, decision, who);
      return;
    }
    try {
      await this.#parts.sink.durable();
    } catch (error) {
      this.#refuse(work, decision, { ...who, error: `not let go, not durable: ${errorMessage(error)}` });
      return;
    }
    this.#approve(work, decision, who);
  }

  /** The process behind a watched descriptor ended: its question ends with it. */
  ended(pidfd: number): void {
    const question = this.questions.ofPidfd(pidfd);
    if (question !== undefined) this.#abandon(question, "requester-gone");
  }

  /** Ends the questions whose caller does not wait any more: a signal, or an exec of another thread, took it away. */
  sweep(): void {
    for (const question of this.questions.of()) {
      if (!question.work.waits()) this.#abandon(question, "requester-gone");
    }
  }

  /** Refuses everything that waits at `listener`, or at all. */
  refuseAll(by: string, listener?: number): void {
    for (const question of this.questions.of(listener)) this.#abandon(question, by);
  }

  #ruled(asked: HeldWork, { ruling, decided, action }: HeldRuling, first: Ruling | undefined): void {
    const work = action === undefined ? asked : { ...asked, event: { ...asked.event, action } };
    const strict = first !== undefined && rank(first) > rank(ruling) ? first : ruling;
    switch (strict.verdict) {
      case "deny":
        this.#deny(work, strict);
        return;
      case "ask":
        this.#ask(work, strict);
        return;
      default:
        // The record of the call itself is the observation of this one.
        this.#release(work, decided === undefined ? { approved: false } : { decided, approved: false });
    }
  }

  #deny(work: HeldWork, ruling: Ruling): void {
    const decision = decisionOf(this.#parts.ids.decision(), ruling, this.#parts.policy().ref);
    this.#parts.sink.append(decisionEntry(work.event, decision));
    this.#refuse(work, decision, {});
  }

  #ask(work: HeldWork, ruling: Ruling): void {
    const { ids, sink, clock, system } = this.#parts;
    this.#parts.count("asked", 1);
    const policy = this.#parts.policy();
    const decision = decisionOf(ids.decision(), ruling, policy.ref);
    sink.append(decisionEntry(work.event, decision));
    if (this.questions.size >= QUESTIONS_MAX) {
      this.#refuse(work, decision, { error: `${QUESTIONS_MAX} calls wait for an answer already` });
      return;
    }
    const pidfd = system.pidfdOpen(work.call.tgid);
    const question: HeldQuestion = { work, approval_id: ids.approval(), decision, asked_us: clock.wallUs(), pidfd };
    this.questions.put(question);
    this.#parts.count("waiting", 1);
    if (pidfd >= 0) this.#parts.watch(pidfd);
    this.#parts.ask(questionOf(question, ruling, policy));
  }

  #release(work: HeldWork, terms: ReleaseTerms): void {
    const released = work.release(terms);
    if (released.kind === "unsafe") this.refuseUnread(work, `it cannot be let go safely: ${released.reason}`);
    if (released.kind === "left") this.done(work.event);
  }

  #approve(work: HeldWork, decision: Decision, who: Partial<Outcome>): void {
    const { decision_id } = decision;
    const released = work.release({ decided: decision_id, approved: true });
    if (released.kind === "unsafe") {
      this.#refuse(work, decision, { ...who, error: released.reason });
      return;
    }
    const gone = released.kind === "gone";
    this.#outcome(work, {
      decision_id,
      label: gone ? "prevented" : "held",
      mechanism: work.mechanism,
      ...who,
      ...(gone ? { error: CALLER_GONE } : undefined),
      ...(released.kind === "left" ? { error: CALLER_LEFT } : undefined),
    });
  }

  #refuse(work: HeldWork, { decision_id }: Decision, more: Partial<Outcome>): void {
    this.#parts.count("denied", 1);
    const there = work.refuse(decision_id);
    this.#outcome(work, {
      decision_id,
      label: "prevented",
      mechanism: work.mechanism,
      ...more,
      ...(there ? undefined : { error: CALLER_GONE }),
    });
  }

  #outcome(work: HeldWork, outcome: Outcome): void {
    this.#parts.sink.append(outcomeEntry(work.event, outcome, this.#parts.clock.wallUs()));
  }

  #abandon(question: HeldQuestion, by: string): void {
    const { approval_id, work, decision } = question;
    this.questions.take(approval_id);
    this.#forget(question);
    this.#parts.withdraw(question);
    this.#refuse(work, decision, { held_ms: this.#heldMs(question), approval_id, by });
  }

  #heldMs({ asked_us }: HeldQuestion): number {
    return Math.max(0, (this.#parts.clock.wallUs() - asked_us) / 1000);
  }

  /** Gives back what a question holds. */
  #forget({ pidfd }: HeldQuestion): void {
    this.#parts.count("waiting", -1);
    if (pidfd < 0) return;
    this.#parts.unwatch(pidfd);
    this.#parts.system.close(pidfd);
  }
}

function rank({ verdict }: Ruling): number {
  return verdict === "deny" ? 2 : verdict === "ask" ? 1 : 0;
}
