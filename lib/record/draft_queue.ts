/** Drafts that wait to be written: bounded, in order, and every loss becomes an entry. */
import { AgentguardError, type EntryDraft, formatTime, type WallUs } from "../core/mod.ts";
import { isObservation, type QueuedDraft } from "./draft_line.ts";
import { isRecordableTime } from "./entry.ts";

/** What was lost since the last gap entry. */
interface Loss {
  count: number;
  from_us: WallUs;
  to_us: WallUs;
}

/** Slots that were handed out are freed once there are this many of them. */
const COMPACT_AT = 4_096;

/**
 * A first-in, first-out queue with positions: the n-th accepted draft has position n, so that "everything up to here"
 * stays meaningful when something in between was dropped. When it is full, observations go first; anything else is lost
 * only when no observation waits. What was lost is counted, and as soon as there is room again a `gap` draft
 * (source `recorder`, type `observation` or `entry`, with the times of the first and last lost draft) takes its place
 * in line.
 */
export class DraftQueue {
  readonly #capacity: number;
  /** Dropped drafts leave `undefined`, so that positions hold. */
  #slots: (QueuedDraft | undefined)[] = [];
  /** Index in `#slots` of the next draft to take. */
  #head = 0;
  /** Position of `#slots[0]`. */
  #base = 0;
  #length = 0;
  #dropped = 0;
  /**
   * Of the dropped, those that were no observations; and how many of them `lossForFlush` has told for the last time.
   */
  #others_dropped = 0;
  #others_told = 0;
  #observations_lost: Loss | undefined;
  #others_lost: Loss | undefined;
  /** Indices of waiting observations, ascending, as of the last search; those taken or dropped since are skipped. */
  #droppable: number[] = [];
  #observation_waits = false;

  /** `capacity` drafts at most wait, from 2. */
  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Drafts that wait. */
  get length(): number {
    return this.#length;
  }

  /** True when one more draft would push another out. */
  get full(): boolean {
    return this.#length >= this.#capacity;
  }

  /** Drafts dropped since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Position before the next draft to take: everything up to it has been taken or dropped. */
  get taken(): number {
    return this.#base + this.#head;
  }

  /** Position of the last accepted draft. */
  get end(): number {
    return this.#base + this.#slots.length;
  }

  /** Accepts a draft, or drops it or another one when full. */
  push(draft: QueuedDraft): void {
    const droppable = isObservation(draft);
    if (!this.full || (!droppable && this.#evict())) this.#put(draft);
    else this.#lose(draft);
  }

  /** Takes up to `count` drafts, oldest first. */
  take(count: number): QueuedDraft[] {
    const batch: QueuedDraft[] = [];
    while (batch.length < count && this.#head < this.#slots.length) {
      const draft = this.#slots[this.#head];
      this.#slots[this.#head] = undefined;
      this.#head++;
      if (draft !== undefined) batch.push(draft);
    }
    // A hole must not keep `taken` behind `end` when nothing waits any more.
    while (this.#head < this.#slots.length && this.#slots[this.#head] === undefined) this.#head++;
    this.#length -= batch.length;
    // Room that an eviction makes is its draft's; only taking makes room for telling what was lost.
    this.#tellLosses();
    this.#compact();
    return batch;
  }

  /**
   * What a flush must fail with: from the moment that something other than an observation was dropped until its gap is
   * in line, and at least once. `undefined` when nothing was.
   */
  lossForFlush(): AgentguardError | undefined {
    const lost = this.#others_dropped;
    if (lost === this.#others_told) return undefined;
    if (this.#others_lost === undefined) this.#others_told = lost;
    return new AgentguardError(
      "overflow",
      `flush the record: ${lost} entries were dropped because the queue was full; see why the record cannot be written`,
    );
  }

  #put(draft: QueuedDraft): void {
    this.#slots.push(draft);
    this.#length++;
    if (isObservation(draft)) this.#observation_waits = true;
  }

  /** Drops a waiting observation, newer ones first as far as the last search knows; false when none waits. */
  #evict(): boolean {
    for (;;) {
      const index = this.#droppable.pop();
      if (index === undefined) {
        if (!this.#observation_waits) return false;
        this.#search();
        continue;
      }
      const draft = this.#slots[index];
      // Taken, or dropped, since the search.
      if (index < this.#head || draft === undefined) continue;
      this.#slots[index] = undefined;
      this.#length--;
      this.#lose(draft);
      return true;
    }
  }

  #search(): void {
    this.#observation_waits = false;
    for (let index = this.#head; index < this.#slots.length; index++) {
      const draft = this.#slots[index];
      if (draft !== undefined && isObservation(draft)) this.#droppable.push(index);
    }
  }

  #lose(draft: QueuedDraft): void {
    this.#dropped++;
    if (isObservation(draft)) {
      this.#observations_lost = widen(this.#observations_lost, draft.time_us);
    } else {
      this.#others_dropped++;
      this.#others_lost = widen(this.#others_lost, draft.time_us);
    }
  }

  /** Puts what was lost in line, where there is room for it. */
  #tellLosses(): void {
    if (this.#others_lost !== undefined && !this.full) {
      this.#put(gapDraft("entry", this.#others_lost));
      this.#others_lost = undefined;
    }
    if (this.#observations_lost !== undefined && !this.full) {
      this.#put(gapDraft("observation", this.#observations_lost));
      this.#observations_lost = undefined;
    }
  }

  #compact(): void {
    if (this.#head < COMPACT_AT || this.#head * 2 < this.#slots.length) return;
    this.#slots = this.#slots.slice(this.#head);
    this.#base += this.#head;
    this.#head = 0;
    // The indices are those of the old array.
    this.#droppable = [];
    this.#observation_waits = true;
  }
}

function widen(loss: Loss | undefined, draft_us: WallUs): Loss {
  const time_us = isRecordableTime(draft_us) ? draft_us : 0;
  if (loss === undefined) return { count: 1, from_us: time_us, to_us: time_us };
  loss.count++;
  loss.from_us = Math.min(loss.from_us, time_us);
  loss.to_us = Math.max(loss.to_us, time_us);
  return loss;
}

function gapDraft(type: string, loss: Loss): EntryDraft {
  const gap = {
    source: "recorder",
    type,
    count: loss.count,
    from: formatTime(loss.from_us),
    to: formatTime(loss.to_us),
  };
  return { time_us: loss.to_us, kind: "gap", gap };
}
