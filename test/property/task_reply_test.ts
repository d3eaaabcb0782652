import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Reply, Semaphore } from "../../lib/task/mod.ts";
import { FakeTimers, settle } from "../unit/task/fake_timers.ts";
import { WatchedController } from "../unit/task/watched_signal.ts";
import { runParameters } from "./task_support.ts";

type ReplyStep = { readonly kind: "settle" | "abort" | "dispose" } | { readonly kind: "advance"; readonly ms: number };

const replyStep: fc.Arbitrary<ReplyStep> = fc.oneof(
  fc.constantFrom<ReplyStep>({ kind: "settle" }, { kind: "abort" }, { kind: "dispose" }),
  fc.record({ kind: fc.constant("advance"), ms: fc.integer({ min: 0, max: 60 }) }),
);

describe("Reply properties", () => {
  test("whatever comes, it is settled exactly once, by the first that can, and leaves nothing behind", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(replyStep, { maxLength: 12 }), async (steps) => {
        const timers = new FakeTimers();
        const controller = new WatchedController();
        const reply = Reply.open(-1, { deadline_ms: 100, timers, signal: controller.signal });
        let resolved = 0;
        void reply.promise.then(() => resolved++);
        let expected: number | undefined;
        let late = 0;
        for (const [index, next] of steps.entries()) {
          if (next.kind === "settle") {
            expect(reply.settle(index)).toBe(expected === undefined);
            if (expected === undefined) expected = index;
            else late++;
            continue;
          }
          if (next.kind === "advance") await timers.advance(next.ms);
          else if (next.kind === "abort") controller.abort();
          else reply[Symbol.dispose]();
          if (next.kind !== "advance" || timers.nowMs() >= 100) expected ??= -1;
          expect(reply.settled).toBe(expected !== undefined);
        }
        await timers.advance(100);
        expected ??= -1;
        expect(await reply.promise).toBe(expected);
        await settle();
        expect([resolved, reply.late]).toEqual([1, late]);
        expect([timers.pending, controller.listeners]).toEqual([0, 0]);
      }),
      runParameters(),
    );
  });
});

type SemaphoreStep = { readonly kind: "acquire" | "settle" } | {
  readonly kind: "release" | "cancel";
  readonly which: number;
};

const semaphoreStep: fc.Arbitrary<SemaphoreStep> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom<SemaphoreStep>({ kind: "acquire" }) },
  { weight: 2, arbitrary: fc.constantFrom<SemaphoreStep>({ kind: "settle" }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("release"), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel"), which: fc.nat() }) },
);

describe("Semaphore properties", () => {
  test("never more holders than permits, first come first served, no permit lost", async () => {
    const steps = fc.array(semaphoreStep, { maxLength: 100 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), steps, async (permits, taken) => {
        const semaphore = new Semaphore("slots", permits);
        const controllers: WatchedController[] = [];
        const held: Disposable[] = [];
        const served: number[] = [];
        let holders = 0;
        for (const next of taken) {
          if (next.kind === "acquire") {
            const controller = new WatchedController();
            const turn = controllers.push(controller);
            semaphore.acquire(controller.signal).then((permit) => {
              served.push(turn);
              held.push(permit);
              expect(++holders).toBeLessThanOrEqual(permits);
            }, () => undefined);
          } else if (!("which" in next)) {
            await settle();
          } else if (next.kind === "cancel") {
            controllers[next.which % Math.max(1, controllers.length)]?.abort();
          } else {
            const permit = held.splice(next.which % Math.max(1, held.length), 1)[0];
            if (permit === undefined) continue;
            holders--;
            permit[Symbol.dispose]();
            permit[Symbol.dispose]();
          }
        }
        await settle();
        while (held.length > 0) {
          holders--;
          held.pop()?.[Symbol.dispose]();
          await settle();
        }
        expect(served).toEqual(served.toSorted((a, b) => a - b));
        expect([semaphore.available, semaphore.waiting, holders]).toEqual([permits, 0, 0]);
        expect(controllers.reduce((sum, controller) => sum + controller.listeners, 0)).toBe(0);
      }),
      runParameters(),
    );
  });
});
