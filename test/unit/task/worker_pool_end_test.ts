import { describe, expect, test } from "bun:test";
import { WorkerCrashError } from "../../../lib/task/mod.ts";
import { settle } from "./fake_timers.ts";
import { startedPool } from "./pool_fixture.ts";
import { failureOf, stateOf } from "./watched_signal.ts";

describe("WorkerPool ends", () => {
  test("a crash fails the job in hand only; the worker restarts with growing delays", async () => {
    await using fixture = startedPool({ slots: 2 });
    const { pool, workers, timers } = fixture;
    const crashed = failureOf(pool.run("a"));
    const other = pool.run("b");
    const queued = pool.run("c");
    const cause = new Error("segmentation fault");
    workers.at(0).crash(cause);
    workers.at(0).crash(new Error("said twice"));
    workers.at(0).resolve("from the grave");
    const error = await crashed;
    expect(error).toBeInstanceOf(WorkerCrashError);
    expect(error).toMatchObject({ name: "WorkerCrashError", code: "io", slot: 0, cause });
    expect(String(error)).toContain('worker pool "guests": worker 0 crashed: segmentation fault');
    expect(pool.stats()).toMatchObject({ crashes: 1, failed: 1, queued: 1, slots: { down: 1, busy: 1 } });
    await timers.advance(99);
    expect(workers.opened).toEqual([0, 1]);
    await timers.advance(1);
    expect(workers.opened).toEqual([0, 1, 0]);
    workers.at(2).crash(cause);
    expect(await failureOf(queued)).toBeInstanceOf(WorkerCrashError);
    await timers.advance(199);
    expect(workers.opened.length).toBe(3);
    await timers.advance(1);
    expect(workers.opened.length).toBe(4);
    workers.at(1).resolve("B");
    expect(await other).toBe("B");
    expect(pool.stats()).toMatchObject({ restarts: 2, slots: { idle: 2 } });
  });

  test("a finished job ends the growth of restart delays", async () => {
    await using fixture = startedPool();
    const { pool, workers, timers } = fixture;
    const crash = async (): Promise<void> => {
      const job = failureOf(pool.run("crash"));
      workers.at(workers.runs.length - 1).crash(new Error("gone"));
      await job;
    };
    await crash();
    await timers.advance(100);
    const job = pool.run("fine");
    workers.at(1).resolve("");
    await job;
    await settle();
    await crash();
    await timers.advance(100);
    expect(workers.opened.length).toBe(3);
  });

  test("an idle worker that crashes gets no job until it is replaced", async () => {
    const crashes: ((cause: unknown) => void)[] = [];
    await using fixture = startedPool({}, { onOpen: (_slot, crash) => void crashes.push(crash) });
    const { pool, workers, timers } = fixture;
    crashes[0]?.(new Error("gone"));
    const job = pool.run("a");
    expect(await stateOf(job)).toBe("pending");
    expect(workers.jobs).toEqual([]);
    await timers.advance(100);
    workers.at(0).resolve("A");
    expect(await job).toBe("A");
  });

  test("a worker that cannot be restarted, by throwing or by crashing as it opens, is tried again", async () => {
    let opens = 0;
    await using fixture = startedPool({}, {
      onOpen: (_slot, crash) => {
        opens++;
        if (opens === 2) throw new Error("no memory");
        if (opens === 3) crash(new Error("bad module"));
      },
    });
    const { pool, workers, timers } = fixture;
    const job = failureOf(pool.run("a"));
    workers.at(0).crash(new Error("gone"));
    await job;
    await timers.advance(100 + 200 + 400);
    expect(opens).toBe(4);
    expect(pool.stats()).toMatchObject({ crashes: 3, restarts: 3, slots: { idle: 1 } });
  });

  test("close() fails every job at once, waits for workers that stop, and terminates them all", async () => {
    const { pool, workers, scope, timers } = startedPool({ slots: 2 }, { heed: false });
    const jobs = ["a", "b", "c"].map((job) => failureOf(pool.run(job)));
    const closed = scope.close();
    for (const job of jobs) expect(await job).toMatchObject({ code: "closed" });
    expect(workers.at(0).signal.aborted).toBe(true);
    workers.at(0).resolve("stopped");
    await settle();
    expect(workers.terminated).toEqual([0]);
    expect(await stateOf(closed)).toBe("pending");
    await timers.advance(50);
    expect(workers.terminated).toEqual([0, 1]);
    await closed;
    expect(timers.pending).toBe(0);
    expect(pool.stats()).toMatchObject({ queued: 0, slots: { closed: 2 } });
    expect(await failureOf(pool.run("d"))).toMatchObject({
      code: "closed",
      message: expect.stringContaining('"guests"'),
    });
    await pool[Symbol.asyncDispose]();
    expect(workers.terminated).toEqual([0, 1]);
  });

  test("close() while a worker waits for its restart opens none", async () => {
    const { pool, workers, scope, timers } = startedPool();
    const job = failureOf(pool.run("a"));
    workers.at(0).crash(new Error("gone"));
    await job;
    await scope.close();
    expect([timers.pending, workers.opened.length]).toEqual([0, 1]);
  });

  test("close() reports workers that cannot be terminated", async () => {
    const failure = new Error("no such thread");
    const { scope } = startedPool({}, {
      onTerminate: () => {
        throw failure;
      },
    });
    expect(await failureOf(scope.close())).toMatchObject({ code: "io", cause: { errors: [failure] } });
  });
});
