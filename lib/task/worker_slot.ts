/** One place of a pool, and the worker in it. Private to this folder. */
import { AgentguardError, errorMessage, invariant } from "../core/mod.ts";
import { onAbort } from "./abort.ts";
import { backoffMs, type BackoffOptions } from "./retry.ts";
import type { Timers } from "./timers.ts";
import { WorkerCrashError, type WorkerFactory, type WorkerHandle } from "./worker_port.ts";

/** What a slot is told by its pool, and tells it. */
export interface SlotOwner<J, R> {
  readonly name: string;
  readonly factory: WorkerFactory<J, R>;
  readonly timers: Timers;
  readonly backoff: BackoffOptions;
  /** Time between the abort of a job and the end of the worker that did not heed it, milliseconds. */
  readonly grace_ms: number;
  /** The slot can take a job. */
  free(slot: WorkerSlot<J, R>): void;
  /** The slot cannot take a job until it is free again. */
  down(slot: WorkerSlot<J, R>): void;
  count(what: "crashes" | "killed" | "restarts" | "terminate_failures"): void;
}

/** `down` waits for its restart. */
export type SlotState = "idle" | "busy" | "down" | "closed";

/** One worker from its start to its end. */
interface Life<J, R> {
  handle: WorkerHandle<J, R> | undefined;
}

/** The job in hand. */
interface Run {
  readonly fail: (error: unknown) => void;
  readonly freed: PromiseWithResolvers<void>;
  watch: Disposable | undefined;
  killer: Disposable | undefined;
}

/** Keeps one worker running: restarts it with growing delays after a crash, ends it when it ignores an abort. */
export class WorkerSlot<J, R> {
  /** 0 and up. */
  readonly index: number;
  readonly #owner: SlotOwner<J, R>;
  #state: SlotState = "down";
  #life: Life<J, R> | undefined;
  #run: Run | undefined;
  #restart: Disposable | undefined;
  /** Crashes since a worker of this slot last finished a job. */
  #crashes = 0;

  constructor(index: number, owner: SlotOwner<J, R>) {
    this.index = index;
    this.#owner = owner;
  }

  /** How the slot stands. */
  get state(): SlotState {
    return this.#state;
  }

  /** Starts the worker; throws what the factory throws. */
  open(): void {
    const life: Life<J, R> = { handle: undefined };
    this.#life = life;
    const handle = this.#owner.factory(this.index, (cause) => this.#crashed(life, cause));
    life.handle = handle;
    // It may have crashed while it was being made.
    if (this.#life !== life) return;
    this.#state = "idle";
    this.#owner.free(this);
  }

  /** Does a job; the slot must be idle. Rejects like the job, or with `WorkerCrashError`. */
  run(job: J, signal: AbortSignal): Promise<R> {
    const life = this.#life;
    const handle = life?.handle;
    invariant(this.#state === "idle" && life !== undefined && handle !== undefined, "give a job to an idle slot only");
    const { promise, resolve, reject } = Promise.withResolvers<R>();
    const run: Run = { fail: reject, freed: Promise.withResolvers(), watch: undefined, killer: undefined };
    this.#state = "busy";
    this.#run = run;
    run.watch = onAbort(signal, () => {
      run.killer = this.#owner.timers.after(this.#owner.grace_ms, () => this.#kill(life));
    });
    Promise.try(() => handle.run(job, signal)).then(
      (value) => this.#finished(run, () => resolve(value)),
      (error: unknown) => this.#finished(run, () => reject(error)),
    );
    return promise;
  }

  /** Ends the slot: waits for an aborted job until its grace is over, then terminates; throws what that throws. */
  async close(): Promise<void> {
    const run = this.#run;
    this.#restart?.[Symbol.dispose]();
    this.#state = "closed";
    if (run !== undefined) await run.freed.promise;
    const handle = this.#life?.handle;
    this.#life = undefined;
    await handle?.terminate();
  }

  #finished(run: Run, settle: () => void): void {
    // After a crash the job has failed already and the slot belongs to another worker.
    if (this.#run !== run) return;
    this.#crashes = 0;
    this.#release(run);
    settle();
    if (this.#state === "closed") return;
    this.#state = "idle";
    this.#owner.free(this);
  }

  #release(run: Run): void {
    this.#run = undefined;
    run.watch?.[Symbol.dispose]();
    run.killer?.[Symbol.dispose]();
    run.freed.resolve();
  }

  #crashed(life: Life<J, R>, cause: unknown): void {
    if (this.#life !== life) return;
    this.#owner.count("crashes");
    this.#lose(cause, "crashed");
  }

  #kill(life: Life<J, R>): void {
    if (this.#life !== life) return;
    this.#owner.count("killed");
    const handle = life.handle;
    const message = `the job ran on for ${this.#owner.grace_ms} ms after it was told to stop`;
    this.#lose(new AgentguardError("timeout", message), "was ended");
    Promise.try(() => handle?.terminate()).catch(() => this.#owner.count("terminate_failures"));
  }

  /** The worker is gone: fails its job and starts another one after a delay. */
  #lose(cause: unknown, what: string): void {
    this.#life = undefined;
    this.#crashes++;
    const run = this.#run;
    if (run !== undefined) {
      this.#release(run);
      const text = `run job in worker pool "${this.#owner.name}": worker ${this.index} ${what}: ${errorMessage(cause)}`;
      run.fail(new WorkerCrashError(text, this.index, { cause }));
    }
    if (this.#state === "closed") return;
    this.#state = "down";
    this.#owner.down(this);
    const delay_ms = backoffMs(this.#crashes, this.#owner.backoff);
    this.#restart = this.#owner.timers.after(delay_ms, () => this.#reopen());
  }

  #reopen(): void {
    this.#owner.count("restarts");
    try {
      this.open();
    } catch (error) {
      const life = this.#life;
      if (life !== undefined) this.#crashed(life, error);
    }
  }
}
