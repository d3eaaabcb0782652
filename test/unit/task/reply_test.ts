import { describe, expect, test } from "bun:test";
import { Reply } from "../../../lib/task/mod.ts";
import { FakeTimers } from "./fake_timers.ts";
import { codeOf, WatchedController } from "./watched_signal.ts";

describe("Reply", () => {
  test("settle() answers once; later ones return false and are counted", async () => {
    const reply = Reply.open("deny");
    expect(reply.state).toBe("pending");
    expect([reply.settle("allow"), reply.settle("deny"), reply.settle("allow")]).toEqual([true, false, false]);
    expect(await reply.promise).toBe("allow");
    expect([reply.state, reply.settled, reply.late]).toEqual(["settled", true, 2]);
  });

  test("expires at its deadline with the given value, and not before", async () => {
    const timers = new FakeTimers();
    const reply = Reply.open("deny", { deadline_ms: 100, timers });
    await timers.advance(99);
    expect(reply.settled).toBe(false);
    await timers.advance(1);
    expect(reply.state).toBe("expired");
    expect(reply.settle("allow")).toBe(false);
    expect(await reply.promise).toBe("deny");
    expect(reply.late).toBe(1);
  });

  test("a settled reply leaves no timer and no listener, and does not expire", async () => {
    const timers = new FakeTimers();
    const controller = new WatchedController();
    const reply = Reply.open("deny", { deadline_ms: 100, timers, signal: controller.signal });
    expect([timers.pending, controller.listeners]).toEqual([1, 1]);
    reply.settle("allow");
    expect([timers.pending, controller.listeners]).toEqual([0, 0]);
    controller.abort();
    reply[Symbol.dispose]();
    expect(reply.state).toBe("settled");
    expect(await reply.promise).toBe("allow");
  });

  test("expires when its signal aborts, and clears its timer", async () => {
    const timers = new FakeTimers();
    const controller = new WatchedController();
    const reply = Reply.open("deny", { deadline_ms: 100, timers, signal: controller.signal });
    controller.abort();
    expect(reply.state).toBe("expired");
    expect(await reply.promise).toBe("deny");
    expect([timers.pending, controller.listeners]).toEqual([0, 0]);
  });

  test("with an aborted signal it is expired from the start, and waits for nothing", async () => {
    const timers = new FakeTimers();
    const reply = Reply.open("deny", { deadline_ms: 100, timers, signal: AbortSignal.abort() });
    expect(await reply.promise).toBe("deny");
    expect(timers.pending).toBe(0);
  });

  test("giving it up expires it, once", async () => {
    const reply = Reply.open("deny");
    reply[Symbol.dispose]();
    reply[Symbol.dispose]();
    expect(await reply.promise).toBe("deny");
    expect([reply.state, reply.late]).toEqual(["expired", 0]);
  });

  test("refuses a deadline that is no duration", async () => {
    expect(await codeOf(() => Reply.open("deny", { deadline_ms: -1 }))).toBe("config");
  });
});
