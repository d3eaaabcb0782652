import { describe, expect, test } from "bun:test";
import { AgentguardError } from "../../../lib/core/mod.ts";
import { Scope } from "../../../lib/task/mod.ts";
import { settle } from "./fake_timers.ts";
import { codeOf, failureOf, stateOf, WatchedController } from "./watched_signal.ts";

/** A task that ends when it is told to. */
function untilAborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => reject(signal.reason));
  return promise;
}

function hangs(): Promise<never> {
  return Promise.withResolvers<never>().promise;
}

describe("Scope tasks", () => {
  test("spawn() gives the task the scope's signal and returns its result", async () => {
    const scope = new Scope("app");
    const result = scope.spawn("sum", (signal) => {
      expect(signal).toBe(scope.signal);
      return Promise.resolve(3);
    });
    expect(scope.tasks).toEqual(["sum"]);
    expect(await result).toBe(3);
    await settle();
    expect(scope.tasks).toEqual([]);
    await scope.close();
  });

  test("close() aborts tasks and waits until the last one has wound down", async () => {
    const scope = new Scope("app");
    const wound = Promise.withResolvers<void>();
    void scope.spawn("slow", async (signal) => {
      await failureOf(untilAborted(signal));
      await wound.promise;
    });
    const closed = scope.close("enough");
    expect(scope.signal.aborted).toBe(true);
    expect(scope.signal.reason).toMatchObject({ code: "cancelled", cause: "enough" });
    expect(await stateOf(closed)).toBe("pending");
    wound.resolve();
    await closed;
  });

  test("a failing task aborts its siblings and child scopes at once and surfaces in close()", async () => {
    const scope = new Scope("app");
    const child = scope.child("stage");
    const failure = new Error("ring lost");
    const sibling = scope.spawn("sibling", untilAborted);
    const nephew = child.spawn("nephew", untilAborted);
    const seen: unknown[] = [];
    scope.onFailure((error) => seen.push(error));
    void scope.spawn("reader", () => Promise.reject(failure));
    expect(await scope.failure).toBe(failure);
    expect(seen).toEqual([failure]);
    expect(await codeOf(sibling)).toBe("cancelled");
    expect(await codeOf(nephew)).toBe("cancelled");
    scope.onFailure((error) => seen.push(error));
    expect(seen).toEqual([failure, failure]);
    expect(await failureOf(scope.close())).toBe(failure);
  });

  test("a task that throws before its first await fails the scope, not the caller of spawn()", async () => {
    const scope = new Scope("app");
    const failure = new Error("at once");
    void scope.spawn("hasty", () => {
      throw failure;
    });
    expect(await failureOf(scope.close())).toBe(failure);
  });

  test("an unsubscribed observer is not told, and one that throws is itself a failure", async () => {
    const scope = new Scope("app");
    const [first, second] = [new Error("task"), new Error("observer")];
    scope.onFailure(() => expect.unreachable())[Symbol.dispose]();
    scope.onFailure(() => {
      throw second;
    });
    void scope.spawn("task", () => Promise.reject(first));
    expect(await failureOf(scope.close())).toMatchObject({ error: first, suppressed: second });
  });

  test("only a cancellation after the abort is no failure", async () => {
    const early = new Scope("app");
    const cancelled = new AgentguardError("cancelled", "stop early");
    void early.spawn("quitter", () => Promise.reject(cancelled));
    expect(await early.failure).toBe(cancelled);
    expect(await failureOf(early.close())).toBe(cancelled);

    const late = new Scope("app");
    void late.spawn("reason", untilAborted);
    void late.spawn("code", (signal) => untilAborted(signal).catch(() => Promise.reject(cancelled)));
    void late.spawn("name", (signal) => untilAborted(signal).catch(() => AbortSignal.abort().throwIfAborted()));
    await late.close();
    expect(await late.failure).toBeUndefined();

    const broken = new Scope("app");
    const failure = new Error("flush failed");
    void broken.spawn("flusher", (signal) => untilAborted(signal).catch(() => Promise.reject(failure)));
    expect(await failureOf(broken.close())).toBe(failure);
  });

  test("several failures come as one SuppressedError, the first one foremost", async () => {
    const scope = new Scope("app");
    const [first, second, third] = [new Error("first"), new Error("second"), new Error("third")];
    scope.defer(() => Promise.reject(third));
    scope.defer(() => {
      throw second;
    });
    void scope.spawn("task", () => Promise.reject(first));
    const error = await failureOf(scope.close());
    expect(error).toBeInstanceOf(SuppressedError);
    expect(error).toMatchObject({ error: first, suppressed: { error: second, suppressed: third } });
    expect(String(error)).toContain('close scope "app": first (2 more failed)');
  });

  test("a failure that reaches the scope twice is reported once", async () => {
    const scope = new Scope("app");
    const child = scope.child("stage");
    const failure = new Error("one");
    void scope.spawn("outer", () => child.spawn("inner", () => Promise.reject(failure)));
    await scope.failure;
    expect(await failureOf(scope.close())).toBe(failure);
  });
});

