/** Jobs over a fixed number of workers. */
import { AgentguardError, type Counters, counters } from "../core/mod.ts";
import { cancelledError, onAbort, throwIfCancelled } from "./abort.ts";
import { durationBound, integerBound } from "./bound.ts";
import { FairQueue, type JobPriority } from "./fair_queue.ts";
import type { Random } from "./retry.ts";
import type { Scope } from "./scope.ts";
import { systemTimers, type Timers } from "./timers.ts";
import type { WorkerFactory } from "./worker_port.ts";
import { type SlotState, WorkerSlot } from "./worker_slot.ts";

/** Bounds of a pool. */
export interface WorkerPoolOptions {
  /** Workers, 1 to 256. */
  readonly slots: number;
  /** Most jobs that wait, 0 to 1,048,576. */
  readonly queue_max: number;
  /** Most jobs of one key that wait; default `queue_max`. Keeps one key from filling the queue. */
  readonly queue_per_key_max?: number;
  /** How long a worker may ignore the abort of its job before it is terminated, milliseconds; default 1,000. */
  readonly grace_ms?: number;
  /** Delay before the first restart after a crash, milliseconds; doubled at each further one. Default 100. */
  readonly restart_base_ms?: number;
  /** Longest delay before a restart, milliseconds; default 30,000. */
  readonly restart_ms_max?: number;
  /** For the jitter of restarts; default `Math.random`. */
  readonly random?: Random;
  /** Default `systemTimers`. */
  readonly timers?: Timers;
}

/** Where a job stands in the queue, and when it is given up. */
export interface JobOptions {
  /** Keys of one priority take turns. Default the empty key. */
  readonly key?: string;
  /** Default `normal`. */
  readonly priority?: JobPriority;
  /** Time in the queue and in the worker together, milliseconds; default none. */
  readonly deadline_ms?: number;
  /** Gives the job up. */
  readonly signal?: AbortSignal;
}

/** Names of a pool's counters; `failed` are jobs that rejected, `killed` workers that ignored an abort. */
export type PoolCounter =
  | "completed"
  | "failed"
  | "cancelled"
  | "timed_out"
  | "refused"
  | "crashes"
  | "killed"
  | "restarts"
  | "terminate_failures";

/** A pool at one moment. */
export interface PoolStats extends Readonly<Counters<PoolCounter>> {
  /** Jobs that wait. */
  readonly queued: number;
  /** Slots by state. */
  readonly slots: Readonly<Counters<SlotState>>;
}

const SLOTS_MAX = 256;
const QUEUE_MAX = 1_048_576;
const GRACE_MS = 1_000;
const RESTART_BASE_MS = 100;
const RESTART_MS_MAX = 30_000;

interface Job<J, R> {
  readonly payload: J;
  readonly controller: AbortController;
  readonly resolve: (value: R) => void;
  readonly reject: (error: unknown) => void;
  /** Leaves the queue. */
  leave: (() => boolean) | undefined;
  over: boolean;
}

/**
 * Runs jobs, one per worker at a time: higher priorities first, keys of one priority in turns, one key in order.
 * Each job settles once: with its result, its own error, `cancelled`, `timeout`, `closed`, or `WorkerCrashError`. A
 * crash fails the job in hand only; it is not run again, because nobody knows how far it came.
 */
