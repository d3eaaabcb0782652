import { describe, expect, test } from "bun:test";
import {
  bunWorkerFactory,
  Scope,
  WorkerCrashError,
  WorkerPool,
  type WorkerPoolOptions,
} from "../../../lib/task/mod.ts";
import { codeOf, failureOf } from "./watched_signal.ts";

type Crossing = Uint8Array | string | number;

function parse(value: unknown): Crossing {
  if (typeof value === "string" || value instanceof Uint8Array) return value;
  throw new TypeError("expected text or bytes");
}

function started(options: Partial<WorkerPoolOptions> = {}): AsyncDisposable & { pool: WorkerPool<Crossing, Crossing> } {
  const open = (): Worker => new Worker(new URL("./bun_worker_module.ts", import.meta.url).href);
  const factory = bunWorkerFactory<Crossing, Crossing>(open, {
    parse,
    transfer: (job) => job instanceof Uint8Array && job.buffer instanceof ArrayBuffer ? [job.buffer] : [],
  });
  const pool = new WorkerPool("threads", factory, {
    slots: 1,
    queue_max: 10,
    grace_ms: 20,
    restart_base_ms: 1,
    ...options,
  });
  const scope = new Scope("test");
  pool.start(scope);
  return { pool, [Symbol.asyncDispose]: () => scope.close() };
}

describe("bunWorkerFactory()", () => {
  test("runs jobs on real threads and matches answers to jobs", async () => {
    await using fixture = started({ slots: 2 });
    const jobs = ["a", "b", "c", "d", "e"].map((job) => fixture.pool.run(job));
    expect(await Promise.all(jobs)).toEqual(["A", "B", "C", "D", "E"]);
  });

  test("moves bytes both ways where it is told to", async () => {
    await using fixture = started();
    const bytes = new Uint8Array([1, 2, 3]);
    expect(await fixture.pool.run(bytes)).toEqual(new Uint8Array([2, 3, 4]));
    expect(bytes.length).toBe(0);
  });

  test("brings a job's error back with its code, an unexpected one as invariant", async () => {
    await using fixture = started();
    const refused = await failureOf(fixture.pool.run("refuse"));
    expect(refused).toMatchObject({ code: "permission", message: "open door: it is locked" });
    const defect = await failureOf(fixture.pool.run("defect"));
    expect(defect).toMatchObject({ code: "invariant", message: "x is not a function" });
    expect(await codeOf(fixture.pool.run(1))).toBe("config");
    expect(fixture.pool.stats()).toMatchObject({ failed: 3, crashes: 0 });
  });

  test("tells the worker of a cancelled job, which stops it and stays", async () => {
    await using fixture = started({ grace_ms: 60_000 });
    const controller = new AbortController();
    const cancelled = fixture.pool.run("wait", { signal: controller.signal });
    controller.abort();
    expect(await codeOf(cancelled)).toBe("cancelled");
    expect(await fixture.pool.run("next")).toBe("NEXT");
    expect(fixture.pool.stats()).toMatchObject({ killed: 0, restarts: 0 });
  });

  test("a job in an endless loop is ended with its worker, and the next one runs", async () => {
    await using fixture = started();
    const controller = new AbortController();
    const spinning = fixture.pool.run("spin", { signal: controller.signal });
    const next = fixture.pool.run("next");
    controller.abort();
    expect(await codeOf(spinning)).toBe("cancelled");
    expect(await next).toBe("NEXT");
    expect(fixture.pool.stats()).toMatchObject({ killed: 1, restarts: 1 });
  });

  test.each([
    ["uncaught", "run worker: uncaught RangeError: nobody caught this"],
    ["exit", "run worker: it exited with code 7"],
    ["babble", "read worker message: it has not the form of an answer"],
  ])("a worker's end by %s fails its job and is made good", async (job, cause) => {
    await using fixture = started();
    const error = await failureOf(fixture.pool.run(job));
    expect(error).toBeInstanceOf(WorkerCrashError);
    expect(error).toMatchObject({ slot: 0, cause: { code: "io", message: cause } });
    expect(await fixture.pool.run("next")).toBe("NEXT");
    expect(fixture.pool.stats()).toMatchObject({ crashes: 1, restarts: 1 });
  });

  test("a result that does not parse fails the job", async () => {
    const open = (): Worker => new Worker(new URL("./bun_worker_module.ts", import.meta.url).href);
    const factory = bunWorkerFactory<string, number>(open, {
      parse: (value) => {
        throw new TypeError(`expected a number, got ${typeof value}`);
      },
    });
    const pool = new WorkerPool("threads", factory, { slots: 1, queue_max: 1 });
    await using scope = new Scope("test");
    pool.start(scope);
    expect(String(await failureOf(pool.run("a")))).toContain("expected a number, got string");
  });
});
