/** Main's side of the thread that answers held calls. */
import {
  AgentguardError,
  type ApprovalPort,
  counters,
  errorMessage,
  type SessionId,
  type SessionInfo,
} from "../core/mod.ts";
import { openShim, SystemCalls, wake } from "../../ffi/mod.ts";
import {
  HOLD_STAT_NAMES,
  HOLD_STATS_BYTES,
  type HolderMaps,
  type HolderMessage,
  type HolderOpened,
  type HolderRequest,
  type HoldStatName,
} from "./holder_protocol.ts";
import type { PolicyLoad } from "./reader_protocol.ts";
import type { TallyReport } from "./tally_sink.ts";
import { ThreadCalls } from "./thread_calls.ts";
import { workerUrl } from "./worker_url.ts";
import type { WritePlace } from "./write_places.ts";

/** What is needed to start it. */
export interface HolderThreadParts {
  readonly policy: PolicyLoad;
  readonly maps: HolderMaps;
  /** Its port to the recorder. */
  readonly recorder: MessagePort;
  /** Its port to the reader. */
  readonly past: MessagePort;
  readonly reader_wake_fd: number;
  readonly approvals: ApprovalPort;
  readonly onTally: (reports: readonly TallyReport[]) => void;
  /** It cannot go on. */
  readonly onFailure: (reason: string) => void;
}

/** One thread for the held calls of all sessions. */
export class HolderThread {
  readonly #worker: Worker;
  readonly #system: SystemCalls;
  readonly #parts: HolderThreadParts;
  readonly #shared = new SharedArrayBuffer(HOLD_STATS_BYTES);
  readonly #stats = new Float64Array(this.#shared, 0, HOLD_STAT_NAMES.length);
  readonly #sent = new Int32Array(this.#shared, HOLD_STAT_NAMES.length * 8, 1);
  readonly #calls: ThreadCalls<HolderRequest>;
  #wake_fd = -1;

  private constructor(parts: HolderThreadParts) {
    this.#parts = parts;
    this.#system = new SystemCalls(openShim());
    this.#worker = new Worker(workerUrl("holder_worker"));
    this.#worker.onmessage = (event: MessageEvent<HolderMessage>) => this.#receive(event.data);
    this.#worker.onerror = (event) => this.#fail(`answer held calls: ${event.message}`);
    this.#worker.postMessage({ recorder: parts.recorder }, [parts.recorder]);
    this.#calls = new ThreadCalls((call, transfer) => this.#worker.postMessage(call, transfer));
  }

  /** Starts the thread. Throws `io`. */
  static async start(parts: HolderThreadParts): Promise<HolderThread> {
    const thread = new HolderThread(parts);
    const { policy, maps, past, reader_wake_fd } = parts;
    try {
      const request: HolderRequest = { op: "open", policy, maps, stats: thread.#shared, past, reader_wake_fd };
      const opened = await thread.#call(request, [past]);
      if (!isOpened(opened)) throw new AgentguardError("invariant", "open the holder: it answered with something else");
      thread.#wake_fd = opened.wake_fd;
    } catch (error) {
      thread.#worker.terminate();
      throw error;
    }
    return thread;
  }

  /** Statistics as they are now. */
  stats(): Record<HoldStatName, number> {
    const found = counters(HOLD_STAT_NAMES);
    HOLD_STAT_NAMES.forEach((name, index) => found[name] = this.#stats[index] ?? 0);
    return found;
  }

  /**
   * Watches what `pid`, which waits before its exec, and its descendants read. Gives a descriptor of this process which
   * somebody must keep who outlives it. Throws `unsupported`.
   */
  async watch(session: SessionInfo, pid: number): Promise<number> {
    const fd = await this.#call({ op: "watch", session, pid });
    if (typeof fd === "number") return fd;
    throw new AgentguardError("invariant", "watch opens: the holder answered with something else");
  }

  /** Answers the calls of a session from now on; the listener is the thread's to close. */
  async begin(
    session: SessionInfo,
    listener_fd: number,
    { places, held_file }: {
      readonly places: readonly WritePlace[] | undefined;
      readonly held_file: string | undefined;
    },
  ): Promise<void> {
    await this.#call({ op: "begin", session, listener_fd, places, held_file });
  }

  /** Refuses what of the session still waits. */
  async end(session_id: SessionId): Promise<void> {
    await this.#call({ op: "end", session_id });
  }

  /** Decides later calls by another policy. */
  async setPolicy(policy: PolicyLoad): Promise<void> {
    await this.#call({ op: "policy", policy });
  }

  /** Refuses what waits, flushes and ends the thread. */
  async close(): Promise<void> {
    try {
      await this.#call({ op: "close" });
    } finally {
      this.#worker.terminate();
    }
  }

  /** Ends the thread at once. */
  terminate(): void {
    this.#worker.terminate();
  }

  #call(request: HolderRequest, transfer: Bun.Transferable[] = []): Promise<unknown> {
    const answered = this.#calls.call(request, transfer);
    Atomics.add(this.#sent, 0, 1);
    if (this.#wake_fd >= 0) wake(this.#system, this.#wake_fd);
    return answered;
  }

  #receive(message: HolderMessage): void {
    if (!("event" in message)) {
      this.#calls.settle(message);
      return;
    }
    switch (message.event) {
      case "ask":
        void this.#parts.approvals.ask(message.request)
          .then((answer) => this.#call({ op: "answer", answer }))
          .catch((error: unknown) => this.#parts.onFailure(errorMessage(error)));
        return;
      case "tally":
        this.#parts.onTally(message.reports);
        return;
      case "withdraw":
        this.#parts.approvals.withdraw(message.approval_id);
        return;
      default:
        this.#fail(message.reason);
    }
  }

  #fail(reason: string): void {
    this.#calls.fail(new AgentguardError("io", reason));
    this.#parts.onFailure(reason);
  }
}

function isOpened(value: unknown): value is HolderOpened {
  return typeof value === "object" && value !== null && "wake_fd" in value;
}
