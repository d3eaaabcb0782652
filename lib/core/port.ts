/**
 * The arrows between the stages, as types. A stage implements one of these and knows nobody else;
 * they meet only in `lib/pipeline`, put together by `lib/app`.
 */
import type { Decision, KernelVerdict, Ruling } from "./decision.ts";
import type { EntryDraft } from "./entry.ts";
import type { Event } from "./event.ts";
import type { Outcome } from "./outcome.ts";

/** Decides. Pure: the same event against the same policy gives the same ruling. Never throws: an error is a deny. */
export interface Decider {
  evaluate(event: Event): Ruling;
}

/** Brings a decision about and says what came of it. */
export interface Actor {
  perform(event: Event, decision: Decision): Outcome;
}

/** Takes entries in order. `append` never blocks the caller and never loses an entry silently. */
export interface RecordSink {
  append(draft: EntryDraft): void;
  /** Entries accepted and not yet durable. */
  pending(): number;
  /** Settles when everything appended so far is durable; rejects if it cannot become so. */
  flush(): Promise<void>;
  /**
   * Settles when the entry appended last, and so every one before it, is durable: what releases an action of high risk
   * waits for this, called in the turn of the append. Rejects as `flush` does, at once while the record cannot be
   * written, and with `cancelled` when `signal` aborts first: each rejection means deny.
   */
  durable(signal?: AbortSignal): Promise<void>;
}

/** What the kernel and the snapshot disagree on, for an alarm. */
export interface VerdictMismatch {
  readonly kernel: KernelVerdict;
  readonly ruling: Ruling;
}