export class WorkerPool<J, R> implements AsyncDisposable {
  /** For messages. */
  readonly name: string;
  readonly #timers: Timers;
  readonly #queue = new FairQueue<Job<J, R>>();
  readonly #queue_max: number;
  readonly #queue_per_key_max: number;
  readonly #slots: readonly WorkerSlot<J, R>[];
  readonly #idle = new Set<WorkerSlot<J, R>>();
  readonly #jobs = new Set<Job<J, R>>();
  readonly #counters: Counters<PoolCounter> = counters([
    "completed",
    "failed",
    "cancelled",
    "timed_out",
    "refused",
    "crashes",
    "killed",
    "restarts",
    "terminate_failures",
  ]);
  #state: "new" | "open" | "closed" = "new";
  #closing: Promise<void> | undefined;

  /** Throws `config` if a bound is out of range. Starts nothing. */
  constructor(name: string, factory: WorkerFactory<J, R>, options: WorkerPoolOptions) {
    const bound = (what: string, value: number, min: number): number =>
      integerBound(`${what} of worker pool "${name}"`, value, { min, max: min === 1 ? SLOTS_MAX : QUEUE_MAX });
    const duration = (what: string, value_ms: number): number =>
      durationBound(`${what} of worker pool "${name}"`, value_ms);
    this.name = name;
    this.#timers = options.timers ?? systemTimers;
    this.#queue_max = bound("queue", options.queue_max, 0);
    this.#queue_per_key_max = bound("queue per key", options.queue_per_key_max ?? options.queue_max, 0);
    const owner = {
      name,
      factory,
      timers: this.#timers,
      backoff: {
        base_ms: duration("restart delay", options.restart_base_ms ?? RESTART_BASE_MS),
        delay_ms_max: duration("longest restart delay", options.restart_ms_max ?? RESTART_MS_MAX),
        random: options.random ?? Math.random,
      },
      grace_ms: duration("grace", options.grace_ms ?? GRACE_MS),
      free: (slot: WorkerSlot<J, R>) => this.#give(slot),
      down: (slot: WorkerSlot<J, R>) => void this.#idle.delete(slot),
      count: (what: PoolCounter) => void this.#counters[what]++,
    };
    this.#slots = Array.from({ length: bound("slots", options.slots, 1) }, (_, index) => new WorkerSlot(index, owner));
  }

  /**
   * Starts the workers and belongs to the scope from now on. Throws `closed`, and what the factory throws; the pool is
   * then closed. Works once.
   */
  start(scope: Scope): void {
    if (this.#state !== "new") {
      throw new AgentguardError("invariant", `start worker pool "${this.name}": it was started before`);
    }
    scope.use(this, `worker pool "${this.name}"`);
    this.#state = "closed";
    for (const slot of this.#slots) slot.open();
    this.#state = "open";
  }

  /** Runs a job. Throws `overflow` when the queue is full, `closed` before `start` and after `close`. */
  async run(payload: J, options: JobOptions = {}): Promise<R> {
    const { key = "", priority = "normal", signal, deadline_ms = Infinity } = options;
    const action = `run job in worker pool "${this.name}"`;
    if (this.#state !== "open") throw this.#closedError();
    throwIfCancelled(action, signal);
    durationBound(`deadline of a job in worker pool "${this.name}"`, deadline_ms);
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    const controller = new AbortController();
    const job: Job<J, R> = { payload, controller, resolve, reject, leave: undefined, over: false };
    const slot = this.#takeIdle();
    if (slot === undefined) this.#enqueue(job, { key, priority });
    this.#jobs.add(job);
    using _listener = onAbort(signal, () => this.#giveUp(job, "cancelled", cancelledError(action, signal)));
    using _deadline = deadline_ms === Infinity ? undefined : this.#timers.after(deadline_ms, () => {
      const message = `${action}: it missed its deadline of ${deadline_ms} ms`;
      this.#giveUp(job, "timed_out", new AgentguardError("timeout", message));
    });
    if (slot !== undefined) this.#execute(slot, job);
    try {
      return await promise;
    } finally {
      this.#jobs.delete(job);
    }
  }

  /** How the pool stands. */
  stats(): PoolStats {
    const slots = counters<SlotState>(["idle", "busy", "down", "closed"]);
    for (const slot of this.#slots) slots[slot.state]++;
    return { ...this.#counters, queued: this.#queue.size, slots };
  }

  /**
   * Ends the pool: all jobs get `closed` at once, workers have `grace_ms` to stop what they do and are terminated.
   * Throws what `terminate` throws. Every call gives the same promise.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#state = "closed";
    for (const job of this.#jobs) this.#giveUp(job, "cancelled", this.#closedError());
    const ends = await Promise.allSettled(this.#slots.map((slot) => slot.close()));
    const failures = ends.flatMap((end) => end.status === "rejected" ? [end.reason] : []);
    if (failures.length === 0) return;
    const message = `close worker pool "${this.name}": ${failures.length} workers could not be terminated`;
    throw new AgentguardError("io", message, { cause: new AggregateError(failures) });
  }

  #takeIdle(): WorkerSlot<J, R> | undefined {
    for (const slot of this.#idle) {
      this.#idle.delete(slot);
      return slot;
    }
    return undefined;
  }

  #enqueue(job: Job<J, R>, place: { readonly key: string; readonly priority: JobPriority }): void {
    const full = this.#queue.size >= this.#queue_max;
    if (full || this.#queue.waiting(place.key) >= this.#queue_per_key_max) {
      this.#counters.refused++;
      const what = full ? `${this.#queue_max} jobs wait` : `${this.#queue_per_key_max} jobs of key "${place.key}" wait`;
      throw new AgentguardError("overflow", `run job in worker pool "${this.name}": its queue is full, ${what}`);
    }
    job.leave = this.#queue.push(job, place);
  }

  #give(slot: WorkerSlot<J, R>): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#idle.add(slot);
    else this.#execute(slot, next.value);
  }

  #execute(slot: WorkerSlot<J, R>, job: Job<J, R>): void {
    slot.run(job.payload, job.controller.signal).then(
      (value) => this.#settle(job, "completed", () => job.resolve(value)),
      (error: unknown) => this.#settle(job, "failed", () => job.reject(error)),
    );
  }

  #giveUp(job: Job<J, R>, how: "cancelled" | "timed_out", error: AgentguardError): void {
    this.#settle(job, how, () => job.reject(error));
    job.leave?.();
    job.controller.abort(error);
  }

  #settle(job: Job<J, R>, how: PoolCounter, settle: () => void): void {
    if (job.over) return;
    job.over = true;
    this.#counters[how]++;
    settle();
  }

  #closedError(): AgentguardError {
    return new AgentguardError("closed", `run job in worker pool "${this.name}": it is not running`);
  }
}
