/** A bounded queue between tasks. */
import { AgentguardError } from "../core/mod.ts";
import { throwIfCancelled } from "./abort.ts";
import { integerBound } from "./bound.ts";
import { LinkedQueue } from "./linked_queue.ts";
import { Ring } from "./ring.ts";
import { type Waiter, waitTurn } from "./waiter.ts";

/** What a full channel does with one more value: it waits, the oldest is dropped and counted, or it is refused. */
export type Overflow = "wait" | "drop_oldest" | "refuse";

/** Bounds of a channel. */
export interface ChannelOptions {
  /** Most values held, 1 to 1,048,576. */
  readonly capacity: number;
  /** Default `wait`. */
  readonly overflow?: Overflow;
}

const CAPACITY_MAX = 1_048_576;

/** A value, or the end. */
type Received<T> = { readonly open: true; readonly value: T } | { readonly open: false };

/**
 * Carries values in the order of their sends, holds `capacity` at most, and serves waiting senders and receivers in
 * the order of their calls. A cancelled `send` has not sent, a cancelled `receive` has taken nothing. Senders wait
 * only while it is full and receivers only while it is empty. Operations are O(1).
 */
export class Channel<T> implements AsyncIterable<T>, Disposable {
  /** For messages. */
  readonly name: string;
  readonly #overflow: Overflow;
  readonly #ring: Ring<T>;
  readonly #senders = new LinkedQueue<Waiter<T, void>>();
  readonly #receivers = new LinkedQueue<Waiter<undefined, Received<T>>>();
  #dropped = 0;
  #refused = 0;
  #closed = false;

  /** Throws `config` if the capacity is out of bounds. */
  constructor(name: string, options: ChannelOptions) {
    this.name = name;
    this.#overflow = options.overflow ?? "wait";
    const range = { min: 1, max: CAPACITY_MAX };
    this.#ring = new Ring(integerBound(`capacity of channel "${name}"`, options.capacity, range));
  }

  /** Values held, `capacity` at most. */
  get size(): number {
    return this.#ring.size;
  }

  /** Most values held. */
  get capacity(): number {
    return this.#ring.capacity;
  }

  /** Values that `drop_oldest` has dropped. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Values that a full channel has refused, by `trySend` or by `send` with `refuse`. */
  get refused(): number {
    return this.#refused;
  }

  /** True once `close` was called; values held then can still be received. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Sends a value. When full: `wait` waits its turn, `drop_oldest` drops, `refuse` throws `overflow`.
   * Throws `closed` and `cancelled`; the value was not sent then.
   */
  async send(value: T, signal?: AbortSignal): Promise<void> {
    const action = `send to channel "${this.name}"`;
    throwIfCancelled(action, signal);
    if (this.#closed) throw this.#closedError("send to");
    if (this.#accept(value)) return;
    if (this.#overflow === "refuse") {
      this.#refused++;
      const message = `send to channel "${this.name}": it is full with ${this.capacity} values`;
      throw new AgentguardError("overflow", message);
    }
    await waitTurn(this.#senders, { carried: value, action, signal });
  }

  /** Sends without waiting; false if the channel is closed or, unless it drops, full. */
  trySend(value: T): boolean {
    if (this.#closed) return false;
    if (this.#accept(value)) return true;
    this.#refused++;
    return false;
  }

  /** The oldest value. Waits while there is none; throws `closed` after the last one, and `cancelled`. */
  async receive(signal?: AbortSignal): Promise<T> {
    const received = await this.#receive(signal);
    if (received.open) return received.value;
    throw this.#closedError("receive from");
  }

  /**
   * The oldest values, at least 1 and `max` (1 or more) at most. Waits while there is none; an empty array says that
   * the channel is closed and drained. Throws `cancelled`.
   */
  async receiveBatch(max: number, signal?: AbortSignal): Promise<T[]> {
    integerBound(`batch of channel "${this.name}"`, max, { min: 1, max: Number.MAX_SAFE_INTEGER });
    throwIfCancelled(`receive from channel "${this.name}"`, signal);
    if (this.#ring.size > 0) return this.#take(max);
    const received = await this.#receive(signal);
    if (!received.open) return [];
    const batch = this.#take(max - 1);
    batch.unshift(received.value);
    return batch;
  }

  /** Values until the channel is closed and drained. Leaving the loop does not close the channel. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    while (true) {
      const received = await this.#receive(undefined);
      if (!received.open) return;
      yield received.value;
    }
  }

  /** Ends the channel: waiting senders get `closed`, receivers get what is held and then the end. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (let node = this.#senders.shift(); node !== undefined; node = this.#senders.shift()) {
      node.value.reject(this.#closedError("send to"));
    }
    for (let node = this.#receivers.shift(); node !== undefined; node = this.#receivers.shift()) {
      node.value.resolve({ open: false });
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Hands the value to a receiver or holds it; false if there is no room. */
  #accept(value: T): boolean {
    const receiver = this.#receivers.shift();
    if (receiver !== undefined) {
      receiver.value.resolve({ open: true, value });
      return true;
    }
    if (this.#ring.full) {
      if (this.#overflow !== "drop_oldest") return false;
      this.#ring.take(1);
      this.#dropped++;
    }
    this.#ring.push(value);
    return true;
  }

  /** Takes held values and lets as many waiting senders in, so that the order of sends stays. */
  #take(max: number): T[] {
    const taken = this.#ring.take(max);
    while (!this.#ring.full) {
      const sender = this.#senders.shift();
      if (sender === undefined) break;
      this.#ring.push(sender.value.carried);
      sender.value.resolve();
    }
    return taken;
  }

  async #receive(signal: AbortSignal | undefined): Promise<Received<T>> {
    const action = `receive from channel "${this.name}"`;
    throwIfCancelled(action, signal);
    for (const value of this.#take(1)) return { open: true, value };
    if (this.#closed) return { open: false };
    return await waitTurn(this.#receivers, { carried: undefined, action, signal });
  }

  #closedError(action: "send to" | "receive from"): AgentguardError {
    return new AgentguardError("closed", `${action} channel "${this.name}": it is closed`);
  }
}
