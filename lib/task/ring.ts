/** A first-in first-out buffer of bounded size. Private to this folder. */
import { invariant } from "../core/mod.ts";

/** Slots of a new ring; a power of two. It doubles until it reaches its capacity. */
const SLOTS_MIN = 16;

/** A held value, so that a free slot and a value that is `undefined` differ. */
interface Box<T> {
  readonly value: T;
}

/** At most `capacity` values in order of arrival. Each operation is O(1) per value, growth amortised. */
export class Ring<T> {
  /** Most values held. */
  readonly capacity: number;
  #slots: (Box<T> | undefined)[] = Array.from({ length: SLOTS_MIN });
  #head = 0;
  #size = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
  }

  /** Values held. */
  get size(): number {
    return this.#size;
  }

  /** True when `push` would break the bound. */
  get full(): boolean {
    return this.#size === this.capacity;
  }

  /** Adds the newest value; throws `invariant` when full. */
  push(value: T): void {
    invariant(!this.full, `keep a ring within its capacity of ${this.capacity}`);
    if (this.#size === this.#slots.length) this.#grow();
    this.#slots[(this.#head + this.#size) & (this.#slots.length - 1)] = { value };
    this.#size++;
  }

  /** Removes the oldest values, `max` at most, and returns them oldest first. */
  take(max: number): T[] {
    const taken: T[] = [];
    while (taken.length < max) {
      const box = this.#slots[this.#head];
      if (box === undefined) break;
      this.#slots[this.#head] = undefined;
      this.#head = (this.#head + 1) & (this.#slots.length - 1);
      this.#size--;
      taken.push(box.value);
    }
    return taken;
  }

  #grow(): void {
    const old = this.#slots;
    const slots = Array.from<Box<T> | undefined>({ length: old.length * 2 });
    for (let i = 0; i < this.#size; i++) slots[i] = old[(this.#head + i) & (old.length - 1)];
    this.#slots = slots;
    this.#head = 0;
  }
}
