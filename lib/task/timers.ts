/** Timers come in through a port, so that tests move time by hand. */

/** How one timer behaves. */
export interface TimerOptions {
  /** True lets the process end while the timer waits. Default false. */
  readonly unref?: boolean;
}

/** One-shot timers and the monotonic clock that they follow. */
export interface Timers {
  /** Monotonic milliseconds with an arbitrary origin. */
  nowMs(): number;
  /** Calls back once after `delay_ms` (0 or more; `Infinity`: never). Disposing the result before cancels the call. */
  after(delay_ms: number, callback: () => void, options?: TimerOptions): Disposable;
}

/** The longest delay that `setTimeout` keeps; it fires a longer one at once. */
const DELAY_MS_MAX = 2_147_483_647;

/** The timers of the runtime, without its limit of 24.8 days. */
export const systemTimers: Timers = {
  nowMs: () => performance.now(),
  after: (delay_ms, callback, options = {}) => new SystemTimer(delay_ms, callback, options.unref ?? false),
};

class SystemTimer implements Disposable {
  readonly #callback: () => void;
  readonly #unref: boolean;
  #rest_ms: number;
  #handle: ReturnType<typeof setTimeout> | undefined;

  constructor(delay_ms: number, callback: () => void, unref: boolean) {
    this.#callback = callback;
    this.#unref = unref;
    this.#rest_ms = delay_ms;
    this.#arm();
  }

  #arm(): void {
    const step_ms = Math.min(this.#rest_ms, DELAY_MS_MAX);
    this.#rest_ms -= step_ms;
    this.#handle = setTimeout(() => {
      if (this.#rest_ms > 0) return this.#arm();
      this.#handle = undefined;
      this.#callback();
    }, step_ms);
    if (this.#unref) this.#handle.unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#handle);
    this.#handle = undefined;
  }
}
