/** When batches are sealed, written and synced: the part of a writer that works by itself. */
import { AgentguardError, type Clock, errorMessage, LIMITS } from "../core/mod.ts";
import type { Store } from "../store/mod.ts";
import type { Committer } from "./committer.ts";
import type { DraftQueue } from "./draft_queue.ts";
import { BLOCK_ENTRIES } from "./layout.ts";
import type { CommitListeners } from "./listeners.ts";
import type { RecordHead } from "./log_state.ts";
import type { RecorderState } from "./recorder.ts";
import type { SealedBatch } from "./sealed_batch.ts";
import { type Hurry, soon, type Timers } from "./timers.ts";
import { Waiters } from "./waiters.ts";

/** Pauses between attempts while writing fails: doubled each time, milliseconds. */
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 5_000;

/** Written batches that wait for the disk, at most: while one is synced others are sealed and written. */
const WRITTEN_MAX = 4;

/** A batch that is written and not known to be on the disk. */
interface Written {
  readonly batch: SealedBatch;
  /** Position of its last draft in the queue. */
  readonly position: number;
  /** When its sealing began, of the monotonic clock. */
  readonly start_us: number;
}

/** What a pump works with. */
export interface PumpParts {
  readonly store: Store;
  readonly committer: Committer;
  readonly queue: DraftQueue;
  readonly listeners: CommitListeners;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Entries in one batch. */
  readonly batch_max: number;
  /** See `RecordWriterOptions`. */
  readonly brake: () => string | undefined;
  readonly onState: (state: RecorderState) => void;
}

/**
 * Takes drafts from the queue in batches, in order. A batch is written in one transaction, and told as durable once a
 * sync that began after it has worked; meanwhile the next ones are sealed and written. What fails is tried again.
 */
export class CommitPump {
  readonly #parts: PumpParts;
  readonly waiters: Waiters = new Waiters();
  /** In order. */
  #written: Written[] = [];
  #written_entries = 0;
  #syncing: Promise<void> | undefined;
  /** The last attempt to write failed. */
  #blocked = false;
  /** The time of the next commit has come, and it waits for the sync under way. */
  #due = false;
  #head: RecordHead;
  /** The next attempt. */
  #next: Disposable | undefined;
  /** How soon that is. */
  #hurry: Hurry = "none";
  /** Whether anything in the queue wants more than to be written some time. */
  #urgent = false;
  #reason: string | undefined;
  #retry_ms = RETRY_MS_MIN;
  #stopped = false;
  #committed = 0;
  #commits = 0;
  #last_commit_ms = 0;

  /** What `committer` has written so far is on the disk. */
  constructor(parts: PumpParts) {
    this.#parts = parts;
    this.#head = parts.committer.head;
  }

  /** The last entry on the disk. */
  get head(): RecordHead {
    return this.#head;
  }

  /** Drafts and entries that are not known to be on the disk. */
  get pending(): number {
    return this.#unwritten + this.#written_entries;
  }

  /** Why nothing becomes durable; `undefined` while it does. */
  get reason(): string | undefined {
    return this.#reason;
  }

