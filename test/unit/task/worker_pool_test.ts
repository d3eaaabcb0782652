import { describe, expect, test } from "bun:test";
import { type JobOptions, Scope, WorkerPool } from "../../../lib/task/mod.ts";
import { settle } from "./fake_timers.ts";
import { FakeWorkers } from "./fake_worker.ts";
import { startedPool } from "./pool_fixture.ts";
import { codeOf, failureOf, WatchedController } from "./watched_signal.ts";

describe("WorkerPool", () => {
  test("runs a job on each slot at once and gives back its result or its own error", async () => {
    await using fixture = startedPool({ slots: 2 });
    const { pool, workers } = fixture;
    const jobs = [pool.run("a"), pool.run("b"), pool.run("c")];
    expect(workers.jobs).toEqual(["a", "b"]);
    expect(pool.stats()).toMatchObject({ queued: 1, slots: { busy: 2, idle: 0 } });
    const failure = new Error("guest trapped");
    workers.at(0).resolve("A");
    workers.at(1).reject(failure);
    const settled = Promise.allSettled(jobs);
    await settle();
    workers.at(2).resolve("C");
    expect(await settled).toEqual([
      { status: "fulfilled", value: "A" },
      { status: "rejected", reason: failure },
      { status: "fulfilled", value: "C" },
    ]);
    expect(pool.stats()).toMatchObject({ completed: 2, failed: 1, queued: 0, slots: { idle: 2 } });
    expect([workers.terminated, workers.busiest]).toEqual([[], 1]);
  });

  test("serves priorities first, then keys in turns, then order of arrival", async () => {
    await using fixture = startedPool();
    const { pool, workers } = fixture;
    const submit = (job: string, options: JobOptions): void => void pool.run(job, options);
    submit("busy", {});
    submit("low", { priority: "low" });
    for (const job of ["a1", "a2", "a3"]) submit(job, { key: "a" });
    for (const job of ["b1", "b2"]) submit(job, { key: "b" });
    submit("c1", { key: "c" });
    submit("urgent", { priority: "high", key: "a" });
    for (let i = 0; i < 9; i++) {
      workers.at(i).resolve("");
      await settle();
    }
    expect(workers.jobs).toEqual(["busy", "urgent", "a1", "b1", "c1", "a2", "b2", "a3", "low"]);
  });

  test("refuses with overflow what the queue, or the key's share of it, cannot hold", async () => {
    await using fixture = startedPool({ queue_max: 3, queue_per_key_max: 2 });
    const { pool } = fixture;
    const kept = ["a", "a", "a", "b"].map((key) => failureOf(pool.run("job", { key })));
    const share = await failureOf(pool.run("job", { key: "a" }));
    expect(share).toMatchObject({ code: "overflow", message: expect.stringContaining('pool "guests"') });
    expect(pool.stats().queued).toBe(3);
    expect(await failureOf(pool.run("job", { key: "c" }))).toMatchObject({ code: "overflow" });
    expect(pool.stats()).toMatchObject({ queued: 3, refused: 2 });
    await pool.close();
    for (const error of await Promise.all(kept)) expect(error).toMatchObject({ code: "closed" });
  });

  test("with a queue of 0 takes a job only while a slot is idle", async () => {
    await using fixture = startedPool({ queue_max: 0 });
    const job = fixture.pool.run("a");
    expect(await codeOf(fixture.pool.run("b"))).toBe("overflow");
    fixture.workers.at(0).resolve("A");
    expect(await job).toBe("A");
  });

  test("a job cancelled in the queue never runs and leaves no listener", async () => {
    await using fixture = startedPool();
    const { pool, workers } = fixture;
    const controller = new WatchedController();
    const first = pool.run("a");
    const cancelled = pool.run("b", { signal: controller.signal });
    const third = pool.run("c");
    controller.abort();
    expect(await codeOf(cancelled)).toBe("cancelled");
    expect(pool.stats().queued).toBe(1);
    workers.at(0).resolve("A");
    await first;
    await settle();
    workers.at(1).resolve("C");
    expect(await third).toBe("C");
    expect(workers.jobs).toEqual(["a", "c"]);
    expect([controller.added, controller.listeners, pool.stats().cancelled]).toEqual([1, 0, 1]);
    expect(await codeOf(pool.run("d", { signal: controller.signal }))).toBe("cancelled");
  });

  test("a cancelled running job fails at once, its slot is free when the worker has stopped", async () => {
    await using fixture = startedPool({}, { heed: false });
    const { pool, workers, timers } = fixture;
    const controller = new WatchedController();
    const cancelled = pool.run("a", { signal: controller.signal });
    const next = pool.run("b");
    controller.abort();
    expect(await codeOf(cancelled)).toBe("cancelled");
    expect(workers.at(0).signal.aborted).toBe(true);
    expect(workers.jobs).toEqual(["a"]);
    workers.at(0).resolve("too late");
    await settle();
    workers.at(1).resolve("B");
    expect(await next).toBe("B");
    expect([controller.listeners, timers.pending]).toEqual([0, 0]);
    expect(workers.terminated).toEqual([]);
  });

  test("a worker that ignores an abort is terminated after its grace and replaced", async () => {
    await using fixture = startedPool({}, { heed: false });
    const { pool, workers, timers } = fixture;
    const stuck = failureOf(pool.run("spin", { deadline_ms: 30 }));
    const next = pool.run("b");
    await timers.advance(30);
    expect(await stuck).toMatchObject({ code: "timeout", message: expect.stringContaining("30 ms") });
    await timers.advance(49);
    expect(workers.terminated).toEqual([]);
    await timers.advance(1);
    expect(workers.terminated).toEqual([0]);
    expect(pool.stats()).toMatchObject({ killed: 1, crashes: 0, timed_out: 1, slots: { down: 1 } });
    await timers.advance(100);
    workers.at(1).resolve("B");
    expect(await next).toBe("B");
    expect(workers.opened).toEqual([0, 0]);
  });

  test("a deadline covers the time in the queue", async () => {
    await using fixture = startedPool();
    const { pool, workers, timers } = fixture;
    const first = pool.run("a");
    const late = failureOf(pool.run("b", { deadline_ms: 20 }));
    await timers.advance(20);
    expect(await late).toMatchObject({ code: "timeout" });
    workers.at(0).resolve("A");
    await first;
    await settle();
    expect(workers.jobs).toEqual(["a"]);
    expect(timers.pending).toBe(0);
  });

  test("starts nothing before start(), and once", async () => {
    const workers = new FakeWorkers();
    const pool = new WorkerPool("guests", workers.factory, { slots: 2, queue_max: 1 });
    expect(workers.opened).toEqual([]);
    expect(await codeOf(pool.run("a"))).toBe("closed");
    await using scope = new Scope("test");
    pool.start(scope);
    expect(workers.opened).toEqual([0, 1]);
    expect(await codeOf(() => pool.start(scope))).toBe("invariant");
  });

  test("start() throws what the factory throws, and the scope ends the workers that had started", async () => {
    const failure = new Error("no memory");
    const workers = new FakeWorkers({
      onOpen: (slot) => {
        if (slot === 1) throw failure;
      },
    });
    const pool = new WorkerPool("guests", workers.factory, { slots: 2, queue_max: 1 });
    const scope = new Scope("test");
    expect(await failureOf(() => pool.start(scope))).toBe(failure);
    expect(await codeOf(pool.run("a"))).toBe("closed");
    await scope.close();
    expect(workers.terminated).toEqual([0]);
  });

  test.each([
    { slots: 0 },
    { slots: 257 },
    { queue_max: -1 },
    { queue_per_key_max: 0.5 },
    { grace_ms: -1 },
    { restart_base_ms: Number.NaN },
    { restart_ms_max: -1 },
  ])("constructor refuses %p", async (wrong) => {
    const workers = new FakeWorkers();
    const error = await failureOf(() =>
      new WorkerPool("guests", workers.factory, { slots: 1, queue_max: 1, ...wrong })
    );
    expect(error).toMatchObject({ code: "config", message: expect.stringContaining('"guests"') });
  });

  test("run() refuses a deadline that is no duration", async () => {
    await using fixture = startedPool();
    expect(await codeOf(fixture.pool.run("a", { deadline_ms: -1 }))).toBe("config");
    expect(fixture.pool.stats().slots.idle).toBe(1);
  });
});
