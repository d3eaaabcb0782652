/** The one writer of a record: takes drafts at any time, commits them in groups, and outlives a full disk. */
import {
  AgentguardError,
  type Clock,
  type EntryDraft,
  errorMessage,
  LIMITS,
  type Log,
  type RecordSink,
} from "../core/mod.ts";
import type { Store, WriterLock } from "../store/mod.ts";
import { Committer } from "./committer.ts";
import { DraftQueue, isMerelySeen } from "./draft_queue.ts";
import type { SealedEntry } from "./entry.ts";
import { CommitListeners } from "./listeners.ts";
import type { RecordHead } from "./log_state.ts";
import { type OpenedRecord, openForWriting, tryMarkClosed } from "./open.ts";
import type { CommitListener, RecorderState, RecorderStats, RecordWriterOptions } from "./recorder.ts";
import { type Hurry, soon, type Timers } from "./timers.ts";
import { untilAborted, Waiters } from "./waiters.ts";

/** Pauses between attempts while writing fails: doubled each time, milliseconds. */
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 5_000;

/** Written batches that wait for the disk, at most: while one is synced others are sealed and written. */
const WRITTEN_MAX = 4;

/** A batch that is written and not known to be on the disk. */
interface Written {
  readonly entries: readonly SealedEntry[];
  /** Position of its last draft in the queue. */
  readonly position: number;
  /** When its sealing began, of the monotonic clock. */
  readonly start_us: number;
}

/**
 * Opens the record in `directory` for writing, creating it and its key where there is none. Throws `busy` when another
 * writer has it, `tamper` when its end does not verify, `config` for a key or an origin that cannot be used, `io`,
 * `unsupported` as `lib/store` says.
 */
export function openRecordWriter(directory: string, options: RecordWriterOptions): RecordWriter {
  const opened = openForWriting(directory, options);
  try {
    return new RecordWriter(opened, options);
  } catch (thrown) {
    opened.store.close();
    opened.lock.release();
    throw thrown;
  }
}

/**
 * Accepts drafts without waiting and makes them durable in groups, in order. While the disk refuses, drafts wait and
 * the attempts go on; when `queue_max` wait, `DraftQueue` says what is dropped, counted and told by a `gap` entry.
 */
export class RecordWriter implements RecordSink, AsyncDisposable {
  readonly #store: Store;
  readonly #lock: WriterLock;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #onState: (state: RecorderState) => void;
  readonly #brake: () => string | undefined;
  readonly #batch_max: number;
  readonly #queue: DraftQueue;
  readonly #committer: Committer;
  readonly #listeners: CommitListeners;
  readonly #waiters: Waiters = new Waiters();
  /** In order. */
  #written: Written[] = [];
  #written_entries = 0;
  #syncing: Promise<void> | undefined;
  /** The last attempt to write failed. */
  #blocked = false;
  /** The time of the next commit has come, and it waits for the sync under way. */
  #due = false;
  /** The last entry on the disk. */
  #head: RecordHead;
  /** The next attempt. */
  #next: Disposable | undefined;
  /** How soon that is. */
  #hurry: Hurry = "none";
  /** Whether anything in the queue wants more than to be written some time. */
  #urgent = false;
  #reason: string | undefined;
  #retry_ms = RETRY_MS_MIN;
  #closed = false;
  #appended = 0;
  #committed = 0;
  #commits = 0;
  #last_commit_ms = 0;

  /** Takes over an opened record; `openRecordWriter` is the way in. */
  constructor(opened: OpenedRecord, options: RecordWriterOptions) {
    this.#store = opened.store;
    this.#lock = opened.lock;
    this.#log = options.log;
    this.#listeners = new CommitListeners(options.log);
    this.#clock = options.clock;
    this.#timers = options.timers;
    this.#onState = options.onState ?? (() => {});
    this.#brake = options.brake ?? (() => undefined);
    this.#batch_max = options.commit_entries_max ?? LIMITS.commit_entries_max;
    this.#queue = new DraftQueue(options.queue_max ?? LIMITS.recorder_queue_soft * 4);
    this.#committer = new Committer(opened.store, opened.signer, options);
    for (const { action } of opened.notices) {
      if (action !== undefined && "detail" in action) this.#log.warn(`the record: ${action.detail}`);
    }
    if (opened.notices.length > 0) this.#committer.commit(opened.notices);
    this.#store.syncNow();
    this.#head = this.#committer.head;
  }

