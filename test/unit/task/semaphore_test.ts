import { describe, expect, test } from "bun:test";
import { Semaphore } from "../../../lib/task/mod.ts";
import { codeOf, stateOf, WatchedController } from "./watched_signal.ts";

describe("Semaphore", () => {
  test("gives out its permits and no more, and takes each back once", async () => {
    const semaphore = new Semaphore("slots", 2);
    const first = await semaphore.acquire();
    const second = semaphore.tryAcquire();
    expect(second).toBeDefined();
    expect(semaphore.tryAcquire()).toBeUndefined();
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(semaphore.available).toBe(1);
  });

  test("serves waiters in order, and nobody overtakes them", async () => {
    const semaphore = new Semaphore("slots", 1);
    const held = await semaphore.acquire();
    const second = semaphore.acquire();
    const third = semaphore.acquire();
    expect(semaphore.waiting).toBe(2);
    held[Symbol.dispose]();
    expect(semaphore.tryAcquire()).toBeUndefined();
    const permit = await second;
    expect(await stateOf(third)).toBe("pending");
    permit[Symbol.dispose]();
    (await third)[Symbol.dispose]();
    expect([semaphore.available, semaphore.waiting]).toEqual([1, 0]);
  });

  test("a cancelled acquire() takes no permit and leaves no listener", async () => {
    const semaphore = new Semaphore("slots", 1);
    const held = await semaphore.acquire();
    const controller = new WatchedController();
    const cancelled = semaphore.acquire(controller.signal);
    controller.abort();
    expect(await codeOf(cancelled)).toBe("cancelled");
    expect([controller.added, controller.listeners, semaphore.waiting]).toEqual([1, 0, 0]);
    held[Symbol.dispose]();
    expect(semaphore.available).toBe(1);
    expect(await codeOf(semaphore.acquire(controller.signal))).toBe("cancelled");
    expect(semaphore.available).toBe(1);
  });

  test.each([0, -1, 0.5])("constructor refuses %p permits", async (permits) => {
    expect(await codeOf(() => new Semaphore("slots", permits))).toBe("config");
  });
});
