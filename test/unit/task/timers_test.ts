import { describe, expect, jest, test } from "bun:test";
import { systemTimers } from "../../../lib/task/mod.ts";

describe("systemTimers", () => {
  test("after() calls back once its delay is over", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const begin_ms = systemTimers.nowMs();
    systemTimers.after(5, resolve);
    await promise;
    expect(systemTimers.nowMs() - begin_ms).toBeGreaterThanOrEqual(4);
  });

  test("a disposed timer does not call back, and disposing again is harmless", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let called = false;
    const timer = systemTimers.after(0, () => called = true);
    timer[Symbol.dispose]();
    timer[Symbol.dispose]();
    systemTimers.after(1, resolve);
    await promise;
    expect(called).toBe(false);
  });

  test("after() keeps a delay that setTimeout would fire at once", () => {
    jest.useFakeTimers();
    try {
      let called = 0;
      systemTimers.after(3_000_000_000, () => called++);
      jest.advanceTimersByTime(2_999_999_999);
      expect(called).toBe(0);
      jest.advanceTimersByTime(1);
      expect(called).toBe(1);
      expect(jest.getTimerCount()).toBe(0);
    } finally {
      jest.useRealTimers();
    }
  });

  test("an unref timer lets the process end", async () => {
    const timers = new URL("../../../lib/task/timers.ts", import.meta.url).href;
    const script = `import { systemTimers } from ${JSON.stringify(timers)};
      systemTimers.after(3_600_000, () => undefined, { unref: true });`;
    await using child = Bun.spawn([process.execPath, "-e", script], { stdio: ["ignore", "inherit", "inherit"] });
    expect(await child.exited).toBe(0);
  });
});