  /**
   * Accepts a draft. Returns at once, except when the queue is full and the disk works: then it commits a group first,
   * since a slower caller is better than a loss. Throws `closed` after `close`.
   */
  append(draft: EntryDraft): void {
    if (this.#closed) throw new AgentguardError("closed", "append an entry: the recorder is closed");
    if (this.#queue.full && this.#reason === undefined) this.#makeRoom();
    this.#appended++;
    this.#queue.push(draft);
    this.#urgent ||= !isMerelySeen(draft);
    this.#schedule();
  }

  /** Entries accepted and not yet durable. */
  pending(): number {
    return this.#queue.length + this.#committer.unfinished + this.#written_entries;
  }

  /** The last durable entry; `{seq: 0}` with 64 zeros for an empty record. */
  head(): RecordHead {
    return this.#head;
  }

  /**
   * Settles when everything appended so far is durable. Rejects with the reason when the next attempt fails (the
   * entries stay in line and the attempts go on), with `overflow` when something other than an observation had to be
   * dropped before, with `closed` after `close`.
   */
  flush(): Promise<void> {
    if (this.#closed && this.pending() > 0) {
      return Promise.reject(new AgentguardError("closed", "flush the record: the recorder is closed"));
    }
    const loss = this.#queue.lossForFlush();
    if (loss !== undefined) return Promise.reject(loss);
    if (this.pending() === 0) return Promise.resolve();
    const flushed = this.#waiters.untilDurableOrFailed(this.#queue.end);
    this.#scheduleSoon();
    return flushed;
  }

  /** As `flush`, and rejects with `cancelled` when `signal` aborts before. */
  durable(signal?: AbortSignal): Promise<void> {
    return untilAborted(this.flush(), signal);
  }

  /**
   * Calls `callback` once everything appended so far is durable, or dropped and counted: at once, or however long that
   * takes, or never if the writer is closed before. Hurries nothing.
   */
  whenSettled(callback: () => void): void {
    if (this.pending() === 0) callback();
    else this.#waiters.whenDurable(this.#queue.end, callback);
  }

  /** Calls `listener` with each batch from now on, once it is durable; gives the way to stop that. */
  onCommit(listener: CommitListener): () => void {
    return this.#listeners.add(listener);
  }

  /** Lets `work` read the file as of the last commit. Throws `closed`, and what `work` throws. */
  look<T>(work: (store: Store) => T): T {
    if (this.#closed) throw new AgentguardError("closed", "read the record: the recorder is closed");
    return work(this.#store);
  }

  /**
   * Lets `work` change the file between two commits: only what is neither signed nor hashed. Throws `busy` while
   * writing fails, `closed`, and what `work` throws.
   */
  maintain<T>(work: (store: Store) => T): T {
    if (this.#committer.unfinished > 0) {
      throw new AgentguardError("busy", `maintain the record: it cannot be written: ${this.#reason ?? ""}`);
    }
    try {
      return this.look(work);
    } finally {
      this.#committer.forgetIndex();
    }
  }

  /** Whether entries become durable, and why not. */
  state(): RecorderState {
    return this.#reason === undefined ? { status: "writing" } : { status: "stalled", reason: this.#reason };
  }

  /** The figures now. */
  stats(): RecorderStats {
    return {
      appended: this.#appended,
      committed: this.#committed,
      commits: this.#commits,
      last_commit_ms: this.#last_commit_ms,
      stalled: this.#reason !== undefined,
      dropped: this.#queue.dropped,
    };
  }

  /**
   * Refuses further drafts, makes one last attempt at what waits, closes the file and lets the next writer in. Throws
   * what stopped that attempt, saying how many entries are lost with this process. Doing it twice is harmless.
   */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    this.#next?.[Symbol.dispose]();
    this.#next = undefined;
    return this.#syncing === undefined ? this.#finish() : this.#syncing.then(() => this.#finish());
  }

  #finish(): Promise<void> {
    let done = true;
    while (done && this.#unwritten > 0) done = this.#write();
    this.#syncNow();
    const lost = this.pending();
    const reason = this.#reason ?? "";
    if (lost === 0) tryMarkClosed(this.#store, this.#log);
    this.#waiters.fail(new AgentguardError("closed", `flush the record: the recorder closed; ${reason}`));
    this.#listeners.clear();
    try {
      this.#store.close();
    } finally {
      this.#lock.release();
    }
    if (lost === 0) return Promise.resolve();
    return Promise.reject(
      new AgentguardError("io", `close the record: ${lost} entries could not be written; ${reason}`),
    );
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #schedule(): void {
    if (this.#hurry === "now") return;
    if (this.#reason !== undefined) {
      // While stalled the next attempt has its time; a flush is what hurries it.
      if (this.#hurry === "none") this.#retry();
    } else if (this.#queue.length >= this.#batch_max) this.#scheduleSoon();
    else if (this.#urgent && this.#hurry !== "urgent") this.#scheduleAfter(LIMITS.commit_wait_ms_max, "urgent");
    else if (this.#hurry === "none") this.#scheduleAfter(LIMITS.commit_seen_wait_ms_max, "seen");
  }

  #scheduleAfter(wait_ms: number, hurry: Hurry): void {
    this.#next?.[Symbol.dispose]();
    this.#hurry = hurry;
    this.#next = this.#timers.after(wait_ms, () => this.#run());
  }

  #scheduleSoon(): void {
    if (this.#hurry === "now") return;
    this.#next?.[Symbol.dispose]();
    this.#hurry = "now";
    this.#next = soon(() => this.#run());
  }

  /** One commit, then whatever comes next. */
  #run(): void {
    this.#next?.[Symbol.dispose]();
    this.#next = undefined;
    this.#hurry = "none";
    // A few entries wait for the disk together with those before them: what a small commit costs is mostly the commit.
    this.#due = this.#syncing !== undefined && this.#unwritten < this.#batch_max;
    if (this.#due) return;
    if (this.#written.length < WRITTEN_MAX && !this.#write()) this.#retry();
    else this.#sync();
  }

  #retry(): void {
    if (this.#closed) return;
    this.#scheduleAfter(this.#retry_ms, "urgent");
    this.#retry_ms = Math.min(this.#retry_ms * 2, RETRY_MS_MAX);
  }

  #continue(): void {
    if (this.#closed) return;
    if (this.#queue.length >= this.#batch_max && this.#written.length < WRITTEN_MAX) this.#scheduleSoon();
    else if (this.#syncing !== undefined) return;
    else if (this.#unwritten > 0 && (this.#due || this.#waiters.impatient)) this.#scheduleSoon();
    else if (this.#unwritten > 0) this.#schedule();
  }

  /** Entries that no transaction holds. */
  get #unwritten(): number {
    return this.#queue.length + this.#committer.unfinished;
  }

  /** Writes the unfinished batch or the next one, if there is one; false when that failed. */
  #write(): boolean {
    this.#blocked = false;
    if (this.#unwritten === 0) return true;
    const held = this.#closed ? undefined : this.#brake();
    if (held !== undefined) return this.#refuse(new AgentguardError("io", held));
    const start_us = this.#clock.monotonicUs();
    try {
      const retried = this.#committer.unfinished > 0;
      const entries = retried ? this.#committer.finish() : this.#committer.commit(this.#queue.take(this.#batch_max));
      this.#written.push({ entries, position: this.#queue.taken, start_us });
      this.#written_entries += entries.length;
    } catch (thrown) {
      return this.#refuse(thrown);
    }
    if (this.#queue.length === 0) this.#urgent = false;
    return true;
  }

  #refuse(thrown: unknown): false {
    this.#blocked = true;
    this.#fail(thrown);
    return false;
  }

  /** A slower caller is better than a loss. */
  #makeRoom(): void {
    if (this.#written.length >= WRITTEN_MAX) this.#syncNow();
    if (this.#written.length < WRITTEN_MAX) this.#write();
  }

  /** Brings what is written to the disk while this thread goes on. */
  #sync(): void {
    const last = this.#written.at(-1)?.position;
    if (this.#syncing === undefined && last !== undefined) {
      this.#syncing = this.#store.sync().then(() => this.#synced(last), (thrown: unknown) => this.#unsynced(thrown));
    }
    this.#continue();
  }

  #syncNow(): void {
    const last = this.#written.at(-1)?.position;
    if (last === undefined) return;
    try {
      this.#store.syncNow();
      this.#succeed(last);
    } catch (thrown) {
      this.#fail(thrown);
    }
  }

  #synced(position: number): void {
    this.#syncing = undefined;
    this.#succeed(position);
    if (!this.#closed) this.#sync();
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
    const durable = this.#written.filter((batch) => batch.position <= position);
    this.#written = this.#written.slice(durable.length);
    for (const { entries, start_us } of durable) {
      const last = entries.at(-1);
      if (last !== undefined) this.#head = { seq: last.seq, hash: last.hash };
      this.#written_entries -= entries.length;
      this.#committed += entries.length;
      this.#commits++;
      this.#last_commit_ms = (this.#clock.monotonicUs() - start_us) / 1000;
    }
    this.#waiters.settle(position);
    for (const { entries } of durable) this.#listeners.publish(entries);
  }

  #recover(): void {
    this.#retry_ms = RETRY_MS_MIN;
    const recovered = this.#reason !== undefined;
    this.#reason = undefined;
    if (recovered) this.#onState({ status: "writing" });
  }

  #fail(thrown: unknown): void {
    const reason = errorMessage(thrown);
    const code = thrown instanceof AgentguardError ? thrown.code : "io";
    const changed = reason !== this.#reason;
    this.#reason = reason;
    if (changed) this.#onState({ status: "stalled", reason });
    this.#waiters.fail(new AgentguardError(code, `flush the record: ${reason}`, { cause: thrown }));
  }
}
