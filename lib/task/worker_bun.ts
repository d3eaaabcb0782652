/** Worker threads of Bun for a pool. */
import { AgentguardError } from "../core/mod.ts";
import { onAbort } from "./abort.ts";
import type { WorkerFactory, WorkerHandle } from "./worker_port.ts";
import { parseResponse, type WorkerRequest } from "./worker_wire.ts";

/** How jobs cross to a worker thread. */
export interface BunWorkerOptions<J, R> {
  /** Checks a result that came back; throwing fails the job. */
  readonly parse: (value: unknown) => R;
  /** What of a job is moved instead of copied. Default nothing. */
  readonly transfer?: (job: J) => Bun.Transferable[];
}

/**
 * Makes handles of real workers whose module calls `serveJobs`. `open` is `() => new Worker(...)` with the literal
 * module at the call, so that the bundler sees it. An uncaught error, an exit and a message out of form are crashes.
 */
export function bunWorkerFactory<J, R>(open: () => Worker, options: BunWorkerOptions<J, R>): WorkerFactory<J, R> {
  return (_slot, crashed) => new BunWorkerHandle(open(), crashed, options);
}

class BunWorkerHandle<J, R> implements WorkerHandle<J, R> {
  readonly #worker: Worker;
  readonly #options: BunWorkerOptions<J, R>;
  readonly #pending = new Map<number, PromiseWithResolvers<R>>();
  #next_id = 0;
  #ended = false;

  constructor(worker: Worker, crashed: (cause: unknown) => void, options: BunWorkerOptions<J, R>) {
    this.#worker = worker;
    this.#options = options;
    const crash = (message: string): void => {
      if (this.#ended) return;
      const cause = new AgentguardError("io", message);
      crashed(cause);
      this.#end(cause);
    };
    worker.addEventListener("message", (event: MessageEvent<unknown>) => {
      if (!this.#answer(event.data)) crash("read worker message: it has not the form of an answer");
    });
    worker.addEventListener("messageerror", () => crash("read worker message: it could not be decoded"));
    worker.addEventListener("error", (event) => crash(`run worker: uncaught ${lastError(event.message)}`));
    worker.addEventListener("close", (event) => crash(`run worker: it exited with code ${event.code}`));
  }

  async run(job: J, signal: AbortSignal): Promise<R> {
    const id = this.#next_id++;
    const pending = Promise.withResolvers<R>();
    this.#pending.set(id, pending);
    try {
      this.#post({ kind: "run", id, job }, this.#options.transfer?.(job) ?? []);
      // The answer is still awaited: until it comes the worker is not free.
      using _listener = onAbort(signal, () => this.#post({ kind: "cancel", id }, []));
      return await pending.promise;
    } finally {
      this.#pending.delete(id);
    }
  }

  terminate(): void {
    this.#end(new AgentguardError("closed", "run job in worker: it was terminated"));
  }

  #post(request: WorkerRequest, transfer: Bun.Transferable[]): void {
    this.#worker.postMessage(request, transfer);
  }

  /** Settles the job that a message answers; false if it answers none. */
  #answer(data: unknown): boolean {
    if (this.#ended) return true;
    const response = parseResponse(data);
    const pending = response === undefined ? undefined : this.#pending.get(response.id);
    if (response === undefined || pending === undefined) return false;
    if (response.kind === "error") {
      pending.reject(new AgentguardError(response.code, response.message));
      return true;
    }
    try {
      pending.resolve(this.#options.parse(response.value));
    } catch (error) {
      pending.reject(error);
    }
    return true;
  }

  #end(cause: AgentguardError): void {
    this.#ended = true;
    this.#worker.terminate();
    for (const pending of this.#pending.values()) pending.reject(cause);
  }
}

/** Bun puts lines of source before the message of an uncaught error; those are left out. */
function lastError(message: string): string {
  const lines = message.split("\n");
  return lines.findLast((line) => /^\w*[Ee]rror: /.test(line)) ?? lines[0] ?? "error";
}
