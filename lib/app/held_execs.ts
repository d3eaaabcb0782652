/** Held program starts: found out about, decided, answered. */
import { execGrant, processStart } from "../act/mod.ts";
import {
  type ApprovalAnswer,
  type ApprovalRequest,
  type Clock,
  type Decision,
  type DecisionId,
  errorMessage,
  type Event,
  type IdGenerator,
  type Outcome,
  type RecordSink,
  type Ruling,
  type SessionInfo,
} from "../core/mod.ts";
import type { PolicySnapshot } from "../decide/mod.ts";
import type { HeldCall, HeldCalls, HeldProgram, SystemCalls } from "../../ffi/mod.ts";
import { HeldCallers, heldExecEvent } from "../source/mod.ts";
import { type HeldQuestion, HeldQuestions, questionOf, QUESTIONS_MAX } from "./held_questions.ts";
import type { HolderMaps, HoldStatName } from "./holder_protocol.ts";
import { decisionEntry, decisionOf, outcomeEntry } from "./holder_record.ts";

/** What answering needs. */
export interface HeldExecsParts {
  readonly calls: HeldCalls;
  readonly system: SystemCalls;
  readonly maps: HolderMaps;
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
}

/** A ruling; `decided` where whoever ruled remembers it under this id. */
export interface HeldRuling {
  readonly ruling: Ruling;
  readonly decided?: DecisionId;
}

const EPERM = 1;
/** How long after its release a program may come up, microseconds: its file may be far away. */
const GRANT_US = 60_000_000;
/**
 * What the kernel itself finds when it goes on: there is nothing to decide. Should it find a program after all, that is
 * killed for want of a grant.
 */
const KERNEL_FINDS: ReadonlySet<string> = new Set(
  ["ENOENT", "ENOTDIR", "EACCES", "ELOOP", "ENAMETOOLONG", "EFAULT", "EBADF", "ENOEXEC", "ESRCH", "E2BIG"],
);

/** Where a call waits. */
interface Waiting {
  readonly listener: number;
  readonly call: HeldCall;
  readonly program: HeldProgram;
  readonly event: Event;
}

/** Answers the program starts of all sessions, on one thread. */
export class HeldExecs {
  readonly questions: HeldQuestions = new HeldQuestions();
  readonly #parts: HeldExecsParts;
  readonly #callers: HeldCallers;

  constructor(parts: HeldExecsParts) {
    this.#parts = parts;
    this.#callers = new HeldCallers(parts.calls, parts.maps.scopes_fd);
  }