  /** Entries and batches that became durable, and how long the last one took from its sealing, milliseconds. */
  get figures(): { readonly committed: number; readonly commits: number; readonly last_commit_ms: number } {
    return { committed: this.#committed, commits: this.#commits, last_commit_ms: this.#last_commit_ms };
  }

  /** A draft came into the queue. */
  wake(urgent: boolean): void {
    this.#urgent ||= urgent;
    this.#schedule();
  }

  /** The next attempt is at once. */
  hasten(): void {
    if (this.#hurry === "now") return;
    this.#next?.[Symbol.dispose]();
    this.#hurry = "now";
    this.#next = soon(() => this.#run());
  }

  /** Makes room in the queue by writing here and now: a slower caller is better than a loss. */
  makeRoom(): void {
    if (this.#written.length >= WRITTEN_MAX) this.#syncNow();
    if (this.#written.length < WRITTEN_MAX) this.#write();
  }

  /** Nothing happens by itself any more; gives what is still under way. */
  stop(): Promise<void> | undefined {
    this.#stopped = true;
    this.#next?.[Symbol.dispose]();
    this.#next = undefined;
    return this.#syncing;
  }

  /** After `stop`: one last attempt at all that is pending, here and now. */
  finish(): void {
    let done = true;
    while (done && this.#unwritten > 0) done = this.#write();
    this.#syncNow();
  }

  #schedule(): void {
    if (this.#hurry === "now") return;
    if (this.#reason !== undefined) {
      // While stalled the next attempt has its time; a flush is what hurries it.
      if (this.#hurry === "none") this.#retry();
    } else if (this.#parts.queue.length >= this.#parts.batch_max) this.hasten();
    else if (this.#urgent && this.#hurry !== "urgent") this.#scheduleAfter(LIMITS.commit_wait_ms_max, "urgent");
    else if (this.#hurry === "none") this.#scheduleAfter(LIMITS.commit_seen_wait_ms_max, "seen");
  }

  #scheduleAfter(wait_ms: number, hurry: Hurry): void {
    this.#next?.[Symbol.dispose]();
    this.#hurry = hurry;
    this.#next = this.#parts.timers.after(wait_ms, () => this.#run());
  }

  /** One commit, then whatever comes next. */
  #run(): void {
    this.#next?.[Symbol.dispose]();
    this.#next = undefined;
    this.#hurry = "none";
    // A few entries wait for the disk together with those before them: what a small commit costs is mostly the commit.
    this.#due = this.#syncing !== undefined && this.#unwritten < this.#parts.batch_max;
    if (this.#due) return;
    if (this.#written.length < WRITTEN_MAX && !this.#write()) this.#retry();
    else this.#sync();
  }

  #retry(): void {
    if (this.#stopped) return;
    this.#scheduleAfter(this.#retry_ms, "urgent");
    this.#retry_ms = Math.min(this.#retry_ms * 2, RETRY_MS_MAX);
  }

  #continue(): void {
    if (this.#stopped) return;
    if (this.#parts.queue.length >= this.#parts.batch_max && this.#written.length < WRITTEN_MAX) this.hasten();
    else if (this.#syncing !== undefined) return;
    else if (this.#unwritten > 0 && (this.#due || this.waiters.impatient)) this.hasten();
    else if (this.#unwritten > 0) this.#schedule();
  }

  /** Entries that no transaction holds. */
  get #unwritten(): number {
    return this.#parts.queue.length + this.#parts.committer.unfinished;
  }

  /** Writes the unfinished batch or the next one, if there is one; false when that failed. */
  #write(): boolean {
    this.#blocked = false;
    if (this.#unwritten === 0) return true;
    const held = this.#stopped ? undefined : this.#parts.brake();
    if (held !== undefined) return this.#refuse(new AgentguardError("io", held));
    const start_us = this.#parts.clock.monotonicUs();
    try {
      const retried = this.#parts.committer.unfinished > 0;
      const batch = retried
        ? this.#parts.committer.finish()
        : this.#parts.committer.commit(this.#parts.queue.take(this.#batchSize()));
      this.#written.push({ batch, position: this.#parts.queue.taken, start_us });
      this.#written_entries += batch.count;
    } catch (thrown) {
      return this.#refuse(thrown);
    }
    if (this.#parts.queue.length === 0) this.#urgent = false;
    return true;
  }

  /** Under load a batch ends where a block does: else the block's texts are read and written again with the next. */
  #batchSize(): number {
    const { queue, committer, batch_max } = this.#parts;
    if (queue.length <= batch_max || batch_max < 2 * BLOCK_ENTRIES) return batch_max;
    return batch_max - (committer.head.seq + batch_max) % BLOCK_ENTRIES;
  }

  #refuse(thrown: unknown): false {
    this.#blocked = true;
    this.#fail(thrown);
    return false;
  }

  /** Brings what is written to the disk while this thread goes on. */
  #sync(): void {
    const last = this.#written.at(-1)?.position;
    if (this.#syncing === undefined && last !== undefined) {
      this.#syncing = this.#parts.store.sync().then(
        () => this.#synced(last),
        (thrown: unknown) => this.#unsynced(thrown),
      );
    }
    this.#continue();
  }

  #syncNow(): void {
    const last = this.#written.at(-1)?.position;
    if (last === undefined) return;
    try {
      this.#parts.store.syncNow();
      this.#succeed(last);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #synced(position: number): void {
    this.#syncing = undefined;
    this.#succeed(position);
    if (!this.#stopped) this.#sync();
  }

  #unsynced(thrown: unknown): void {
    this.#syncing = undefined;
    this.#fail(thrown);
    this.#retry();
  }

  /** What was written up to here is durable. */
  #succeed(position: number): void {
    // What is on the disk now was written before; that nothing more can be written is as true as it was.
    if (!this.#blocked) this.#recover();
    const durable = this.#written.filter((written) => written.position <= position);
    this.#written = this.#written.slice(durable.length);
    for (const { batch, start_us } of durable) {
      this.#head = { seq: batch.last_seq, hash: batch.last_leaf.toHex() };
      this.#written_entries -= batch.count;
      this.#committed += batch.count;
      this.#commits++;
      this.#last_commit_ms = (this.#parts.clock.monotonicUs() - start_us) / 1000;
    }
    this.waiters.settle(position);
    const { listeners, committer } = this.#parts;
    for (const { batch } of durable) if (!listeners.publish(batch)) committer.giveBack(batch);
  }

  #recover(): void {
    this.#retry_ms = RETRY_MS_MIN;
    const recovered = this.#reason !== undefined;
    this.#reason = undefined;
    if (recovered) this.#parts.onState({ status: "writing" });
  }

  #fail(thrown: unknown): void {
    const reason = errorMessage(thrown);
    const code = thrown instanceof AgentguardError ? thrown.code : "io";
    const changed = reason !== this.#reason;
    this.#reason = reason;
    if (changed) this.#parts.onState({ status: "stalled", reason });
    this.waiters.fail(new AgentguardError(code, `flush the record: ${reason}`, { cause: thrown }));
  }
}
