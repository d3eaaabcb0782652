/** Tells others of questions and answers, and carries back what they answer. */
import { type ApprovalEvent, errorMessage, type Log } from "../core/mod.ts";
import { retry, Semaphore, type Subscription } from "../task/mod.ts";
import { APPROVAL_LIMITS } from "./limits.ts";
import type { SignedText } from "./webhook.ts";

/** Somebody who is told. */
export interface NoticeTarget {
  readonly name: string;
  /** One try. What it gives is an answer to the question. */
  send(event: ApprovalEvent, signal: AbortSignal): Promise<SignedText | undefined>;
}

/** What a notifier needs. */
export interface NotifierParts {
  readonly targets: readonly NoticeTarget[];
  /** The notifier closes it. */
  readonly events: Subscription<ApprovalEvent>;
  readonly log: Log;
  readonly onReply: (event: ApprovalEvent, reply: SignedText) => void;
  /** Every try has failed. */
  readonly onUndelivered: (event: ApprovalEvent, target: string, reason: string) => void;
  /** Delay after the first failure, milliseconds; 500 by default. */
  readonly base_ms?: number;
}

/** Delivers each notice to each target, several times if need be, and never holds anything up. */
export class Notifier implements AsyncDisposable {
  readonly #parts: NotifierParts;
  readonly #places = new Semaphore("notices", APPROVAL_LIMITS.notices_at_once);
  readonly #end = new AbortController();
  readonly #work: Set<Promise<void>> = new Set();
  #loop: Promise<void> = Promise.resolve();

  constructor(parts: NotifierParts) {
    this.#parts = parts;
  }

  /** Delivers from now on. */
  start(): void {
    this.#loop = this.#run();
  }

  /** Gives up what was not delivered yet. */
  async close(): Promise<void> {
    this.#parts.events.close();
    this.#end.abort();
    await this.#loop;
    await Promise.all(this.#work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    for await (const item of this.#parts.events) {
      if (item.kind === "lagged") this.#parts.log.warn(`${item.missed} notices of approvals were not sent: too many`);
      else if (item.value.event !== "vote") {
        for (const target of this.#parts.targets) this.#begin(item.value, target);
      }
    }
  }

  #begin(event: ApprovalEvent, target: NoticeTarget): void {
    if (this.#work.size >= APPROVAL_LIMITS.notices_waiting_max) {
      return this.#parts.onUndelivered(event, target.name, "too many notices wait already");
    }
    const work = this.#deliver(event, target).finally(() => this.#work.delete(work));
    this.#work.add(work);
  }

  /** Never rejects. */
  async #deliver(event: ApprovalEvent, target: NoticeTarget): Promise<void> {
    const { signal } = this.#end;
    try {
      using _place = await this.#places.acquire(signal);
      const reply = await this.#send(event, target);
      if (reply !== undefined) this.#parts.onReply(event, reply);
    } catch (thrown) {
      if (signal.aborted) return;
      const reason = errorMessage(thrown);
      this.#parts.log.error(`tell ${target.name} of approval ${event.approval.approval_id}: ${reason}`);
      this.#parts.onUndelivered(event, target.name, reason);
    }
  }

  #send(event: ApprovalEvent, target: NoticeTarget): Promise<SignedText | undefined> {
    return retry(
      (_attempt, signal) =>
        target.send(event, AbortSignal.any([signal, AbortSignal.timeout(APPROVAL_LIMITS.notice_ms_max)])),
      {
        attempts_max: APPROVAL_LIMITS.notice_attempts_max,
        base_ms: this.#parts.base_ms ?? 500,
        delay_ms_max: 10_000,
        signal: this.#end.signal,
      },
    );
  }
}
