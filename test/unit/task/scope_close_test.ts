import { describe, expect, test } from "bun:test";
import { LIMITS } from "../../../lib/core/mod.ts";
import { Scope, sleep } from "../../../lib/task/mod.ts";
import { FakeTimers } from "./fake_timers.ts";
import { codeOf, failureOf, stateOf } from "./watched_signal.ts";

/** A task that ends when it is told to. */
function untilAborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason));
  return promise;
}

function hangs(): Promise<never> {
  return Promise.withResolvers<never>().promise;
}

describe("Scope close", () => {
  test("is one close, however often it is called", async () => {
    const scope = new Scope("app");
    let disposed = 0;
    const failure = new Error("once");
    scope.defer(() => {
      disposed++;
      throw failure;
    });
    const first = scope.close();
    expect(scope.close()).toBe(first);
    expect(await failureOf(first)).toBe(failure);
    await scope[Symbol.asyncDispose]();
    await scope[Symbol.asyncDispose]();
    expect(disposed).toBe(1);
  });

  test("await using closes and throws the failure", async () => {
    const failure = new Error("broken");
    const block = async (): Promise<void> => {
      await using scope = new Scope("app");
      void scope.spawn("task", () => Promise.reject(failure));
    };
    expect(await failureOf(block())).toBe(failure);
  });

  test("may be called by a listener of the abort that it causes", async () => {
    const scope = new Scope("app");
    let again: Promise<void> | undefined;
    scope.signal.addEventListener("abort", () => {
      again = scope.close();
    });
    await scope.close();
    await again;
    expect(again).toBeDefined();
  });

  test("names every task and resource in the tree that missed the deadline, and still disposes", async () => {
    const timers = new FakeTimers();
    const scope = new Scope("app", { timers });
    const child = scope.child("stage");
    let disposed = false;
    scope.defer(() => void (disposed = true));
    child.defer(hangs, "probe link");
    void scope.spawn("stuck", hangs);
    void scope.spawn("heeds", untilAborted);
    void child.spawn("deaf", hangs);
    const closed = failureOf(scope.close("shutdown", { deadline_ms: 500 }));
    await timers.advance(499);
    expect(await stateOf(closed)).toBe("pending");
    await timers.advance(1_001);
    const error = await closed;
    expect(error).toMatchObject({ code: "timeout" });
    expect(String(error)).toContain(
      'close scope "app": 3 missed the deadline of 500 ms: app/stuck, app/stage/deaf, app/stage/probe link 1',
    );
    expect(disposed).toBe(true);
    expect(timers.pending).toBe(0);
  });

  test("gives resources their time even where tasks used up the deadline", async () => {
    const timers = new FakeTimers();
    const scope = new Scope("app", { timers });
    const done: string[] = [];
    for (const name of ["first", "second"]) {
      scope.defer(async () => {
        await sleep(400, undefined, { timers });
        done.push(name);
      });
    }
    void scope.spawn("stuck", hangs);
    const closed = failureOf(scope.close("shutdown", { deadline_ms: 100 }));
    await timers.advance(900);
    expect(await closed).toMatchObject({ code: "timeout", message: expect.stringMatching(/ms: app\/stuck$/) });
    expect(done).toEqual(["second", "first"]);
  });

  test("uses LIMITS.shutdown_ms_max by default", async () => {
    const timers = new FakeTimers();
    const scope = new Scope("app", { timers });
    void scope.spawn("stuck", hangs);
    const closed = failureOf(scope.close());
    await timers.advance(LIMITS.shutdown_ms_max - 1);
    expect(await stateOf(closed)).toBe("pending");
    await timers.advance(1);
    expect(await closed).toMatchObject({ code: "timeout" });
  });

  test("a later call can shorten the deadline, of children that close too, and not lengthen it", async () => {
    const timers = new FakeTimers();
    const scope = new Scope("app", { timers });
    const child = scope.child("stage");
    void child.child("part").spawn("stuck", hangs);
    const childClosed = failureOf(child.close("own", { deadline_ms: 60_000 }));
    const closed = scope.close("app", { deadline_ms: 100 });
    void scope.close("again", { deadline_ms: 1_000 });
    await timers.advance(100);
    expect(await childClosed).toMatchObject({
      code: "timeout",
      message: expect.stringContaining("app/stage/part/stuck"),
    });
    await closed;
    expect(timers.pending).toBe(0);
  });

  test("leaves no timer when everything ends in time", async () => {
    const timers = new FakeTimers();
    const scope = new Scope("app", { timers });
    void scope.child("stage").spawn("task", untilAborted);
    await scope.close();
    expect(timers.pending).toBe(0);
    void scope.close("again", { deadline_ms: 1 });
    expect(timers.pending).toBe(0);
  });

  test("refuses a deadline that is no duration", async () => {
    const scope = new Scope("app");
    expect(await codeOf(() => scope.close("end", { deadline_ms: -1 }))).toBe("config");
    expect(scope.signal.aborted).toBe(false);
    await scope.close();
  });
});
