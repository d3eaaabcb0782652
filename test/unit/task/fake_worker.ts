/** Workers without threads, for tests of the pool. */
import { onAbort, type WorkerFactory } from "../../../lib/task/mod.ts";

/** A job that a fake worker has in hand. */
export interface FakeRun {
  readonly slot: number;
  readonly job: string;
  readonly signal: AbortSignal;
  readonly resolve: (value: string) => void;
  readonly reject: (error: unknown) => void;
  /** Ends the worker under the job. */
  readonly crash: (cause: unknown) => void;
}

/** How fake workers behave. */
export interface FakeWorkersOptions {
  /** True makes a run end when its signal aborts. Default true. */
  readonly heed?: boolean;
  /** Called before a worker is made; may throw. */
  readonly onOpen?: (slot: number, crash: (cause: unknown) => void) => void;
  /** Called by `terminate`; may throw. */
  readonly onTerminate?: (slot: number) => void;
}

/** Records what a pool does with its workers. */
export class FakeWorkers {
  /** Every run that was begun, in order. */
  readonly runs: FakeRun[] = [];
  /** Slots whose workers were opened, in order. */
  readonly opened: number[] = [];
  /** Slots whose workers were terminated, in order. */
  readonly terminated: number[] = [];
  readonly factory: WorkerFactory<string, string>;
  /** Runs in hand now, and the most of one slot at once. */
  readonly #busy = new Map<number, number>();
  busiest = 0;

  constructor(options: FakeWorkersOptions = {}) {
    this.factory = (slot, crash) => {
      options.onOpen?.(slot, crash);
      this.opened.push(slot);
      this.#busy.set(slot, 0);
      return {
        run: async (job, signal) => {
          const busy = (this.#busy.get(slot) ?? 0) + 1;
          this.#busy.set(slot, busy);
          this.busiest = Math.max(this.busiest, busy);
          const { promise, resolve, reject } = Promise.withResolvers<string>();
          this.runs.push({ slot, job, signal, resolve, reject, crash });
          using _heed = onAbort(options.heed === false ? undefined : signal, () => reject(signal.reason));
          try {
            return await promise;
          } finally {
            this.#busy.set(slot, busy - 1);
          }
        },
        terminate: () => {
          this.terminated.push(slot);
          options.onTerminate?.(slot);
        },
      };
    };
  }

  /** The jobs of all runs, in order. */
  get jobs(): string[] {
    return this.runs.map((run) => run.job);
  }

  /** The run of this number; a failing test if there is none. */
  at(index: number): FakeRun {
    const run = this.runs[index];
    if (run === undefined) throw new Error(`expected run ${index}, there are ${this.runs.length}`);
    return run;
  }
}
