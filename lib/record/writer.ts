/** The one writer of a record: takes drafts at any time, commits them in groups, and outlives a full disk. */
import { AgentguardError, LIMITS, type Log, type RecordSink } from "../core/mod.ts";
import type { Store, WriterLock } from "../store/mod.ts";
import { CommitPump } from "./commit_pump.ts";
import { Committer } from "./committer.ts";
import { isMerelySeen, type QueuedDraft } from "./draft_line.ts";
import { DraftQueue } from "./draft_queue.ts";
import { CommitListeners } from "./listeners.ts";
import type { RecordHead } from "./log_state.ts";
import { type OpenedRecord, openForWriting, tryMarkClosed } from "./open.ts";
import type { CommitListener, RecorderState, RecorderStats, RecordWriterOptions } from "./recorder.ts";
import { untilAborted } from "./waiters.ts";

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
  readonly #queue: DraftQueue;
  readonly #committer: Committer;
  readonly #pump: CommitPump;
  readonly #listeners: CommitListeners;
  #closing: Promise<void> | undefined;
  #appended = 0;

  /** Takes over an opened record; `openRecordWriter` is the way in. */
  constructor(opened: OpenedRecord, options: RecordWriterOptions) {
    this.#store = opened.store;
    this.#lock = opened.lock;
    this.#log = options.log;
    this.#listeners = new CommitListeners(options.log);
    this.#queue = new DraftQueue(options.queue_max ?? LIMITS.recorder_queue_soft * 4);
    this.#committer = new Committer(opened.store, opened.signer, options);
    for (const { action } of opened.notices) {
      if (action !== undefined && "detail" in action) this.#log.warn(`the record: ${action.detail}`);
    }
    if (opened.notices.length > 0) this.#committer.commit(opened.notices);
    this.#store.syncNow();
    this.#pump = new CommitPump({
      store: opened.store,
      committer: this.#committer,
      queue: this.#queue,
      listeners: this.#listeners,
      clock: options.clock,
      timers: options.timers,
      batch_max: options.commit_entries_max ?? LIMITS.commit_entries_max,
      brake: options.brake ?? (() => undefined),
      onState: options.onState ?? (() => {}),
    });
  }

  /**
   * Accepts a draft. Returns at once, except when the queue is full and the disk works: then it commits a group first,
   * since a slower caller is better than a loss. Throws `closed` after `close`.
   */
  append(draft: QueuedDraft): void {
    if (this.#closing !== undefined) throw new AgentguardError("closed", "append an entry: the recorder is closed");
    if (this.#queue.full && this.#pump.reason === undefined) this.#pump.makeRoom();
    this.#appended++;
    this.#queue.push(draft);
    this.#pump.wake(!isMerelySeen(draft));
  }

  /** Entries accepted and not yet durable. */
  pending(): number {
    return this.#pump.pending;
  }

  /** The last durable entry; `{seq: 0}` with 64 zeros for an empty record. */
  head(): RecordHead {
    return this.#pump.head;
  }

  /**
   * Settles when everything appended so far is durable. Rejects with the reason when the next attempt fails (the
   * entries stay in line and the attempts go on), with `overflow` when something other than an observation had to be
   * dropped before, with `closed` after `close`.
   */
  flush(): Promise<void> {
    if (this.#closing !== undefined && this.pending() > 0) {
      return Promise.reject(new AgentguardError("closed", "flush the record: the recorder is closed"));
    }
    const loss = this.#queue.lossForFlush();
    if (loss !== undefined) return Promise.reject(loss);
    if (this.pending() === 0) return Promise.resolve();
    const flushed = this.#pump.waiters.untilDurableOrFailed(this.#queue.end);
    this.#pump.hasten();
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
    else this.#pump.waiters.whenDurable(this.#queue.end, callback);
  }

  /** Calls `listener` with each batch from now on, once it is durable; gives the way to stop that. */
  onCommit(listener: CommitListener): () => void {
    return this.#listeners.add(listener);
  }

  /** Lets `work` read the file as of the last commit. Throws `closed`, and what `work` throws. */
  look<T>(work: (store: Store) => T): T {
    if (this.#closing !== undefined) throw new AgentguardError("closed", "read the record: the recorder is closed");
    return work(this.#store);
  }

  /**
   * Lets `work` change the file between two commits: only what is neither signed nor hashed. Throws `busy` while
   * writing fails, `closed`, and what `work` throws.
   */
  maintain<T>(work: (store: Store) => T): T {
    if (this.#committer.unfinished > 0) {
      throw new AgentguardError("busy", `maintain the record: it cannot be written: ${this.#pump.reason ?? ""}`);
    }
    try {
      return this.look(work);
    } finally {
      this.#committer.forgetIndex();
    }
  }

  /** Whether entries become durable, and why not. */
  state(): RecorderState {
    const { reason } = this.#pump;
    return reason === undefined ? { status: "writing" } : { status: "stalled", reason };
  }

  /** The figures now. */
  stats(): RecorderStats {
    return {
      appended: this.#appended,
      ...this.#pump.figures,
      stalled: this.#pump.reason !== undefined,
      dropped: this.#queue.dropped,
    };
  }

  /**
   * Refuses further drafts, makes one last attempt at what waits, closes the file and lets the next writer in. Throws
   * what stopped that attempt, saying how many entries are lost with this process. Doing it twice is harmless.
   */
  close(): Promise<void> {
    // The first caller is told what is lost.
    if (this.#closing !== undefined) return this.#closing.catch(() => {});
    this.#closing = this.#close();
    return this.#closing;
  }

  #close(): Promise<void> {
    const under_way = this.#pump.stop();
    return under_way === undefined ? this.#finish() : under_way.then(() => this.#finish());
  }

  #finish(): Promise<void> {
    this.#pump.finish();
    const lost = this.pending();
    const reason = this.#pump.reason ?? "";
    if (lost === 0) tryMarkClosed(this.#store, this.#log);
    this.#pump.waiters.fail(new AgentguardError("closed", `flush the record: the recorder closed; ${reason}`));
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
}
