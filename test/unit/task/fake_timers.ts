/** Time that a test moves by hand. */
import type { TimerOptions, Timers } from "../../../lib/task/mod.ts";

interface FakeTimer {
  readonly due_ms: number;
  readonly order: number;
  readonly callback: () => void;
  readonly unref: boolean;
}

/** Timers that fire only in `advance`, in order of their due time, then of their making. */
export class FakeTimers implements Timers {
  readonly #timers = new Set<FakeTimer>();
  #now_ms = 0;
  #made = 0;

  nowMs(): number {
    return this.#now_ms;
  }

  after(delay_ms: number, callback: () => void, options: TimerOptions = {}): Disposable {
    const timer = { due_ms: this.#now_ms + delay_ms, order: this.#made++, callback, unref: options.unref ?? false };
    this.#timers.add(timer);
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) };
  }

  /** Timers that wait. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Timers that wait and keep no process alive. */
  get unrefs(): number {
    return Array.from(this.#timers).filter((timer) => timer.unref).length;
  }

  /** Lets `ms` pass, and after each timer whatever follows from it. */
  async advance(ms: number): Promise<void> {
    await settle();
    const end_ms = this.#now_ms + ms;
    for (let timer = this.#next(end_ms); timer !== undefined; timer = this.#next(end_ms)) {
      this.#now_ms = timer.due_ms;
      this.#timers.delete(timer);
      timer.callback();
      await settle();
    }
    this.#now_ms = end_ms;
  }

  #next(end_ms: number): FakeTimer | undefined {
    let next: FakeTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.due_ms > end_ms) continue;
      const earlier = next === undefined || timer.due_ms < next.due_ms ||
        (timer.due_ms === next.due_ms && timer.order < next.order);
      if (earlier) next = timer;
    }
    return next;
  }
}

/** Lets every promise reaction that is due run: they all come before the next turn of the event loop. */
export async function settle(): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  setImmediate(resolve);
  await promise;
}
