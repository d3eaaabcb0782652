/**
 * Committed entries as JSON lines in a file or on a descriptor, with a choice of what happens when that is too slow.
 */
import { AgentguardError, errorMessage, invariant } from "../core/mod.ts";
import { LineAdmission } from "./jsonl_admission.ts";
import { errorName, ioError, systemFileCalls } from "./jsonl_calls.ts";
import type { JsonLinesMetrics, JsonLinesOptions, LineConsumer } from "./jsonl_options.ts";
import { JsonLinesOutput, type JsonLinesTarget } from "./jsonl_output.ts";
import type { CommittedEntry } from "./recorder.ts";
import { Waiters } from "./waiters.ts";

/** One write. */
const BATCH_LINES_MAX = 4_096;
const BATCH_CHARS_MAX = 1_048_576;
/** Pauses between attempts while writing fails: doubled each time, milliseconds. */
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 5_000;

/** Somebody who waits for one thing. */
interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: AgentguardError) => void;
}

/**
 * Opens the target. Rejects with `io`; `config` for a path that is no file; `invariant` for `fallback` without a second
 * sink.
 */
export async function openJsonLinesSink(target: JsonLinesTarget, options: JsonLinesOptions): Promise<JsonLinesSink> {
  const uses_fallback = options.decisions === "fallback" || options.observations === "fallback";
  invariant(!uses_fallback || options.fallback !== undefined, "open JSON lines: give a second sink to fall back to");
  const kept = options.files_kept ?? 1;
  invariant(Number.isInteger(kept) && kept >= 1 && kept <= 1_000, "open JSON lines: keep 1 to 1,000 files");
  const syncs = options.sync !== undefined && options.sync !== "never";
  const parts = { ...options, calls: options.calls ?? systemFileCalls, syncs };
  return new JsonLinesSink(await JsonLinesOutput.open(target, parts), options);
}

/**
 * Writes in groups, beside its callers. While the target refuses, lines wait and the attempts go on; a descriptor whose
 * reader has gone refuses for ever. A failure moves no line and leaves no part of one in a file.
 */
export class JsonLinesSink implements LineConsumer, AsyncDisposable {
  readonly #output: JsonLinesOutput;
  readonly #options: JsonLinesOptions;
  readonly #lines: LineAdmission;
  readonly #flushes: Waiters = new Waiters();
  /** Callers that wait for room. */
  #waiters: Waiter[] = [];
  #reopens: Waiter[] = [];
  #running: Promise<void> | undefined;
  #closed = false;
  /** The reader has gone. */
  #gone: AgentguardError | undefined;
  #retry_ms = RETRY_MS_MIN;
  #retry: Disposable | undefined;
  #sync: Disposable | undefined;
  #sync_due = false;
  #unsynced = false;
  #written = 0;
  #bytes = 0;
  #errors = 0;

  /** Takes over an opened output; `openJsonLinesSink` is the way in. */
  constructor(output: JsonLinesOutput, options: JsonLinesOptions) {
    this.#output = output;
    this.#options = options;
    this.#lines = new LineAdmission(options);
  }

  /**
   * Takes entries in order. Settles at once where all found room or were dropped; with `block` when there is room
   * again, with `fallback` as the second sink does. Rejects with `closed`; with `io` when the reader has gone and an
   * entry would block; with `overflow` when it is called while an earlier call waits, so that the queue stays bounded.
   * Then it took nothing.
   */
  async accept(entries: readonly CommittedEntry[]): Promise<void> {
    await this.offer(entries);
  }

