/** One sender, many readers, none of which can hold it up. */
import { AgentguardError } from "../core/mod.ts";
import { throwIfCancelled } from "./abort.ts";
import { integerBound } from "./bound.ts";
import { LinkedQueue } from "./linked_queue.ts";
import { type Waiter, waitTurn } from "./waiter.ts";

/** What a subscriber gets, in order: values, and how many it `missed` at that very place because it was slow. */
export type BroadcastItem<T> =
  | { readonly kind: "value"; readonly value: T }
  | { readonly kind: "lagged"; readonly missed: number };

/** Bounds of a broadcast. */
export interface BroadcastOptions {
  /** How many values a subscriber may be behind before it misses the oldest, 1 to 1,048,576. */
  readonly capacity: number;
  /** Most subscribers at once, 1 to 65,536; default 1,024. */
  readonly subscribers_max?: number;
}

const CAPACITY_MAX = 1_048_576;
const SUBSCRIBERS_MAX = 65_536;
const SUBSCRIBERS_DEFAULT = 1_024;

/** An item, or the end. */
type Received<T> = { readonly open: true; readonly item: BroadcastItem<T> } | { readonly open: false };

/** What subscriptions ask of the broadcast that they read. */
interface Feed<T> {
  closed(): boolean;
  /** Sequence number of the next value. */
  head(): number;
  /** The value `seq`, or the oldest one that is still held; `seq` is below `head`. */
  read(seq: number): { readonly seq: number; readonly value: T };
  waits(reader: Reader<T>): void;
  leaves(reader: Reader<T>): void;
}

/** One reader's place in a broadcast. It sees what is sent after it subscribed; leaving its loop ends it. */
export interface Subscription<T> extends AsyncIterable<BroadcastItem<T>>, Disposable {
  /** Values missed so far, as told in-band. */
  readonly missed: number;
  /** The next item. Waits while there is none; throws `closed` after the last one, and `cancelled`. */
  receive(signal?: AbortSignal): Promise<BroadcastItem<T>>;
  /** Ends the subscription: what was not read is given up, waiting reads get `closed`. Idempotent. */
  close(): void;
}

class Reader<T> implements Subscription<T> {
  readonly #name: string;
  readonly #feed: Feed<T>;
  readonly #waiters = new LinkedQueue<Waiter<undefined, Received<T>>>();
  #next: number;
  #missed = 0;
  #closed = false;

  constructor(name: string, feed: Feed<T>) {
    this.#name = name;
    this.#feed = feed;
    this.#next = feed.head();
  }

  get missed(): number {
    return this.#missed;
  }

  async receive(signal?: AbortSignal): Promise<BroadcastItem<T>> {
    const received = await this.#receive(signal);
    if (received.open) return received.item;
    throw new AgentguardError("closed", `receive from broadcast "${this.#name}": it is closed`);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<BroadcastItem<T>, void, void> {
    try {
      while (true) {
        const received = await this.#receive(undefined);
        if (!received.open) return;
        yield received.item;
      }
    } finally {
      this.close();
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#feed.leaves(this);
    this.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** After a send: gives waiting reads what there is; true if some still wait. */
  wake(): boolean {
    while (this.#waiters.size > 0 && this.#next < this.#feed.head()) {
      this.#waiters.shift()?.value.resolve({ open: true, item: this.#advance() });
    }
    return this.#waiters.size > 0;
  }

  /** Nothing more will come: waiting reads, which have read everything, get the end. */
  end(): void {
    for (let node = this.#waiters.shift(); node !== undefined; node = this.#waiters.shift()) {
      node.value.resolve({ open: false });
    }
  }

  #advance(): BroadcastItem<T> {
    const { seq, value } = this.#feed.read(this.#next);
    const missed = seq - this.#next;
    this.#next = seq;
    if (missed > 0) {
      this.#missed += missed;
      return { kind: "lagged", missed };
    }
    this.#next++;
    return { kind: "value", value };
  }

  async #receive(signal: AbortSignal | undefined): Promise<Received<T>> {
    const action = `receive from broadcast "${this.#name}"`;
    throwIfCancelled(action, signal);
    if (this.#closed) return { open: false };
    if (this.#next < this.#feed.head()) return { open: true, item: this.#advance() };
    if (this.#feed.closed()) return { open: false };
    this.#feed.waits(this);
    return await waitTurn(this.#waiters, { carried: undefined, action, signal });
  }
}

/**
 * Sends each value to every subscriber without ever waiting: it keeps the newest `capacity` values once for all of
 * them, and a subscriber that falls further behind is told how many it missed. A send costs O(subscribers that wait).
 */
export class Broadcast<T> implements Disposable {
  /** For messages. */
  readonly name: string;
  readonly #capacity: number;
  readonly #subscribers_max: number;
  readonly #slots: { readonly value: T }[] = [];
  readonly #subscribers = new Set<Reader<T>>();
  readonly #waiting = new Set<Reader<T>>();
  #head = 0;
  #closed = false;

  /** Throws `config` if a bound is out of range. */
  constructor(name: string, options: BroadcastOptions) {
    this.name = name;
    this.#capacity = integerBound(`capacity of broadcast "${name}"`, options.capacity, { min: 1, max: CAPACITY_MAX });
    const subscribers_max = options.subscribers_max ?? SUBSCRIBERS_DEFAULT;
    const range = { min: 1, max: SUBSCRIBERS_MAX };
    this.#subscribers_max = integerBound(`subscribers of broadcast "${name}"`, subscribers_max, range);
  }

  /** Subscribers now. */
  get subscribers(): number {
    return this.#subscribers.size;
  }

  /** Values sent so far. */
  get sent(): number {
    return this.#head;
  }

  /** Sends to everyone who has subscribed. Throws `closed`. */
  send(value: T): void {
    if (this.#closed) throw new AgentguardError("closed", `send to broadcast "${this.name}": it is closed`);
    this.#slots[this.#head % this.#capacity] = { value };
    this.#head++;
    for (const reader of this.#waiting) {
      if (!reader.wake()) this.#waiting.delete(reader);
    }
  }

  /** A new reader, to be disposed by the caller. Throws `closed`, and `overflow` with too many subscribers. */
  subscribe(): Subscription<T> {
    if (this.#closed) throw new AgentguardError("closed", `subscribe to broadcast "${this.name}": it is closed`);
    if (this.#subscribers.size >= this.#subscribers_max) {
      const message = `subscribe to broadcast "${this.name}": it has ${this.#subscribers_max} subscribers already`;
      throw new AgentguardError("overflow", message);
    }
    const reader = new Reader<T>(this.name, this.#feed());
    this.#subscribers.add(reader);
    return reader;
  }

  /** Ends the broadcast: subscribers get what is held and then the end. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const reader of this.#waiting) reader.end();
    this.#waiting.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #feed(): Feed<T> {
    return {
      closed: () => this.#closed,
      head: () => this.#head,
      read: (seq) => this.#read(seq),
      waits: (reader) => this.#waiting.add(reader),
      leaves: (reader) => {
        this.#subscribers.delete(reader);
        this.#waiting.delete(reader);
      },
    };
  }

  #read(seq: number): { readonly seq: number; readonly value: T } {
    const oldest = Math.max(seq, this.#head - this.#capacity);
    const slot = this.#slots[oldest % this.#capacity];
    if (slot === undefined) {
      throw new AgentguardError("invariant", `read broadcast "${this.name}": value ${seq} was not sent`);
    }
    return { seq: oldest, value: slot.value };
  }
}
