/** The one answer to somebody who waits. */
import { onAbort } from "./abort.ts";
import { durationBound } from "./bound.ts";
import { systemTimers, type Timers } from "./timers.ts";

/** When a reply expires: at whichever comes first. Without any of them only `dispose` expires it. */
export interface ReplyOptions {
  /** Time until it expires, milliseconds, 0 or more. */
  readonly deadline_ms?: number;
  /** Default `systemTimers`. */
  readonly timers?: Timers;
  /** Expires the reply when it aborts. */
  readonly signal?: AbortSignal;
}

/** How a reply stands. */
export type ReplyState = "pending" | "settled" | "expired";

/**
 * Is settled exactly once: by `settle`, or by expiry with the value that stands for "no answer" (a deny, where a
 * verdict is awaited). `promise` never rejects. Later settles return false and are counted. A reply that is given up
 * (`using`) expires, so that nobody waits for ever.
 */
export class Reply<T> implements Disposable {
  /** The answer, or the expiry value. Never rejects. */
  readonly promise: Promise<T>;
  readonly #expired_value: T;
  readonly #resolve: (value: T) => void;
  #watches: Disposable[] = [];
  #state: ReplyState = "pending";
  #late = 0;

  private constructor(expired_value: T) {
    const { promise, resolve } = Promise.withResolvers<T>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#expired_value = expired_value;
  }

  /** A pending reply whose deadline runs from now. Throws `config` if the deadline is not a duration. */
  static open<T>(expired_value: T, options: ReplyOptions = {}): Reply<T> {
    const reply = new Reply(expired_value);
    const { deadline_ms, signal, timers = systemTimers } = options;
    if (deadline_ms !== undefined) {
      const timer = timers.after(durationBound("deadline of a reply", deadline_ms), () => reply.#expire());
      reply.#watches.push(timer);
    }
    if (signal?.aborted === true) reply.#expire();
    else reply.#watches.push(onAbort(signal, () => reply.#expire()));
    return reply;
  }

  /** How it stands. */
  get state(): ReplyState {
    return this.#state;
  }

  /** True once `promise` has its value, by `settle` or by expiry. */
  get settled(): boolean {
    return this.#state !== "pending";
  }

  /** Settles that came after the first one, or after expiry. */
  get late(): number {
    return this.#late;
  }

  /** Answers; false (and counted) if it was settled or has expired. Never throws. */
  settle(value: T): boolean {
    if (this.#finish("settled", value)) return true;
    this.#late++;
    return false;
  }

  /** Expires the reply if it is pending. Idempotent. */
  [Symbol.dispose](): void {
    this.#expire();
  }

  #expire(): void {
    this.#finish("expired", this.#expired_value);
  }

  #finish(state: "settled" | "expired", value: T): boolean {
    if (this.#state !== "pending") return false;
    this.#state = state;
    for (const watch of this.#watches) watch[Symbol.dispose]();
    this.#watches = [];
    this.#resolve(value);
    return true;
  }
}