describe("Scope resources", () => {
  test("are disposed in reverse order, one after another, after tasks and children", async () => {
    const scope = new Scope("app");
    const order: string[] = [];
    const resource = { [Symbol.dispose]: () => void order.push("first") };
    expect(scope.use(resource)).toBe(resource);
    scope.defer(async () => {
      order.push("second begins");
      await settle();
      order.push("second ends");
    });
    scope.use({
      [Symbol.asyncDispose]: async () => {
        order.push("third begins");
        await settle();
        order.push("third ends");
      },
    });
    const child = scope.child("stage");
    child.defer(() => void order.push("child's"));
    void child.spawn("task", (signal) => untilAborted(signal).finally(() => order.push("child's task")));
    void scope.spawn("task", (signal) => untilAborted(signal).finally(() => order.push("task")));
    await scope.close();
    expect(order.slice(0, 3).toSorted()).toEqual(["child's", "child's task", "task"]);
    expect(order.indexOf("child's")).toBeGreaterThan(order.indexOf("child's task"));
    expect(order.slice(3)).toEqual(["third begins", "third ends", "second begins", "second ends", "first"]);
  });

  test("one that fails does not keep the others from their end", async () => {
    const scope = new Scope("app");
    const failure = new Error("unlink failed");
    let disposed = 0;
    scope.defer(() => void disposed++);
    scope.defer(() => Promise.reject(failure));
    scope.defer(() => void disposed++);
    expect(await failureOf(scope.close())).toBe(failure);
    expect(disposed).toBe(2);
  });

  test("may be handed over by a task that winds down", async () => {
    const scope = new Scope("app");
    let disposed = false;
    void scope.spawn("opener", async (signal) => {
      await failureOf(untilAborted(signal));
      scope.defer(() => void (disposed = true));
    });
    await scope.close();
    expect(disposed).toBe(true);
  });

  test("a root scope used as a resource runs until its turn", async () => {
    const app = new Scope("app");
    const recorder = app.use(new Scope("recorder"));
    const order: string[] = [];
    void recorder.spawn("write", (signal) => untilAborted(signal).finally(() => order.push("recorder stops")));
    app.defer(() => {
      expect(recorder.signal.aborted).toBe(false);
      order.push("pipeline drained");
    });
    await app.close();
    expect(order).toEqual(["pipeline drained", "recorder stops"]);
  });
});

describe("Scope tree", () => {
  test("paths are the names from the root", async () => {
    const scope = new Scope("app");
    expect(scope.child("session").child("request").path).toBe("app/session/request");
    await scope.close();
  });

  test("a closed scope refuses work by name, and says why it closed", async () => {
    const scope = new Scope("app");
    await scope.close("shutdown");
    let disposed = false;
    const resource = { [Symbol.dispose]: () => void (disposed = true) };
    const attempts = [
      () => scope.spawn("task", hangs),
      () => scope.child("stage"),
      () => new Scope("stage", { parent: scope }),
      () => scope.use(resource),
      () => scope.defer(() => undefined),
    ];
    for (const attempt of attempts) {
      expect(await failureOf(attempt)).toMatchObject({
        code: "closed",
        message: expect.stringContaining('scope "app"'),
      });
    }
    expect(disposed).toBe(false);
    const error = await failureOf(() => scope.spawn("task", hangs));
    expect(error).toMatchObject({ cause: { code: "cancelled", cause: "shutdown" } });
  });

  test("a failed scope, and a child of one, refuse new tasks before they are closed", async () => {
    const scope = new Scope("app");
    const child = scope.child("stage");
    void scope.spawn("task", () => Promise.reject(new Error("lost")));
    await scope.failure;
    expect(await codeOf(() => scope.spawn("late", hangs))).toBe("closed");
    expect(await codeOf(() => child.spawn("late", hangs))).toBe("closed");
    await failureOf(scope.close());
  });

  test("a child's failure stays its own until somebody closes", async () => {
    const scope = new Scope("app");
    const child = scope.child("session");
    const failure = new Error("agent gone");
    void child.spawn("task", () => Promise.reject(failure));
    expect(await child.failure).toBe(failure);
    expect(scope.signal.aborted).toBe(false);
    expect(scope.children).toEqual(["session"]);
    expect(await failureOf(child.close())).toBe(failure);
    expect(scope.children).toEqual([]);
    await scope.close();
    expect(await scope.failure).toBeUndefined();
  });

  test("the parent reports the failures of children that it closes", async () => {
    const scope = new Scope("app");
    const failure = new Error("unmap failed");
    scope.child("stage").child("part").defer(() => Promise.reject(failure));
    expect(await failureOf(scope.close())).toBe(failure);
  });

  test("a closed child leaves nothing on its parent, and an outside signal loses its listener", async () => {
    const controller = new WatchedController();
    const scope = new Scope("app", { signal: controller.signal });
    for (let i = 0; i < 100; i++) await scope.child("request", { signal: controller.signal }).close();
    expect([controller.added, controller.listeners]).toEqual([101, 1]);
    const order: string[] = [];
    scope.child("last").defer(() => void order.push("last"));
    controller.abort("client left");
    expect(scope.signal.reason).toMatchObject({ cause: "client left" });
    await scope.close();
    expect(order).toEqual(["last"]);
    expect(controller.listeners).toBe(0);
  });
});
