/** Main's side of the recorder thread. */
import { readFileSync } from "node:fs";
import { AgentguardError, errorMessage, type Log } from "../core/mod.ts";
import {
  type CommitListener,
  type KeepReport,
  type KeepRequest,
  messagePort,
  type RecorderState,
  RemoteSink,
} from "../record/mod.ts";
import { workerUrl } from "./worker_url.ts";
import type { RecorderMetrics, RecorderReport, RecorderRequest, RecorderSettings } from "./recorder_protocol.ts";

/** The recorder: one thread, one record, any number of producers. */
export class RecorderThread {
  /** Main's own way to the record. */
  readonly sink: RemoteSink;
  readonly #worker: Worker;
  readonly #log: Log;
  #state: RecorderState = { status: "writing" };
  #metrics: RecorderMetrics | undefined;
  readonly #closed = Promise.withResolvers<void>();
  readonly #opened = Promise.withResolvers<void>();
  /** Ports made before the record was open. */
  #waiting: MessagePort[] = [];
  readonly #keeping: Map<number, PromiseWithResolvers<KeepReport>> = new Map();
  #next_keep = 1;
  #configuring: PromiseWithResolvers<void> | undefined;
  #is_open = false;
  #closing = false;

  private constructor(log: Log) {
    this.#log = log;
    this.#worker = new Worker(workerUrl("recorder_worker"));
    this.#worker.onmessage = (event: MessageEvent<RecorderReport>) => this.#receive(event.data);
    this.#worker.onerror = (event) => this.#failed(new AgentguardError("io", `run the recorder: ${event.message}`));
    this.sink = new RemoteSink(messagePort(this.connect()));
  }

  /** Starts the thread; producers may connect at once, `open` must follow. */
  static create(log: Log): RecorderThread {
    return new RecorderThread(log);
  }

  /** Opens the record in `directory`. Throws what opening throws: `busy`, `tamper`, `io`; the thread has ended then. */
  async open(directory: string, settings: RecorderSettings): Promise<void> {
    this.#post({ op: "open", directory, boot_id: bootId(), settings });
    try {
      await this.#opened.promise;
    } catch (error) {
      this.#closing = true;
      this.#worker.terminate();
      throw error;
    }
    for (const port of this.#waiting) this.#post({ op: "serve", port }, [port]);
    this.#waiting = [];
    this.#is_open = true;
  }

  /** Whether entries become durable. */
  get state(): RecorderState {
    return this.#state;
  }

  /** The newest figures; absent before the first commit. */
  get metrics(): RecorderMetrics | undefined {
    return this.#metrics;
  }

  /** Lets the sinks open their files anew; what fails is logged. */
  reopen(): void {
    if (this.#is_open && !this.#closing) this.#post({ op: "reopen" });
  }

  /**
   * Puts sinks, retention and anchors in force; the other settings count from the next start. One call after the other.
   * Rejects with what opening a sink or naming an anchor throws; then nothing has changed.
   */
  configure(settings: RecorderSettings): Promise<void> {
    if (!this.#is_open || this.#closing) return Promise.reject(closedError("configure the record"));
    this.#configuring = Promise.withResolvers();
    this.#post({ op: "configure", settings });
    return this.#configuring.promise;
  }

  /** `configure` with the settings of before, after a reload that was refused half way; what fails is logged. */
  async restore(settings: RecorderSettings): Promise<void> {
    try {
      await this.configure(settings);
    } catch (error) {
      this.#log.error(`the record keeps the new [record]: ${errorMessage(error)}`);
    }
  }

  /** Prunes, erases, holds; rejects as `Keeper.request` does, and with `closed` where the thread has ended. */
  keep(request: KeepRequest): Promise<KeepReport> {
    if (!this.#is_open || this.#closing) return Promise.reject(closedError("keep the record"));
    const waiting = Promise.withResolvers<KeepReport>();
    const id = this.#next_keep++;
    this.#keeping.set(id, waiting);
    this.#post({ op: "keep", id, request });
    return waiting.promise;
  }

  /** A port for another producer; give it to the thread that produces. */
  connect(): MessagePort {
    const channel = new MessageChannel();
    if (this.#is_open) this.#post({ op: "serve", port: channel.port1 }, [channel.port1]);
    else this.#waiting.push(channel.port1);
    return channel.port2;
  }

  /** Every committed entry from now on, as canonical JSON. */
  follow(onCommit: CommitListener): RemoteSink {
    return new RemoteSink(messagePort(this.connect()), { onCommit });
  }

  /** Commits what was appended and ends the thread. Throws `io` where it could not be made durable. */
  async close(): Promise<void> {
    if (this.#closing) return await this.#closed.promise;
    this.#closing = true;
    // What main appended travels by another way than the request to close: it must have arrived. What cannot be written
    // is told by the answer to `close`.
    await this.sink.flush().catch(() => {});
    this.#post({ op: "close" });
    try {
      await this.#closed.promise;
    } finally {
      this.sink.close("the recorder was closed");
      for (const waiting of this.#keeping.values()) waiting.reject(closedError("keep the record"));
      this.#configuring?.reject(closedError("configure the record"));
      this.#worker.terminate();
    }
  }

  #receive(report: RecorderReport): void {
    switch (report.op) {
      case "opened":
        this.#opened.resolve();
        return;
      case "closed":
        this.#closed.resolve();
        return;
      case "kept":
        this.#keeping.get(report.id)?.resolve(report.report);
        this.#keeping.delete(report.id);
        return;
      case "keep_failed":
        this.#keeping.get(report.id)?.reject(new AgentguardError(report.code, report.message));
        this.#keeping.delete(report.id);
        return;
      case "configured":
        this.#configuring?.resolve();
        return;
      case "configure_failed":
        this.#configuring?.reject(new AgentguardError(report.code, report.message));
        return;
      case "metrics":
        this.#metrics = report.metrics;
        return;
      case "failed":
        this.#failed(new AgentguardError(report.code, report.message));
        return;
      case "state":
        this.#state = report.state;
        if (report.state.status === "stalled") {
          this.#log.error(`the record cannot be written: ${report.state.reason}; entries wait in memory`);
        } else this.#log.info("the record is written again");
        return;
      default:
        this.#log[report.level](report.message);
    }
  }

  #failed(error: AgentguardError): void {
    this.#opened.reject(error);
    if (this.#closing) this.#closed.reject(error);
    else if (this.#is_open) this.#log.error(error.message);
  }

  #post(request: RecorderRequest, transfer: Bun.Transferable[] = []): void {
    this.#worker.postMessage(request, transfer);
  }
}

function closedError(what: string): AgentguardError {
  return new AgentguardError("closed", `${what}: the recorder is closed`);
}

/** The kernel's boot, random(4). */
function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
}
