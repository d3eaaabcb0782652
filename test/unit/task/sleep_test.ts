import { describe, expect, test } from "bun:test";
import { sleep } from "../../../lib/task/mod.ts";
import { FakeTimers } from "./fake_timers.ts";
import { codeOf, failureOf, stateOf, WatchedController } from "./watched_signal.ts";

describe("sleep()", () => {
  test("resolves when its time is over, and not before", async () => {
    const timers = new FakeTimers();
    const controller = new WatchedController();
    const slept = sleep(50, controller.signal, { timers });
    await timers.advance(49);
    expect(await stateOf(slept)).toBe("pending");
    await timers.advance(1);
    expect(await stateOf(slept)).toBe("resolved");
    expect([controller.added, controller.listeners]).toEqual([1, 0]);
  });

  test("throws cancelled at once when its signal aborts, and leaves no timer", async () => {
    const timers = new FakeTimers();
    const controller = new WatchedController();
    const slept = sleep(50, controller.signal, { timers });
    controller.abort("enough");
    expect(await failureOf(slept)).toMatchObject({ code: "cancelled", cause: "enough" });
    expect([timers.pending, controller.listeners]).toEqual([0, 0]);
    expect(await codeOf(sleep(50, controller.signal, { timers }))).toBe("cancelled");
    expect(timers.pending).toBe(0);
  });

  test("hands unref to its timer", async () => {
    const timers = new FakeTimers();
    const slept = sleep(1, undefined, { timers, unref: true });
    expect(timers.unrefs).toBe(1);
    await timers.advance(1);
    await slept;
  });

  test.each([-1, Number.NaN])("refuses %p milliseconds", async (duration_ms) => {
    expect(await codeOf(sleep(duration_ms))).toBe("config");
  });

  test("works with the timers of the runtime", async () => {
    await sleep(0);
  });
});
