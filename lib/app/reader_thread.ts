/** Main's side of the kernel reader thread. */
import { AgentguardError, counters } from "../core/mod.ts";
import { openShim, SystemCalls, wake } from "../../ffi/mod.ts";
import type { ProbeSupport } from "../source/mod.ts";
import type { HolderMaps } from "./holder_protocol.ts";
import {
  type BeginSession,
  type PolicyLoad,
  type ReaderConnect,
  type ReaderEvent,
  type ReaderMessage,
  type ReaderOpened,
  type ReaderRequest,
  type ReaderStart,
  type SessionEnd,
  STAT_NAMES,
  type StatName,
  STATS_BYTES,
} from "./reader_protocol.ts";
import { ThreadCalls } from "./thread_calls.ts";
import { workerUrl } from "./worker_url.ts";

/** What is needed to open the reader. */
export interface ReaderThreadParts {
  readonly policy: PolicyLoad;
  /** The reader's port to the recorder. */
  readonly recorder: MessagePort;
  readonly onEvent: (event: ReaderEvent) => void;
}

/** The reader: one thread that owns the probes. */
export class ReaderThread {
  readonly #worker: Worker;
  readonly #system: SystemCalls;
  readonly #stats: Float64Array;
  readonly #shared: SharedArrayBuffer;
  #onEvent: (event: ReaderEvent) => void = () => {};
  readonly #calls: ThreadCalls<ReaderRequest>;
  #support: readonly ProbeSupport[] = [];
  #wake_fd = -1;
  #maps: HolderMaps | undefined;

  private constructor() {
    this.#system = new SystemCalls(openShim());
    this.#shared = new SharedArrayBuffer(STATS_BYTES);
    this.#stats = new Float64Array(this.#shared);
    this.#worker = new Worker(workerUrl("reader_worker"));
    this.#worker.onmessage = (event: MessageEvent<ReaderMessage>) => this.#receive(event.data);
    this.#worker.onerror = (event) => this.#fail(new AgentguardError("io", `run the kernel reader: ${event.message}`));
    this.#calls = new ThreadCalls((call, transfer) => this.#worker.postMessage(call, transfer));
    const start: ReaderStart = { self_pid: process.pid };
    this.#worker.postMessage(start);
  }

  /**
   * Starts the thread, which loads the probes while others read the policy. `open` or `terminate` must follow; nothing
   * is attached, and nobody is seen, before that.
   */
  static spawn(): ReaderThread {
    return new ReaderThread();
  }

  /** Makes the thread ready. Throws `unsupported` where this kernel or user takes no probes; it has ended then. */
  async open(parts: ReaderThreadParts): Promise<void> {
    try {
      this.#onEvent = parts.onEvent;
      const connect: ReaderConnect = { recorder: parts.recorder };
      this.#worker.postMessage(connect, [parts.recorder]);
      const opened = await this.#call({ op: "open", policy: parts.policy, stats: this.#shared });
      if (!isOpened(opened)) {
        throw new AgentguardError("invariant", "open the kernel reader: it answered with something else");
      }
      this.#support = opened.support;
      this.#wake_fd = opened.wake_fd;
      this.#maps = opened.maps;
    } catch (error) {
      this.terminate();
      throw error;
    }
  }

  /** Which programs this kernel took. */
  get support(): readonly ProbeSupport[] {
    return this.#support;
  }

  /** Descriptor of the map that marks the tasks of sessions; -1 before the probes are loaded. */
  get scopes_fd(): number {
    return this.#maps?.scopes_fd ?? -1;
  }

  /** What the thread that answers held calls needs of the probes. */
  get maps(): HolderMaps {
    if (this.#maps === undefined) throw new AgentguardError("closed", "use the kernel reader: it is not open");
    return this.#maps;
  }

  /** Ends its wait. */
  get wake_fd(): number {
    return this.#wake_fd;
  }

  /** A way to have held calls decided by what happened before. */
  async connectPast(): Promise<MessagePort> {
    const { port1, port2 } = new MessageChannel();
    await this.#call({ op: "past", port: port1 }, [port1]);
    return port2;
  }

  /** Statistics as they are now. */
  stats(): Record<StatName, number> {
    const found = counters(STAT_NAMES);
    STAT_NAMES.forEach((name, index) => found[name] = this.#stats[index] ?? 0);
    return found;
  }

  /** Begins a session: from its return on everything that its process does is seen. */
  async begin(begin: BeginSession): Promise<void> {
    await this.#call({ op: "begin", begin });
  }

  /** Ends a session: all that it did is durable when this returns, and after it how it ended. */
  async end(scope: number, exit: SessionEnd): Promise<void> {
    await this.#call({ op: "end", scope, exit });
  }

  /** Looks for agents from now on. */
  async search(): Promise<void> {
    await this.#call({ op: "search" });
  }

  /** Everything until now is in the record when this returns. */
  async flush(): Promise<void> {
    await this.#call({ op: "flush" });
  }

  /** Decides by another policy. */
  async setPolicy(policy: PolicyLoad): Promise<void> {
    await this.#call({ op: "policy", policy });
  }

  /** Detaches, drains, flushes and ends the thread. */
  async close(): Promise<void> {
    try {
      await this.#call({ op: "close" });
    } finally {
      this.#worker.terminate();
    }
  }

  /** Ends the thread at once: the kernel detaches what it had attached. */
  terminate(): void {
    this.#worker.terminate();
  }

  #call(request: ReaderRequest, transfer: Bun.Transferable[] = []): Promise<unknown> {
    const answered = this.#calls.call(request, transfer);
    // The reader may be waiting for the kernel, up to its longest wait.
    if (this.#wake_fd >= 0) wake(this.#system, this.#wake_fd);
    return answered;
  }

  #receive(message: ReaderMessage): void {
    if ("event" in message) {
      this.#onEvent(message);
      return;
    }
    this.#calls.settle(message);
  }

  #fail(error: AgentguardError): void {
    this.#calls.fail(error);
    this.#onEvent({ event: "loss", gap: { source: "reader", type: error.message, count: 1 } });
  }
}

function isOpened(value: unknown): value is ReaderOpened {
  return typeof value === "object" && value !== null && "support" in value && "wake_fd" in value && "maps" in value;
}
