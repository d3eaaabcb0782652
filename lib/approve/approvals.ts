/** Questions that wait for humans, and the port that asks them. */
import {
  AgentguardError,
  type ApprovalAnswer,
  type ApprovalEvent,
  type ApprovalId,
  type ApprovalPort,
  type ApprovalRequest,
  type ApprovalView,
  type Approver,
  type Ballot,
  type EntryDraft,
  err,
  errorMessage,
  ok,
  type Result,
} from "../core/mod.ts";
import { Broadcast, type Subscription, type Timers } from "../task/mod.ts";
import { answeredEntry, askedEntry, operatorEntry, voteEntry } from "./entries.ts";
import {
  type ApprovalRules,
  expiringWithin,
  GUARD_STOP,
  type Held,
  INTERRUPTED,
  REQUESTER_GONE,
  UNATTENDED,
  whyNotAsked,
  whyNotCounted,
} from "./held.ts";
import { APPROVAL_LIMITS } from "./limits.ts";
import { Question, type Settlement } from "./question.ts";
import { QuestionBook } from "./question_book.ts";
import { RecentDenials } from "./recent_denials.ts";
import { StandingGrants, type StandingParts } from "./standing.ts";
import { type AnswerFacts, viewOf } from "./view.ts";
import { checkVote, countVote, type VotingParts } from "./voting.ts";

/** What approvals need. */
export interface ApprovalsParts extends StandingParts {
  readonly timers: Timers;
  readonly rules: ApprovalRules;
  /** Told of everything in the turn in which it happens; it counts as nobody who watches. */
  readonly onEvent?: (event: ApprovalEvent) => void;
}

/**
 * Asks humans and gives each question exactly one answer: theirs, that of a standing grant, or a deny by expiry, by the
 * end of the requester or by the guard. A yes is given to the one who waits when it is in the record, and not before.
 * `close` denies what waits.
 */
export class Approvals implements ApprovalPort, AsyncDisposable {
  /** What humans allowed beyond one question. */
  readonly standing: StandingGrants;
  readonly #parts: ApprovalsParts;
  readonly #book: QuestionBook = new QuestionBook();
  readonly #denials: RecentDenials = new RecentDenials();
  readonly #events: Broadcast<ApprovalEvent> = new Broadcast("approvals", { capacity: APPROVAL_LIMITS.watch_capacity });
  /** Answers on their way into the record. */
  readonly #releasing: Set<Promise<void>> = new Set();
  #rules: ApprovalRules;
  #closed = false;
  #events_open = true;

  constructor(parts: ApprovalsParts) {
    this.#parts = parts;
    this.standing = new StandingGrants(parts);
    this.#rules = parts.rules;
  }

  /** Puts other rules in force. Questions that wait keep theirs too: whoever answers must be allowed by both. */
  configure(rules: ApprovalRules): void {
    this.#rules = rules;
  }

  /** Questions that wait. */
  get pending(): number {
    return this.#book.waiting.size;
  }

  async ask(request: ApprovalRequest): Promise<ApprovalAnswer> {
    try {
      return await this.#ask(request);
    } catch (thrown) {
      const { approval_id } = request;
      this.#parts.log.error(`ask about ${approval_id}: ${errorMessage(thrown)}`);
      this.#book.forget(approval_id);
      return { approval_id, verdict: "deny", by: "guard", reason: errorMessage(thrown), held_ms: 0 };
    }
  }

