/** Waits for held calls and for everything else that concerns the thread that answers them. */
import { HELD_TAKEN, HELD_WAIT_MAX, type HeldCalls, type HeldWaitTerms } from "../../ffi/mod.ts";

/** What became ready. The lists are reused by the next wait. */
export interface HeldReady {
  /** Descriptors from which a call was received. */
  readonly calls: number[];
  /** Descriptors from which nothing will come any more. */
  readonly ended: number[];
  /** The first descriptor is readable. */
  other: boolean;
}

/** One wait at a time. */
export class HeldWait {
  readonly #calls: Pick<HeldCalls, "wait">;
  readonly #first: number;
  readonly #fds = new Int32Array(HELD_WAIT_MAX);
  readonly #events = new Int32Array(HELD_WAIT_MAX);
  readonly #ready: HeldReady = { calls: [], ended: [], other: false };

  /** `first`: a descriptor that stands for everything but held calls. */
  constructor(calls: Pick<HeldCalls, "wait">, first: number) {
    this.#calls = calls;
    this.#first = first;
  }

  /**
   * Waits for the listeners, at most `HELD_WAIT_MAX - 1`, and the first descriptor; `undefined` after the time, or when
   * `calls` were answered in the native code. Throws `io`.
   */
  wait(listeners: Iterable<number>, terms: Omit<HeldWaitTerms, "count">): HeldReady | undefined {
    let count = 0;
    this.#fds[count++] = this.#first;
    for (const listener of listeners) this.#fds[count++] = listener;
    if (!this.#calls.wait(this.#fds, this.#events, { count, ...terms })) return undefined;
    const ready = this.#ready;
    ready.calls.length = 0;
    ready.ended.length = 0;
    ready.other = this.#events[0] !== 0;
    for (let i = 1; i < count; i++) {
      const events = this.#events[i] ?? 0;
      if (events !== 0) ((events & HELD_TAKEN) === 0 ? ready.ended : ready.calls).push(this.#fds[i] ?? -1);
    }
    return ready;
  }
}
