/** At most n at a time. */
import { throwIfCancelled } from "./abort.ts";
import { integerBound } from "./bound.ts";
import { LinkedQueue } from "./linked_queue.ts";
import { type Waiter, waitTurn } from "./waiter.ts";

/** The right to go on; disposing it gives it back, once. */
export type Permit = Disposable;

/** Gives out `permits` at most, to waiters in the order of their calls. Its waiters are as many as its callers. */
export class Semaphore {
  /** For messages. */
  readonly name: string;
  readonly #waiters = new LinkedQueue<Waiter<undefined, Permit>>();
  #available: number;

  /** `permits` is 1 or more; throws `config` otherwise. */
  constructor(name: string, permits: number) {
    this.name = name;
    const range = { min: 1, max: Number.MAX_SAFE_INTEGER };
    this.#available = integerBound(`permits of semaphore "${name}"`, permits, range);
  }

  /** Permits not given out. */
  get available(): number {
    return this.#available;
  }

  /** Callers that wait. */
  get waiting(): number {
    return this.#waiters.size;
  }

  /** A permit, when it is this caller's turn. Throws `cancelled`; no permit was taken then. */
  async acquire(signal?: AbortSignal): Promise<Permit> {
    const action = `acquire semaphore "${this.name}"`;
    throwIfCancelled(action, signal);
    const free = this.tryAcquire();
    return await (free ?? waitTurn(this.#waiters, { carried: undefined, action, signal }));
  }

  /** A permit at once, or `undefined`. */
  tryAcquire(): Permit | undefined {
    if (this.#available === 0) return undefined;
    this.#available--;
    return this.#permit();
  }

  #permit(): Permit {
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const next = this.#waiters.shift();
        // Handed over, not put back: a caller that comes between cannot overtake the one that waited.
        if (next === undefined) this.#available++;
        else next.value.resolve(this.#permit());
      },
    };
  }
}
