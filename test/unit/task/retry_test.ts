import { describe, expect, test } from "bun:test";
import { backoffMs, retry } from "../../../lib/task/mod.ts";
import { FakeTimers } from "./fake_timers.ts";
import { codeOf, failureOf, stateOf, WatchedController } from "./watched_signal.ts";

describe("backoffMs()", () => {
  test.each([[1, 50, 100], [2, 100, 200], [3, 150, 300], [4, 150, 300], [5_000, 150, 300]])(
    "after failure %d lies in [%d, %d)",
    (failures, least_ms, most_ms) => {
      const at = (number: number): number =>
        backoffMs(failures, { base_ms: 100, delay_ms_max: 300, random: () => number });
      expect(at(0)).toBe(least_ms);
      expect(at(0.999_999)).toBeCloseTo(most_ms, 2);
      expect(at(0.999_999)).toBeLessThan(most_ms);
    },
  );
});

describe("retry()", () => {
  const bounds = { attempts_max: 3, base_ms: 100, delay_ms_max: 1_000, random: () => 0 };

  test("tries again after growing delays until it succeeds", async () => {
    const timers = new FakeTimers();
    const controller = new WatchedController();
    const tries: [number, number][] = [];
    const result = retry((attempt, signal) => {
      expect(signal).toBe(controller.signal);
      tries.push([attempt, timers.nowMs()]);
      if (attempt < 3) throw new Error(`try ${attempt}`);
      return "done";
    }, { ...bounds, timers, signal: controller.signal });
    await timers.advance(1_000);
    expect(await result).toBe("done");
    expect(tries).toEqual([[1, 0], [2, 50], [3, 150]]);
    expect([controller.added, controller.listeners, timers.pending]).toEqual([2, 0, 0]);
  });

  test("throws the last failure as it is when the tries are used up", async () => {
    const timers = new FakeTimers();
    const failures = [new Error("1"), new Error("2"), new Error("3")];
    const { signal } = new AbortController();
    const result = failureOf(retry((attempt) => Promise.reject(failures[attempt - 1]), { ...bounds, timers, signal }));
    await timers.advance(1_000);
    expect(await result).toBe(failures[2]);
  });

  test("does not try again what cannot be cured", async () => {
    let tries = 0;
    const work = (): never => {
      tries++;
      throw new TypeError("defect");
    };
    const { signal } = new AbortController();
    const retryable = (error: unknown): boolean => !(error instanceof TypeError);
    expect(await failureOf(retry(work, { ...bounds, signal, retryable }))).toBeInstanceOf(TypeError);
    expect(tries).toBe(1);
  });

  test("throws the work's failure when the signal aborts during the last try", async () => {
    const controller = new AbortController();
    const failure = new Error("stopped half-way");
    const work = (): never => {
      controller.abort();
      throw failure;
    };
    expect(await failureOf(retry(work, { ...bounds, signal: controller.signal }))).toBe(failure);
  });

  test("stops between tries when its signal aborts", async () => {
    const timers = new FakeTimers();
    const controller = new WatchedController();
    const result = retry(() => Promise.reject(new Error("down")), { ...bounds, timers, signal: controller.signal });
    expect(await stateOf(result)).toBe("pending");
    controller.abort();
    expect(await codeOf(result)).toBe("cancelled");
    expect([controller.listeners, timers.pending]).toEqual([0, 0]);
    expect(await codeOf(retry(() => 1, { ...bounds, signal: controller.signal }))).toBe("cancelled");
  });

  test.each([{ attempts_max: 0 }, { base_ms: -1 }, { delay_ms_max: Number.NaN }])("refuses %p", async (wrong) => {
    const { signal } = new AbortController();
    expect(await codeOf(retry(() => 1, { ...bounds, ...wrong, signal }))).toBe("config");
  });
});