  /** As `accept`, but `undefined` where nothing has to be waited for, and it throws instead of rejecting. */
  offer(entries: readonly CommittedEntry[]): Promise<void> | undefined {
    if (this.#closed) throw new AgentguardError("closed", "write JSON lines: the sink is closed");
    if (this.#waiters.length > 0) {
      throw new AgentguardError("overflow", "write JSON lines: wait until the entries before were taken");
    }
    const refused = this.#gone;
    if (refused !== undefined && this.#lines.wouldBlock(entries)) throw refused;
    const { diverted, waits } = this.#lines.admit(entries, { refused: refused !== undefined });
    this.#wake();
    const room = waits ? this.#untilRoom() : undefined;
    const taken = diverted.length === 0 ? undefined : this.#options.fallback?.accept(diverted);
    return room === undefined ? taken : Promise.all([room, taken]).then(() => {});
  }

  /**
   * Settles when everything accepted so far is written, and durable unless the policy is `never`. Rejects with `io`
   * when the next attempt fails (the lines stay and the attempts go on), with `closed` after `close`.
   */
  flush(): Promise<void> {
    if (this.#closed) return Promise.reject(new AgentguardError("closed", "flush JSON lines: the sink is closed"));
    return this.#gone === undefined ? this.#flushed() : Promise.reject(this.#gone);
  }

  /** Opens the path anew between two groups, for SIGHUP. Rejects with `io`; then the file that is open stays in use. */
  reopen(): Promise<void> {
    if (this.#closed) return Promise.reject(new AgentguardError("closed", "reopen JSON lines: the sink is closed"));
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    return new Promise((resolve, reject) => {
      this.#reopens.push({ resolve, reject });
      this.#hurry();
    });
  }

  /** The figures now. */
  metrics(): JsonLinesMetrics {
    return {
      queued: this.#lines.queue.length,
      written: this.#written,
      dropped: this.#lines.dropped,
      bytes: this.#bytes,
      diverted: this.#lines.diverted,
      errors: this.#errors,
      rotations: this.#output.rotations,
    };
  }

  /**
   * Refuses further entries, makes one last attempt at what waits and closes the file. Rejects with `io`, saying how
   * many lines were not written. Doing it twice is harmless.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    let reason: unknown = this.#gone;
    try {
      if (this.#gone === undefined) await this.#flushed();
    } catch (thrown) {
      reason = thrown;
    }
    this.#retry?.[Symbol.dispose]();
    this.#sync?.[Symbol.dispose]();
    await this.#running;
    const closed = new AgentguardError("closed", "write JSON lines: the sink was closed");
    this.#flushes.fail(closed);
    for (const waiter of [...this.#waiters, ...this.#reopens]) waiter.reject(closed);
    this.#lines.reportLoss();
    await this.#output.close();
    const left = this.#lines.queue.length;
    if (left === 0) return;
    throw new AgentguardError("io", `close JSON lines: ${left} lines were not written: ${errorMessage(reason)}`, {
      cause: reason,
    });
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #untilRoom(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  #flushed(): Promise<void> {
    this.#lines.tellLoss();
    const flushed = this.#flushes.untilDurableOrFailed(this.#lines.queue.pushed);
    this.#hurry();
    return flushed;
  }

  /** Starts an attempt now, also if the next is due only later. */
  #hurry(): void {
    this.#retry?.[Symbol.dispose]();
    this.#retry = undefined;
    this.#wake();
  }

  #wake(): void {
    if (this.#running !== undefined || this.#retry !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      // After `close` only its own flush may start another attempt: what failed then is not tried again.
      const wanted = this.#closed ? this.#flushes.impatient : this.#isDue();
      if (wanted && this.#retry === undefined && this.#gone === undefined) this.#wake();
    });
  }

  #isDue(): boolean {
    const { queue } = this.#lines;
    return queue.length > 0 || queue.lost || this.#reopens.length > 0 || this.#sync_due || this.#flushes.impatient;
  }

  /** Works until nothing is due or an attempt fails. Never rejects. */
  async #run(): Promise<void> {
    while (this.#gone === undefined) {
      await this.#reopenNow();
      if (this.#lines.has_room) this.#lines.tellLoss();
      try {
        if (this.#lines.queue.length > 0) await this.#writeNext();
        const due = this.#sync_due || this.#options.sync === "batch" || this.#flushes.impatient;
        if (due && this.#unsynced && this.#options.sync !== undefined && this.#options.sync !== "never") {
          await this.#syncNow();
        }
      } catch (thrown) {
        await this.#failed(thrown);
        return;
      }
      this.#retry_ms = RETRY_MS_MIN;
      this.#settle();
      if (!this.#isDue()) return;
    }
  }

  async #writeNext(): Promise<void> {
    const batch = this.#lines.queue.peek(BATCH_LINES_MAX, BATCH_CHARS_MAX);
    const { count, bytes } = await this.#output.write(batch.map(({ line }) => line));
    this.#lines.queue.take(count);
    this.#written += count;
    this.#bytes += bytes;
    this.#unsynced = true;
    const { sync } = this.#options;
    if (typeof sync !== "object" || this.#sync !== undefined) return;
    this.#sync = this.#options.timers.after(sync.interval_ms, () => {
      this.#sync_due = true;
      this.#wake();
    });
  }

  async #syncNow(): Promise<void> {
    this.#sync?.[Symbol.dispose]();
    this.#sync = undefined;
    this.#sync_due = false;
    // Tried once: what the system could not write after a failed call is not written by the next one either.
    this.#unsynced = false;
    await this.#output.sync();
  }

  async #reopenNow(): Promise<void> {
    for (const { resolve, reject } of this.#reopens.splice(0)) {
      try {
        await this.#output.reopen();
        resolve();
      } catch (thrown) {
        this.#errors++;
        reject(ioError("reopen", thrown));
      }
    }
  }

  #settle(): void {
    this.#giveRoom();
    this.#flushes.settle(this.#lines.queue.pushed - this.#lines.queue.length);
  }

  #giveRoom(): void {
    if (!this.#lines.has_room) return;
    for (const { resolve } of this.#waiters.splice(0)) resolve();
  }

  /** Tells who waits for this attempt, gives to the second sink what may go there, and plans the next attempt. */
  async #failed(thrown: unknown): Promise<void> {
    this.#errors++;
    const error = ioError("write", thrown);
    this.#options.log.warn("json lines are not written", { error: error.message });
    this.#flushes.fail(error);
    const gone = ["EPIPE", "EBADF", "ECONNRESET"].includes(errorName(thrown));
    if (gone) {
      this.#gone = error;
      for (const { reject } of [...this.#waiters.splice(0), ...this.#reopens.splice(0)]) reject(error);
    }
    await this.#divertHead(gone);
    if (gone) return this.#lines.reportLoss();
    this.#giveRoom();
    if (this.#closed) return;
    this.#retry = this.#options.timers.after(this.#retry_ms, () => {
      this.#retry = undefined;
      this.#wake();
    });
    this.#retry_ms = Math.min(this.#retry_ms * 2, RETRY_MS_MAX);
  }

  /**
   * Lines whose strategy is `fallback` do not wait behind a failure; when all is lost, the others are counted as lost.
   */
  async #divertHead(all: boolean): Promise<void> {
    if (!all && this.#options.fallback === undefined) return;
    const diverted = this.#lines.sortOut({ all });
    if (diverted.length === 0) return;
    try {
      await this.#options.fallback?.accept(diverted);
    } catch (thrown) {
      this.#options.log.error("json lines: the second sink failed, too", { error: errorMessage(thrown) });
      this.#lines.loseDiverted(diverted);
    }
  }
}