  /** Takes the start that was received last. */
  take(listener: number, session: SessionInfo, call: HeldCall): void {
    const { calls, clock } = this.#parts;
    const found = calls.program(listener);
    const time_us = clock.wallUs();
    if (!found.ok) {
      if (KERNEL_FINDS.has(found.error)) calls.release(listener, call.id);
      else this.#refuseUnread(listener, session, call, found.error);
      return;
    }
    const program = found.value;
    const event = heldExecEvent({ time_us, session, call, start: this.#start(call), program });
    const waiting: Waiting = { listener, call, program, event };
    const ruled = this.#parts.decide(event);
    if (ruled instanceof Promise) {
      void ruled.then((late) => this.#ruled(waiting, late));
    } else this.#ruled(waiting, ruled);
  }

  /** Somebody answered, or the time for it is over. */
  async answer(answer: ApprovalAnswer): Promise<void> {
    const question = this.questions.take(answer.approval_id);
    if (question === undefined) return; // the caller has gone meanwhile
    const { sink, clock } = this.#parts;
    const held_ms = Math.max(0, (clock.wallUs() - question.asked_us) / 1000);
    const who = { held_ms, approval_id: answer.approval_id, by: answer.by };
    this.#forget(question);
    if (answer.verdict === "deny") {
      this.#refuse(question, question.decision, who);
      return;
    }
    try {
      await sink.durable();
    } catch (error) {
      this.#refuse(question, question.decision, { ...who, error: `not let go, not durable: ${errorMessage(error)}` });
      return;
    }
    this.#release(question, { approved: question.decision.decision_id, who });
  }

  /** The process behind a watched descriptor ended: its questions end with it. */
  ended(pidfd: number): void {
    const question = this.questions.ofPidfd(pidfd);
    if (question !== undefined) this.#abandon(question);
  }

  /** Ends the questions whose caller does not wait any more: a signal, or an exec of another thread, took it away. */
  sweep(): void {
    for (const question of this.questions.of()) {
      if (!this.#parts.calls.waits(question.listener, question.call.id)) this.#abandon(question);
    }
  }

  /** Refuses everything that waits at `listener`, or at all. */
  refuseAll(by: string, listener?: number): void {
    for (const question of this.questions.of(listener)) {
      this.questions.take(question.approval_id);
      this.#forget(question);
      this.#parts.withdraw(question);
      const held_ms = Math.max(0, (this.#parts.clock.wallUs() - question.asked_us) / 1000);
      this.#refuse(question, question.decision, { held_ms, approval_id: question.approval_id, by });
    }
  }

  #ruled(waiting: Waiting, { ruling, decided }: HeldRuling): void {
    switch (ruling.verdict) {
      case "deny":
        this.#decide(waiting, ruling);
        return;
      case "ask":
        this.#ask(waiting, ruling);
        return;
      default:
        // The record of the start itself is the observation of this one.
        this.#release(waiting, decided === undefined ? {} : { decided });
    }
  }

  #decide(waiting: Waiting, ruling: Ruling): void {
    const decision = decisionOf(this.#parts.ids.decision(), ruling, this.#parts.policy().ref);
    this.#parts.sink.append(decisionEntry(waiting.event, decision));
    this.#refuse(waiting, decision, {});
  }

  #ask(waiting: Waiting, ruling: Ruling): void {
    const { ids, sink, clock, system } = this.#parts;
    this.#parts.count("asked", 1);
    const { event, call } = waiting;
    const policy = this.#parts.policy();
    const decision = decisionOf(ids.decision(), ruling, policy.ref);
    sink.append(decisionEntry(event, decision));
    if (this.questions.size >= QUESTIONS_MAX) {
      this.#refuse(waiting, decision, { error: `${QUESTIONS_MAX} calls wait for an answer already` });
      return;
    }
    const approval_id = ids.approval();
    const asked_us = clock.wallUs();
    const pidfd = system.pidfdOpen(call.tgid);
    const question: HeldQuestion = { ...waiting, approval_id, decision, asked_us, pidfd };
    this.questions.put(question);
    this.#parts.count("waiting", 1);
    if (pidfd >= 0) this.#parts.watch(pidfd);
    this.#parts.ask(questionOf(question, ruling, policy));
  }

  /** Lets a start go: the grant first, so that the kernel finds it. */
  #release(
    waiting: Waiting,
    terms: { readonly decided?: DecisionId; readonly approved?: DecisionId; readonly who?: Partial<Outcome> },
  ): void {
    const { calls, maps, system, clock, sink } = this.#parts;
    const { listener, call, program, event } = waiting;
    const { decided, approved, who } = terms;
    const expires_us = system.bootUs() + GRANT_US;
    const key = maps.by_process ? call.tgid : call.tid;
    try {
      const grant = execGrant(program, {
        nr: call.nr,
        expires_us,
        decided: approved ?? decided,
        approved: approved !== undefined,
      });
      calls.grant(maps.grants_fd, key, grant);
    } catch (error) {
      this.#decide(waiting, {
        verdict: "deny",
        rule_index: -1,
        reason: `it cannot be let go safely: ${errorMessage(error)}`,
        mode: "enforce",
      });
      return;
    }
    const gone = !calls.release(listener, call.id);
    if (gone) calls.revoke(maps.grants_fd, key);
    if (approved === undefined) return;
    const outcome: Outcome = {
      decision_id: approved,
      label: gone ? "prevented" : "held",
      mechanism: "seccomp",
      ...who,
      ...(gone ? { error: CALLER_GONE } : undefined),
    };
    sink.append(outcomeEntry(event, outcome, clock.wallUs()));
  }

  #refuse(waiting: Waiting, { decision_id }: Decision, more: Partial<Outcome>): void {
    const { calls, clock, sink } = this.#parts;
    const there = calls.refuse(waiting.listener, waiting.call.id, EPERM);
    this.#parts.count("denied", 1);
    const outcome: Outcome = {
      decision_id,
      label: "prevented",
      mechanism: "seccomp",
      ...more,
      ...(there ? undefined : { error: CALLER_GONE }),
    };
    sink.append(outcomeEntry(waiting.event, outcome, clock.wallUs()));
  }

  #abandon(question: HeldQuestion): void {
    this.questions.take(question.approval_id);
    this.#forget(question);
    this.#parts.withdraw(question);
    const held_ms = Math.max(0, (this.#parts.clock.wallUs() - question.asked_us) / 1000);
    const { approval_id } = question;
    this.#refuse(question, question.decision, { held_ms, approval_id, by: "requester-gone" });
  }

  /** Gives back what a question holds. */
  #forget({ pidfd }: HeldQuestion): void {
    this.#parts.count("waiting", -1);
    if (pidfd < 0) return;
    this.#parts.unwatch(pidfd);
    this.#parts.system.close(pidfd);
  }

  /** Nothing could be found out: refused, because the guard cannot decide. */
  #refuseUnread(listener: number, session: SessionInfo, call: HeldCall, errno: string): void {
    const process = { pid: call.tgid, start: this.#start(call), ppid: call.ppid, uid: call.uid };
    const event: Event = {
      time_us: this.#parts.clock.wallUs(),
      session,
      process,
      action: { type: "exec", path: "", argv: [], missing: ["path", "argv"] },
      held: true,
    };
    const reason = `what would start cannot be found out: ${errno}`;
    const decision = decisionOf(
      this.#parts.ids.decision(),
      { verdict: "deny", rule_index: -1, reason, mode: "enforce" },
      this.#parts.policy().ref,
    );
    this.#parts.count("denied", 1);
    this.#parts.sink.append(decisionEntry(event, decision));
    const there = this.#parts.calls.refuse(listener, call.id, EPERM);
    const outcome: Outcome = {
      decision_id: decision.decision_id,
      label: "prevented",
      mechanism: "seccomp",
      error: there ? errno : CALLER_GONE,
    };
    this.#parts.sink.append(outcomeEntry(event, outcome, this.#parts.clock.wallUs()));
  }

  /** Start of the caller's process as the probes tell it. */
  #start({ tgid }: HeldCall): string {
    return this.#callers.start(tgid) ?? processStart(tgid);
  }
}

const CALLER_GONE = "the caller had gone";
