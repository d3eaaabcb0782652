/** What the tests of the worker pool share. */
import { Scope, WorkerPool, type WorkerPoolOptions } from "../../../lib/task/mod.ts";
import { FakeTimers } from "./fake_timers.ts";
import { FakeWorkers, type FakeWorkersOptions } from "./fake_worker.ts";

/** A started pool of fake workers. */
export interface PoolFixture extends AsyncDisposable {
  readonly pool: WorkerPool<string, string>;
  readonly workers: FakeWorkers;
  readonly timers: FakeTimers;
  readonly scope: Scope;
}

/** Starts a pool of one slot, or as the options say, with restart delays of 100, 200 and 400 ms. */
export function startedPool(options: Partial<WorkerPoolOptions> = {}, fake: FakeWorkersOptions = {}): PoolFixture {
  const timers = new FakeTimers();
  const workers = new FakeWorkers(fake);
  const bounds = { slots: 1, queue_max: 10, grace_ms: 50, restart_base_ms: 100, restart_ms_max: 400 };
  const pool = new WorkerPool("guests", workers.factory, { ...bounds, timers, random: () => 0.999_999, ...options });
  const scope = new Scope("test");
  pool.start(scope);
  return { pool, workers, timers, scope, [Symbol.asyncDispose]: () => scope.close() };
}
