import { describe, expect, test } from "bun:test";
import { runTicker, type Timers } from "../../../lib/task/mod.ts";
import { FakeTimers, settle } from "./fake_timers.ts";
import { codeOf, failureOf, stateOf, WatchedController } from "./watched_signal.ts";

describe("runTicker()", () => {
  test("works at its interval until its signal aborts, then leaves nothing behind", async () => {
    const timers = new FakeTimers();
    const controller = new WatchedController();
    const ticks: number[] = [];
    const done = runTicker(10, () => void ticks.push(timers.nowMs()), {
      timers,
      signal: controller.signal,
      unref: true,
    });
    await timers.advance(35);
    expect(ticks).toEqual([10, 20, 30]);
    expect(timers.unrefs).toBe(1);
    controller.abort();
    await done;
    expect([timers.pending, controller.listeners]).toEqual([0, 0]);
  });

  test("never overlaps: ticks within a running work are left out, later ones keep the rhythm", async () => {
    const timers = new FakeTimers();
    const controller = new AbortController();
    const ticks: number[] = [];
    let running = 0;
    const work = async (): Promise<void> => {
      expect(++running).toBe(1);
      ticks.push(timers.nowMs());
      const { promise, resolve } = Promise.withResolvers<void>();
      timers.after(ticks.length === 1 ? 25 : 1, resolve);
      await promise;
      running--;
    };
    const done = runTicker(10, work, { timers, signal: controller.signal });
    await timers.advance(55);
    expect(ticks).toEqual([10, 40, 50]);
    controller.abort();
    await done;
  });

  test("a timer that fires a little early gives no second tick", async () => {
    const timers = new FakeTimers();
    const early: Timers = {
      nowMs: () => timers.nowMs(),
      after: (delay_ms, callback) => timers.after(Math.max(0, delay_ms - 0.4), callback),
    };
    const controller = new AbortController();
    let ticks = 0;
    const done = runTicker(10, () => void ticks++, { timers: early, signal: controller.signal });
    await timers.advance(35);
    expect(ticks).toBe(3);
    controller.abort();
    await done;
  });

  test("waits for the running work after an abort, and takes its cancellation for the end", async () => {
    const timers = new FakeTimers();
    const controller = new AbortController();
    const work = Promise.withResolvers<void>();
    const done = runTicker(10, () => work.promise, { timers, signal: controller.signal });
    await timers.advance(10);
    controller.abort();
    expect(await stateOf(done)).toBe("pending");
    work.reject(controller.signal.reason);
    await done;
  });

  test("throws what the work throws", async () => {
    const timers = new FakeTimers();
    const failure = new Error("broken");
    const { signal } = new AbortController();
    const done = failureOf(runTicker(10, () => Promise.reject(failure), { timers, signal }));
    await timers.advance(10);
    expect(await done).toBe(failure);
  });

  test("does not start on an aborted signal", async () => {
    const timers = new FakeTimers();
    await runTicker(10, () => expect.unreachable(), { timers, signal: AbortSignal.abort() });
    await settle();
    expect(timers.pending).toBe(0);
  });

  test.each([0, -1, Number.NaN])("refuses an interval of %p", async (interval_ms) => {
    const { signal } = new AbortController();
    expect(await codeOf(runTicker(interval_ms, () => undefined, { signal }))).toBe("config");
  });
});
