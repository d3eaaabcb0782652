/** Whose turn it is. Private to this folder. */
import { LinkedQueue, type QueueNode } from "./linked_queue.ts";

/** Importance of a job: every waiting `high` one goes before every `normal` one, and those before `low`. */
export type JobPriority = "high" | "normal" | "low";

/** Members of one key within one priority. */
interface Lane<T> {
  readonly key: string;
  readonly members: LinkedQueue<T>;
  /** Its place among the keys; `undefined` only while it is made. */
  turn: QueueNode<Lane<T>> | undefined;
}

/** One priority: keys take turns, members of one key go in order of arrival. */
class Level<T> {
  readonly #turns = new LinkedQueue<Lane<T>>();
  readonly #lanes = new Map<string, Lane<T>>();

  push(key: string, value: T): () => boolean {
    const lane = this.#lanes.get(key) ?? this.#open(key);
    const node = lane.members.push(value);
    return () => {
      const removed = node.remove();
      if (removed && lane.members.size === 0) this.#end(lane);
      return removed;
    };
  }

  shift(): QueueNode<T> | undefined {
    const lane = this.#turns.shift()?.value;
    if (lane === undefined) return undefined;
    const node = lane.members.shift();
    if (lane.members.size === 0) this.#end(lane);
    else lane.turn = this.#turns.push(lane);
    return node;
  }

  waiting(key: string): number {
    return this.#lanes.get(key)?.members.size ?? 0;
  }

  #open(key: string): Lane<T> {
    const lane: Lane<T> = { key, members: new LinkedQueue<T>(), turn: undefined };
    lane.turn = this.#turns.push(lane);
    this.#lanes.set(key, lane);
    return lane;
  }

  #end(lane: Lane<T>): void {
    lane.turn?.remove();
    this.#lanes.delete(lane.key);
  }
}

/**
 * Strict between priorities; within one, keys take turns (round robin) so that a busy key delays another by one
 * member at most; within a key, first in first out. Every operation is O(1).
 */
export class FairQueue<T> {
  readonly #levels: Readonly<Record<JobPriority, Level<T>>> = {
    high: new Level(),
    normal: new Level(),
    low: new Level(),
  };
  #size = 0;

  /** Members. */
  get size(): number {
    return this.#size;
  }

  /** Members of the key in all priorities. */
  waiting(key: string): number {
    return this.#levels.high.waiting(key) + this.#levels.normal.waiting(key) + this.#levels.low.waiting(key);
  }

  /** Joins; the result leaves from wherever the member stands, and is false if it has left the queue already. */
  push(value: T, place: { readonly key: string; readonly priority: JobPriority }): () => boolean {
    const leave = this.#levels[place.priority].push(place.key, value);
    this.#size++;
    return () => {
      const left = leave();
      if (left) this.#size--;
      return left;
    };
  }

  /** Removes and returns whose turn it is; `undefined` when empty. */
  shift(): QueueNode<T> | undefined {
    const { high, normal, low } = this.#levels;
    const node = high.shift() ?? normal.shift() ?? low.shift();
    if (node !== undefined) this.#size--;
    return node;
  }
}
