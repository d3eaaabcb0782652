import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AgentguardError } from "../../lib/core/mod.ts";
import { Scope, sleep } from "../../lib/task/mod.ts";
import { FakeTimers } from "../unit/task/fake_timers.ts";
import { WatchedController } from "../unit/task/watched_signal.ts";
import { runParameters } from "./task_support.ts";

/** What a scope of a random tree holds. */
interface Shape {
  /** Duration of each task, ms; negative ones fail after that time. */
  readonly tasks: readonly number[];
  readonly resources: number;
  readonly children: readonly Shape[];
}

const { shape } = fc.letrec<{ shape: Shape }>((tie) => ({
  shape: fc.record({
    tasks: fc.array(fc.integer({ min: -30, max: 200 }).filter((ms) => ms !== 0), { maxLength: 4 }),
    resources: fc.nat({ max: 4 }),
    children: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      fc.constant<Shape[]>([]),
      fc.array(tie("shape"), { maxLength: 3 }),
    ),
  }),
}));

class TaskFailure extends Error {}

/** Fills scopes by a shape and writes down what begins and ends, in order. */
class Witness {
  readonly log: string[] = [];
  readonly scopes: Scope[] = [];
  readonly failures: unknown[] = [];
  running = 0;

  fill(scope: Scope, shape: Shape, timers: FakeTimers): void {
    this.scopes.push(scope);
    for (let i = 0; i < shape.resources; i++) scope.defer(() => void this.log.push(`${scope.path} resource ${i}`));
    for (const [index, child] of shape.children.entries()) this.fill(scope.child(`c${index}`), child, timers);
    for (const ms of shape.tasks) {
      this.running++;
      void scope.spawn("task", async (signal) => {
        try {
          await sleep(Math.abs(ms), signal, { timers });
          if (ms > 0) return;
          const failure = new TaskFailure(scope.path);
          this.failures.push(failure);
          throw failure;
        } finally {
          this.running--;
          this.log.push(`${scope.path} task`);
        }
      });
    }
  }
}

function failuresOf(thrown: unknown): unknown[] {
  return thrown instanceof SuppressedError ? [thrown.error, ...failuresOf(thrown.suppressed)] : [thrown];
}

describe("Scope properties", () => {
  test("closing a tree ends tasks, then resources in reverse, children first, and leaves nothing", async () => {
    await fc.assert(
      fc.asyncProperty(shape, fc.nat({ max: 250 }), async (tree, wait_ms) => {
        const timers = new FakeTimers();
        const outside = new WatchedController();
        const witness = new Witness();
        const root = new Scope("root", { timers, signal: outside.signal });
        witness.fill(root, tree, timers);
        await timers.advance(wait_ms);
        const thrown = await root.close().then(() => [], failuresOf);

        expect(witness.running).toBe(0);
        expect(timers.pending).toBe(0);
        expect(outside.listeners).toBe(0);
        expect(new Set(thrown)).toEqual(new Set(witness.failures));
        for (const scope of witness.scopes) {
          expect(scope.tasks).toEqual([]);
          expect(() => scope.child("late")).toThrow(AgentguardError);
          const own = witness.log.filter((line) => line.startsWith(`${scope.path} `));
          const tasks = own.filter((line) => line.endsWith("task")).length;
          const resources = own.length - tasks;
          const reverse = Array.from({ length: resources }, (_, i) => `${scope.path} resource ${resources - 1 - i}`);
          expect(own.slice(tasks)).toEqual(reverse);
          if (resources === 0) continue;
          const first = witness.log.indexOf(`${scope.path} resource ${resources - 1}`);
          const below = witness.log.findLastIndex((line) => line.startsWith(`${scope.path}/`));
          expect(below).toBeLessThan(first);
        }
      }),
      runParameters(),
    );
  });

  test("the first failure of a scope aborts all below it and is told at once", async () => {
    await fc.assert(
      fc.asyncProperty(shape, async (tree) => {
        const timers = new FakeTimers();
        const witness = new Witness();
        const root = new Scope("root", { timers });
        witness.fill(root, tree, timers);
        const fails = tree.tasks.filter((ms) => ms < 0);
        const told: unknown[] = [];
        root.onFailure((failure) => told.push(failure));
        await timers.advance(1_000);
        expect(root.signal.aborted).toBe(fails.length > 0);
        expect(told.length).toBe(fails.length > 0 ? 1 : 0);
        if (fails.length > 0) expect(witness.scopes.every((scope) => scope.signal.aborted)).toBe(true);
        expect(witness.running).toBe(0);
        await root.close().catch(() => undefined);
        expect(await root.failure).toBe(told[0]);
      }),
      runParameters(),
    );
  });
});