  async #ask(asked: ApprovalRequest): Promise<ApprovalAnswer> {
    const { clock, timers } = this.#parts;
    const { unattended_ms } = this.#rules.settings;
    const unattended = unattended_ms !== undefined && this.#events.subscribers === 0;
    const request = unattended ? expiringWithin(asked, unattended_ms) : asked;
    const known = { closed: this.#closed, waiting: this.#book.waiting, answered: this.#book.answered };
    const now_ms = timers.nowMs();
    const refused = whyNotAsked(request, known);
    if (refused !== undefined) return this.#refuse(request, refused);
    const { promise, resolve } = Promise.withResolvers<ApprovalAnswer>();
    // The wall clock may step while the question waits; the time that is left is counted on the other one.
    const left_ms = Math.max(0, (request.expires_us - clock.wallUs()) / 1_000);
    const question = new Question(request, {
      deadline_ms: now_ms + left_ms,
      quorum: this.#rules.settings.quorum ?? 1,
    });
    const timer = timers.after(left_ms, () => this.#expire(request.approval_id));
    const held: Held = { question, ballots: [], rules: this.#rules, asked_ms: now_ms, timer, resolve };
    this.#book.open(held);
    this.#note(askedEntry(request));
    if (this.#answerByGrant(held)) return await promise;
    const at_once = this.#denials.find(request, now_ms) ??
      (unattended && unattended_ms === 0 ? UNATTENDED : undefined);
    const settled = at_once === undefined ? undefined : question.settle(at_once);
    if (settled !== undefined) void this.#answer(held, settled);
    else this.#tell("asked", held);
    return await promise;
  }

  withdraw(approval_id: ApprovalId): void {
    const held = this.#book.waiting.get(approval_id);
    const settlement = held?.question.settle(REQUESTER_GONE);
    if (held !== undefined && settlement !== undefined) void this.#answer(held, settlement);
  }

  /** Ends the questions of those for whom a signal waits: a call that waits for a person lets only SIGKILL through. */
  interrupt(waits: (request: ApprovalRequest) => boolean): void {
    for (const held of [...this.#book.waiting.values()]) {
      const settlement = waits(held.question.request) ? held.question.settle(INTERRUPTED) : undefined;
      if (settlement !== undefined) void this.#answer(held, settlement);
    }
  }

  /** The session has ended: its questions end without effect, and what was granted to it alone. */
  endSession(session_id: string): void {
    for (const { question } of [...this.#book.waiting.values()]) {
      if (question.request.session?.session_id === session_id) this.withdraw(question.request.approval_id);
    }
    this.standing.endSession(session_id);
  }

  /** Questions that wait, oldest first. */
  list(): readonly ApprovalView[] {
    return [...this.#book.waiting.values()].map((held) => this.#view(held));
  }

  /** A question that waits, or one of the last that were answered. */
  show(approval_id: string): ApprovalView | undefined {
    const held = this.#book.find(approval_id);
    return held === undefined ? undefined : this.#view(held);
  }

  /** Everything from now on. The caller disposes it. Throws `overflow` with too many watchers, and `closed`. */
  watch(): Subscription<ApprovalEvent> {
    return this.#events.subscribe();
  }

  /**
   * Somebody answers. The result is the question after it, once a decision is in the record; errors: `not_found`,
   * `permission` (not this approver, or not with this code), `busy` (answered already, or voted already), `usage`.
   */
  async vote(approval_id: string, ballot: Ballot, approver: Approver): Promise<Result<ApprovalView, AgentguardError>> {
    const { clock } = this.#parts;
    const type = ballot.verdict === "allow" ? "operator.approve" : "operator.deny";
    const command = { time_us: clock.wallUs(), target: approval_id };
    const checked = checkVote(this.#voting(), approval_id, { ballot, approver });
    if (!checked.ok) {
      this.#note(operatorEntry(type, approver, { ...command, refused: checked.error.message }));
      return checked;
    }
    const { held, counted } = checked.value;
    const result = countVote(this.#voting(), checked.value, approver);
    const why = whyNotCounted(result);
    this.#note(operatorEntry(type, approver, { ...command, ...(why === undefined ? {} : { refused: why.message }) }));
    if (result.kind === "expired") void this.#answer(held, result.settlement);
    if (why !== undefined) return err(why);
    const vote = held.question.votes.at(-1);
    if (vote !== undefined) {
      this.#note(voteEntry(held.question.request, vote, { ...counted, time_us: command.time_us }));
    }
    if (result.kind === "settled") {
      const grant_id = counted.verdict === "allow" ? this.standing.keep(held) : undefined;
      const answered = this.#answer(held, result.settlement, grant_id);
      // What waits already and is covered by the new grant need not be asked one by one.
      if (grant_id !== undefined) { for (const other of [...this.#book.waiting.values()]) this.#answerByGrant(other); }
      await answered;
    } else this.#tell("vote", held);
    return ok(this.#view(held));
  }

  /** Denies everything that waits, and lets what was allowed already out. Doing it twice is harmless. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const held of [...this.#book.waiting.values()]) {
      const settlement = held.question.settle(GUARD_STOP);
      if (settlement !== undefined) void this.#answer(held, settlement);
    }
    await Promise.all(this.#releasing);
    this.#events_open = false;
    this.#events.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #refuse(request: ApprovalRequest, settlement: Settlement): ApprovalAnswer {
    this.#note(answeredEntry(request, settlement, { time_us: this.#parts.clock.wallUs(), held_ms: 0 }));
    return { approval_id: request.approval_id, ...settlement, held_ms: 0 };
  }

  /** True if a standing grant answers the question. */
  #answerByGrant(held: Held): boolean {
    const grant = this.standing.answerFor(held.question.request);
    if (grant === undefined) return false;
    const by = `grant:${grant.grant_id}`;
    const settlement = held.question.settle({ verdict: "allow", by, reason: "a standing grant" });
    if (settlement !== undefined) void this.#answer(held, settlement, grant.grant_id);
    return settlement !== undefined;
  }

  #expire(approval_id: ApprovalId): void {
    const held = this.#book.waiting.get(approval_id);
    const settlement = held?.question.expire(Number.POSITIVE_INFINITY);
    if (held !== undefined && settlement !== undefined) void this.#answer(held, settlement);
  }

  #voting(): VotingParts {
    const { clock, timers } = this.#parts;
    return { book: this.#book, rules: this.#rules, clock, timers };
  }

  /** The question has settled: it leaves those that wait, and whoever waits gets the answer when it may be given. */
  #answer(held: Held, settlement: Settlement, grant_id?: string): Promise<void> {
    const { clock, timers } = this.#parts;
    const { request } = held.question;
    const held_ms = Math.round(timers.nowMs() - held.asked_ms);
    const facts = { settlement, held_ms, time_us: clock.wallUs(), ...(grant_id === undefined ? {} : { grant_id }) };
    this.#book.answer(held, facts);
    this.#denials.note(request, settlement, timers.nowMs());
    this.#note(answeredEntry(request, settlement, facts));
    const released = this.#release(held, facts).finally(() => this.#releasing.delete(released));
    this.#releasing.add(released);
    return released;
  }

  /** A yes that is not in the record is none. */
  async #release(held: Held, facts: AnswerFacts): Promise<void> {
    const { sink, log } = this.#parts;
    const { request } = held.question;
    let { settlement } = facts;
    if (settlement.verdict === "allow") {
      try {
        await sink.durable();
      } catch (thrown) {
        settlement = { verdict: "deny", by: "guard", reason: `the approval is not recorded: ${errorMessage(thrown)}` };
        held.answer = { settlement, time_us: facts.time_us, held_ms: facts.held_ms };
        this.standing.drop(held);
        this.#note(answeredEntry(request, settlement, facts));
        log.error(`approval ${request.approval_id} is denied: ${settlement.reason}`);
      }
    }
    held.resolve({ approval_id: request.approval_id, ...settlement, held_ms: facts.held_ms });
    this.#tell("answered", held);
  }

  /** A closed record takes nothing more: a deny is given all the same, and a yes waits for `flush`, which fails. */
  #note(draft: EntryDraft): void {
    try {
      this.#parts.sink.append(draft);
    } catch (thrown) {
      this.#parts.log.error(`record ${draft.action?.type ?? draft.kind}: ${errorMessage(thrown)}`);
    }
  }

  #tell(event: ApprovalEvent["event"], held: Held): void {
    const approval = this.#view(held);
    this.#parts.onEvent?.({ event, approval });
    if (this.#events_open) this.#events.send({ event, approval });
  }

  #view(held: Held): ApprovalView {
    const code_needed = (this.#rules.totp ?? held.rules.totp) !== undefined;
    const { answer } = held;
    const now_ms = this.#parts.timers.nowMs();
    return viewOf(held.question, { now_ms, code_needed, ...(answer === undefined ? {} : { answer }) });
  }
}
