/** The end of patience. Private to this folder. */
import type { Timers } from "./timers.ts";

/** Resolves `passed` when its time is over; can only be brought forward. */
export class Deadline implements Disposable {
  /** Resolves when the deadline passes; never, if it is disposed before. */
  readonly passed: Promise<void>;
  /** The time that it was given first, or last brought forward to, milliseconds. */
  duration_ms: number;
  readonly #timers: Timers;
  readonly #pass: () => void;
  #at_ms: number;
  #timer: Disposable;
  #ended = false;

  constructor(timers: Timers, duration_ms: number) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.passed = promise;
    this.duration_ms = duration_ms;
    this.#timers = timers;
    this.#pass = () => {
      this.#ended = true;
      resolve();
    };
    this.#at_ms = timers.nowMs() + duration_ms;
    this.#timer = timers.after(duration_ms, this.#pass);
  }

  /** Time left, 0 or more milliseconds. */
  get left_ms(): number {
    return Math.max(0, this.#at_ms - this.#timers.nowMs());
  }

  /** Brings the deadline forward to `duration_ms` from now, if that is earlier and it is not over. */
  tighten(duration_ms: number): void {
    const at_ms = this.#timers.nowMs() + duration_ms;
    if (this.#ended || at_ms >= this.#at_ms) return;
    this.#timer[Symbol.dispose]();
    this.#at_ms = at_ms;
    this.duration_ms = duration_ms;
    this.#timer = this.#timers.after(duration_ms, this.#pass);
  }

  /** Stops the timer. Idempotent. */
  [Symbol.dispose](): void {
    this.#ended = true;
    this.#timer[Symbol.dispose]();
  }
}
