/** What a worker pool asks of a worker, whether a thread or an in-process stand-in. */
import { AgentguardError } from "../core/mod.ts";

/** One running worker. It gets one job at a time. */
export interface WorkerHandle<J, R> {
  /**
   * Does a job. Settles only when the worker is free again: after an abort of the signal it should reject soon, or the
   * pool terminates the worker. Rejecting says that the job failed, not the worker.
   */
  run(job: J, signal: AbortSignal): Promise<R>;
  /** Ends the worker at once, whatever it does. Called once. */
  terminate(): void | PromiseLike<void>;
}

/**
 * Starts the worker of `slot` (0 and up). The worker calls `crashed` when it has ended without `terminate`; the pool
 * then starts another one. Throwing counts as a crash, except while the pool starts.
 */
export type WorkerFactory<J, R> = (slot: number, crashed: (cause: unknown) => void) => WorkerHandle<J, R>;

/** A job failed because its worker ended under it (code `io`), or had to be ended (the cause says why). */
export class WorkerCrashError extends AgentguardError {
  /** The slot whose worker ended. */
  readonly slot: number;
  constructor(message: string, slot: number, options: { readonly cause?: unknown } = {}) {
    super("io", message, options);
    this.name = "WorkerCrashError";
    this.slot = slot;
  }
}
