/** The producer's end of a recorder that runs in another thread. */
import { AgentguardError, assertNever, type EntryDraft, LIMITS, type RecordSink } from "../core/mod.ts";
import { DraftBlocks, draftMemory } from "./draft_blocks.ts";
import type { QueuedDraft } from "./draft_line.ts";
import { DraftQueue } from "./draft_queue.ts";
import type { PortLike } from "./port.ts";
import type { CommitListener, RecorderState } from "./recorder.ts";
import { soon } from "./timers.ts";
import { untilAborted } from "./waiters.ts";
import { decodeRecorderMessage, encodeProducerMessage, flushError } from "./wire.ts";

/** How a producer sends. */
export interface RemoteSinkOptions {
  /**
   * Drafts that may wait here; four times `LIMITS.recorder_queue_soft` by default. What is over is dropped as
   * `DraftQueue` says.
   */
  readonly queue_max?: number;
  /** Drafts sent and not yet settled; `LIMITS.recorder_queue_soft` by default. */
  readonly window_max?: number;
  /** Told when the recorder stalls and when it works again. */
  readonly onState?: (state: RecorderState) => void;
  /** Drafts go through memory that both ends share: for a producer of many, in another thread. */
  readonly shared?: boolean;
  /** Given every committed batch of the record, of all producers. Nothing is sent for it unless given. */
  readonly onCommit?: CommitListener;
}

/** A flush that waits for the drafts before it to be sent, or for the recorder's answer. */
interface PendingFlush {
  readonly id: number;
  readonly position: number;
  readonly resolve: () => void;
  readonly reject: (error: AgentguardError) => void;
}

/**
 * Sends drafts in order, one message for all that were appended in one turn of the event loop. At most `window_max`
 * drafts are under way; the rest waits here, bounded. A draft is no longer pending when the recorder says that it is
 * settled.
 */
export class RemoteSink implements RecordSink, Disposable {
  readonly #port: PortLike;
  readonly #options: RemoteSinkOptions;
  readonly #window_max: number;
  readonly #queue: DraftQueue;
  readonly #blocks: DraftBlocks | undefined;
  /** The blocks of the messages that are not settled, in order; `undefined` for one that carries its drafts itself. */
  readonly #filled: (number | undefined)[] = [];
  #under_way = 0;
  #scheduled = false;
  /** In order of position. */
  #unsent_flushes: PendingFlush[] = [];
  readonly #sent_flushes: Map<number, PendingFlush> = new Map();
  #next_id = 1;
  #state: RecorderState = { status: "writing" };
  #closed: AgentguardError | undefined;

  /** Takes the port over: nobody else may post to it or listen on it. */
  constructor(port: PortLike, options: RemoteSinkOptions = {}) {
    this.#port = port;
    this.#options = options;
    this.#window_max = options.window_max ?? LIMITS.recorder_queue_soft;
    this.#queue = new DraftQueue(options.queue_max ?? LIMITS.recorder_queue_soft * 4);
    port.onmessage = (event) => this.#receive(event.data);
    const memory = options.shared === true ? draftMemory() : undefined;
    if (memory !== undefined) {
      this.#blocks = new DraftBlocks(memory);
      port.postMessage(encodeProducerMessage({ op: "memory", memory }));
    }
    if (options.onCommit !== undefined) port.postMessage(encodeProducerMessage({ op: "subscribe" }));
  }

