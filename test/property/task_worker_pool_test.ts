import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AgentguardError, type ErrorCode } from "../../lib/core/mod.ts";
import { type JobPriority, Scope, WorkerPool } from "../../lib/task/mod.ts";
import { FakeTimers, settle } from "../unit/task/fake_timers.ts";
import { FakeWorkers } from "../unit/task/fake_worker.ts";
import { WatchedController } from "../unit/task/watched_signal.ts";
import { runParameters } from "./task_support.ts";

const PRIORITIES: readonly JobPriority[] = ["high", "normal", "low"];
const priority = fc.constantFrom(...PRIORITIES);
const key = fc.constantFrom("a", "b", "c");

type Step =
  | { readonly kind: "submit"; readonly key: string; readonly priority: JobPriority; readonly deadline_ms: number }
  | { readonly kind: "resolve" | "reject" | "crash" | "cancel"; readonly which: number }
  | { readonly kind: "advance"; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("submit"),
      key,
      priority,
      deadline_ms: fc.oneof(fc.constant(Infinity), fc.integer({ min: 0, max: 80 })),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("resolve"), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom("reject", "crash", "cancel"), which: fc.nat() }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("advance"), ms: fc.integer({ min: 0, max: 60 }) }) },
);

type End = "resolved" | "own" | ErrorCode;

describe("WorkerPool properties", () => {
  test("every job settles once, bounds hold, a job runs at most once, and close leaves nothing behind", async () => {
    const bounds = fc.record({
      slots: fc.integer({ min: 1, max: 3 }),
      queue_max: fc.integer({ min: 0, max: 6 }),
      heed: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(bounds, fc.array(step, { maxLength: 80 }), async ({ heed, ...options }, steps) => {
        const timers = new FakeTimers();
        const workers = new FakeWorkers({ heed });
        const pool = new WorkerPool("guests", workers.factory, {
          ...options,
          timers,
          grace_ms: 20,
          restart_base_ms: 30,
        });
        const scope = new Scope("test", { timers });
        pool.start(scope);
        const controllers: WatchedController[] = [];
        const ends: End[] = [];
        const own = new Error("the job's own");
        for (const next of steps) {
          const run = "which" in next ? workers.runs[next.which % Math.max(1, workers.runs.length)] : undefined;
          if (next.kind === "advance") await timers.advance(next.ms);
          else if (next.kind === "submit") {
            const controller = new WatchedController();
            const job = String(controllers.push(controller));
            pool.run(job, { ...next, signal: controller.signal }).then((result) => {
              expect(result).toBe(job);
              ends.push("resolved");
            }, (error: unknown) => ends.push(error instanceof AgentguardError ? error.code : "own"));
          } else if (next.kind === "cancel") controllers[next.which % Math.max(1, controllers.length)]?.abort();
          else if (next.kind === "resolve") run?.resolve(run.job);
          else if (next.kind === "reject") run?.reject(own);
          else run?.crash(own);
          const stats = pool.stats();
          expect(stats.queued).toBeLessThanOrEqual(options.queue_max);
          expect(stats.slots.idle + stats.slots.busy + stats.slots.down).toBe(options.slots);
          // An idle slot beside a waiting job would be lost work.
          if (stats.queued > 0) expect(stats.slots.idle).toBe(0);
        }
        const closed = scope.close();
        await timers.advance(20);
        await closed;
        await settle();
        const stats = pool.stats();
        const counted = stats.completed + stats.failed + stats.cancelled + stats.timed_out + stats.refused;
        expect(ends.length).toBe(controllers.length);
        expect(counted).toBe(ends.length);
        expect(stats.completed).toBe(ends.filter((end) => end === "resolved").length);
        expect(stats.timed_out).toBe(ends.filter((end) => end === "timeout").length);
        expect(stats.refused).toBe(ends.filter((end) => end === "overflow").length);
        expect(new Set(workers.jobs).size).toBe(workers.jobs.length);
        expect(workers.busiest).toBeLessThanOrEqual(1);
        expect(stats.slots.closed).toBe(options.slots);
        expect(timers.pending).toBe(0);
        expect(controllers.reduce((sum, controller) => sum + controller.listeners, 0)).toBe(0);
      }),
      runParameters(),
    );
  });

  test("order: priorities first, each key in order of arrival, keys of one priority in turns", async () => {
    const jobs = fc.array(fc.record({ key, priority, cancel: fc.integer({ min: 0, max: 3 }) }), { maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(jobs, async (submitted) => {
        const workers = new FakeWorkers();
        const pool = new WorkerPool("guests", workers.factory, { slots: 1, queue_max: 100 });
        await using scope = new Scope("test");
        pool.start(scope);
        const first = pool.run("first");
        const waiting: { readonly id: number; readonly key: string; readonly priority: JobPriority }[] = [];
        for (const [id, job] of submitted.entries()) {
          const controller = new AbortController();
          void pool.run(String(id), { ...job, signal: controller.signal }).catch(() => undefined);
          if (job.cancel === 0) controller.abort();
          else waiting.push({ id, ...job });
        }
        workers.at(0).resolve("");
        await first;
        await settle();
        const served: number[] = [];
        for (let i = 1; i <= waiting.length; i++) {
          served.push(Number(workers.at(i).job));
          workers.at(i).resolve("");
          await settle();
        }
        expect(served.toSorted((a, b) => a - b)).toEqual(waiting.map((job) => job.id));
        const byId = new Map(waiting.map((job) => [job.id, job]));
        const order = served.flatMap((id) => byId.get(id) ?? []);
        const ranks = order.map((job) => PRIORITIES.indexOf(job.priority));
        expect(ranks).toEqual(ranks.toSorted((a, b) => a - b));
        for (const level of PRIORITIES) expectFair(order.filter((job) => job.priority === level));
      }),
      runParameters(),
    );
  });
});

/** One priority, all waiting from the start: each key in order, and none served twice while another waits. */
function expectFair(order: readonly { readonly id: number; readonly key: string }[]): void {
  for (const [index, job] of order.entries()) {
    const again = order.findIndex((other, at) => at > index && other.key === job.key);
    if (again < 0) continue;
    expect(order[again]?.id).toBeGreaterThan(job.id);
    const between = new Set(order.slice(index + 1, again).map((other) => other.key));
    const waiting = new Set(order.slice(again).map((other) => other.key));
    waiting.delete(job.key);
    for (const other of waiting) expect(between.has(other)).toBe(true);
  }
}