  /** Accepts a draft; returns at once. Throws `closed` after `close`. */
  append(draft: EntryDraft): void {
    if (this.#closed !== undefined) throw this.#closed;
    this.#queue.push(draft);
    if (this.#queue.length >= LIMITS.commit_entries_max) this.#send();
    if (this.#scheduled || this.#queue.length === 0) return;
    this.#scheduled = true;
    soon(() => {
      this.#scheduled = false;
      this.#send();
    });
  }

  /** Drafts accepted here and not yet settled by the recorder. */
  pending(): number {
    return this.#queue.length + this.#under_way;
  }

  /** Drafts that the queue at this end dropped; each is counted in a `gap` entry. */
  dropped(): number {
    return this.#queue.dropped;
  }

  /**
   * Settles when everything appended so far is durable. Rejects as `RecordWriter.flush` does, with `io` when the record
   * cannot be written and what waits here cannot even be sent, with `overflow` when
   * something other than an observation was dropped at this end, and with `closed` when the sink is closed before the
   * answer.
   */
  flush(): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed);
    const loss = this.#queue.lossForFlush();
    if (loss !== undefined) return Promise.reject(loss);
    return new Promise((resolve, reject) => {
      this.#unsent_flushes.push({ id: this.#next_id++, position: this.#queue.end, resolve, reject });
      this.#send();
      this.#rejectStalled();
    });
  }

  /** As `flush`, and rejects with `cancelled` when `signal` aborts before. */
  durable(signal?: AbortSignal): Promise<void> {
    return untilAborted(this.flush(), signal);
  }

  /**
   * Ends the sink: pending flushes reject with `reason`, the port is let go. For a stop in order, `flush` first; for a
   * recorder thread that died, call this with what is known of its end. Doing it twice is harmless.
   */
  close(reason: string = "the sink was closed"): void {
    if (this.#closed !== undefined) return;
    const lost = this.pending();
    this.#closed = new AgentguardError("closed", `record entries: ${reason}; ${lost} entries were not acknowledged`);
    this.#port.onmessage = null;
    for (const flush of [...this.#sent_flushes.values(), ...this.#unsent_flushes]) flush.reject(this.#closed);
    this.#sent_flushes.clear();
    this.#unsent_flushes = [];
  }

  /** The same as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  /** While the record cannot be written, the window does not open: whoever waits for it is told. */
  #rejectStalled(): void {
    if (this.#state.status !== "stalled") return;
    const error = new AgentguardError("io", `flush the record: ${this.#state.reason}`);
    for (const flush of this.#unsent_flushes) flush.reject(error);
    this.#unsent_flushes = [];
  }

  /** Sends what the window allows, and the flushes whose drafts have all been sent. */
  #send(): void {
    if (this.#closed !== undefined) return;
    while (this.#queue.length > 0 && this.#under_way < this.#window_max) {
      const drafts = this.#queue.take(Math.min(LIMITS.commit_entries_max, this.#window_max - this.#under_way));
      this.#under_way += drafts.length;
      for (let sent = 0; sent < drafts.length;) sent += this.#post(drafts, sent);
    }
    while ((this.#unsent_flushes[0]?.position ?? Infinity) <= this.#queue.taken) {
      const flush = this.#unsent_flushes.shift();
      if (flush === undefined) return;
      this.#sent_flushes.set(flush.id, flush);
      this.#port.postMessage(encodeProducerMessage({ op: "flush", id: flush.id }));
    }
  }

  /** Posts some of the drafts from `first` on, in one message; gives how many. */
  #post(drafts: readonly QueuedDraft[], first: number): number {
    const filled = this.#blocks?.fill(drafts, first);
    this.#filled.push(filled?.block);
    if (filled !== undefined) {
      this.#port.postMessage(encodeProducerMessage({ op: "block", ...filled }));
      return filled.classes.length;
    }
    // With blocks left, it is one draft that none of them can take.
    const rest = drafts.slice(first, this.#blocks?.left === true ? first + 1 : undefined);
    this.#port.postMessage(encodeProducerMessage({ op: "append", drafts: rest }));
    return rest.length;
  }

  #receive(data: unknown): void {
    const message = decodeRecorderMessage(data);
    switch (message.op) {
      case "settled":
        this.#under_way -= message.count;
        this.#free(this.#filled.shift());
        this.#send();
        return;
      case "flushed":
        this.#answered(message.id)?.resolve();
        return;
      case "flush_failed":
        this.#answered(message.id)?.reject(flushError(message.code, message.message));
        return;
      case "state":
        this.#state = message.state;
        this.#rejectStalled();
        this.#options.onState?.(message.state);
        return;
      case "committed":
        this.#options.onCommit?.(message.lines.map((line, index) => ({ seq: message.first_seq + index, line })));
        return;
      default:
        assertNever(message);
    }
  }

  #free(block: number | undefined): void {
    if (block !== undefined) this.#blocks?.free(block);
  }

  #answered(id: number): PendingFlush | undefined {
    const flush = this.#sent_flushes.get(id);
    this.#sent_flushes.delete(id);
    return flush;
  }
}
