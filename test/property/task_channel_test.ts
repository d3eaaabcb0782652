import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { AgentguardError } from "../../lib/core/mod.ts";
import { Channel, type Overflow } from "../../lib/task/mod.ts";
import { settle } from "../unit/task/fake_timers.ts";
import { WatchedController } from "../unit/task/watched_signal.ts";
import { runParameters } from "./task_support.ts";

type Step =
  | { readonly kind: "send" | "try_send" | "receive" | "settle" | "close" }
  | { readonly kind: "batch"; readonly max: number }
  | { readonly kind: "cancel"; readonly which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Step>({ kind: "send" }) },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: "try_send" }) },
  { weight: 6, arbitrary: fc.constant<Step>({ kind: "receive" }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("batch"), max: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("cancel"), which: fc.nat() }) },
  { weight: 4, arbitrary: fc.constant<Step>({ kind: "settle" }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "close" }) },
);

/** One call of `send`, `receive` or `receiveBatch`, and how it ended. */
interface Call {
  readonly controller: WatchedController;
  /** Order in which the calls of one kind were made, and in which they were served. */
  readonly values: number[];
  end: "pending" | "done" | "closed" | "cancelled" | "overflow";
}

/** Drives a channel and keeps account of what must hold whatever the order of events. */
class Account {
  readonly channel: Channel<number>;
  readonly sends: Call[] = [];
  readonly receives: Call[] = [];
  /** Values accepted, in the order of their sends; those of waiting sends are filtered out at the end. */
  readonly sent: { value: number; call: Call | undefined }[] = [];
  #value = 0;

  constructor(capacity: number, overflow: Overflow) {
    this.channel = new Channel("account", { capacity, overflow });
  }

  async take(next: Step): Promise<void> {
    switch (next.kind) {
      case "send": {
        const call = this.#open(this.sends);
        const value = this.#value++;
        this.sent.push({ value, call });
        this.#follow(call, this.channel.send(value, call.controller.signal).then(() => []));
        break;
      }
      case "try_send": {
        const value = this.#value++;
        if (this.channel.trySend(value)) this.sent.push({ value, call: undefined });
        break;
      }
      case "receive":
      case "batch": {
        const call = this.#open(this.receives);
        const { signal } = call.controller;
        const { channel } = this;
        const one = async (): Promise<number[]> => [await channel.receive(signal)];
        this.#follow(call, next.kind === "batch" ? channel.receiveBatch(next.max, signal) : one());
        break;
      }
      case "cancel": {
        const calls = [...this.sends, ...this.receives];
        if (calls.length > 0) calls[next.which % calls.length]?.controller.abort();
        break;
      }
      case "settle":
        await settle();
        break;
      case "close":
        this.channel.close();
    }
    expect(this.channel.size).toBeLessThanOrEqual(this.channel.capacity);
  }

  /** Ends everything and returns what was accepted and what was received, in order. */
  async finish(): Promise<{ accepted: number[]; received: number[] }> {
    await settle();
    this.channel.close();
    const last = this.#open(this.receives);
    for await (const value of this.channel) last.values.push(value);
    await settle();
    last.end = "done";
    const accepted = this.sent.filter(({ call }) => call === undefined || call.end === "done");
    return {
      accepted: accepted.map(({ value }) => value),
      received: this.receives.flatMap((call) => call.values),
    };
  }

  #open(calls: Call[]): Call {
    const call: Call = { controller: new WatchedController(), values: [], end: "pending" };
    calls.push(call);
    return call;
  }

  #follow(call: Call, result: Promise<number[]>): void {
    result.then((values) => {
      call.values.push(...values);
      call.end = "done";
    }, (error: unknown) => {
      if (!(error instanceof AgentguardError)) throw error;
      if (error.code !== "closed" && error.code !== "cancelled" && error.code !== "overflow") throw error;
      call.end = error.code;
    });
  }
}

const ascending = (a: number, b: number): number => a - b;

describe("Channel properties", () => {
  test.each(["wait", "drop_oldest", "refuse"] as const)(
    "%s: nothing accepted is lost or doubled but what is counted, order holds, the bound holds, no listener stays",
    async (overflow) => {
      const steps = fc.array(step, { maxLength: 120 });
      await fc.assert(
        fc.asyncProperty(fc.integer({ min: 1, max: 5 }), steps, async (capacity, taken) => {
          const account = new Account(capacity, overflow);
          for (const next of taken) await account.take(next);
          const { accepted, received } = await account.finish();
          const calls = [...account.sends, ...account.receives];

          expect(new Set(received).size).toBe(received.length);
          expect(received.length + account.channel.dropped).toBe(accepted.length);
          if (overflow === "drop_oldest") {
            const known = new Set(accepted);
            expect(received.every((value) => known.has(value))).toBe(true);
          } else {
            expect(account.channel.dropped).toBe(0);
            expect(received.toSorted(ascending)).toEqual(accepted);
          }
          for (const call of account.receives) expect(call.values).toEqual(call.values.toSorted(ascending));
          expect(calls.filter((call) => call.end === "pending")).toEqual([]);
          expect(calls.reduce((sum, call) => sum + call.controller.listeners, 0)).toBe(0);
        }),
        runParameters(),
      );
    },
  );

  test("waiting senders and receivers are served in the order of their calls", async () => {
    const simple = step.filter((next) => next.kind !== "batch");
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.array(simple, { maxLength: 120 }),
        async (capacity, taken) => {
          const account = new Account(capacity, "wait");
          for (const next of taken) await account.take(next);
          const { accepted, received } = await account.finish();
          // With single receives the order of the calls is the order of the values: FIFO on both sides at once.
          expect(received).toEqual(accepted);
        },
      ),
      runParameters(),
    );
  });

  test("producers and consumers at their own pace move every value once and in each producer's order", async () => {
    const pace = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 8 }), pace, pace, async (capacity, sendPace, receivePace) => {
        const channel = new Channel<{ producer: number; n: number }>("stress", { capacity });
        const turns = async (count: number): Promise<void> => {
          for (let i = 0; i < count; i++) await Promise.resolve();
        };
        const produce = async (producer: number): Promise<void> => {
          for (let n = 0; n < 50; n++) {
            await turns(sendPace[(producer + n) % sendPace.length] ?? 0);
            await channel.send({ producer, n });
          }
        };
        const got: { producer: number; n: number }[] = [];
        const consume = async (consumer: number): Promise<void> => {
          for await (const value of channel) {
            got.push(value);
            await turns(receivePace[(consumer + got.length) % receivePace.length] ?? 0);
          }
        };
        const consumers = [consume(0), consume(1)];
        await Promise.all([produce(0), produce(1), produce(2)]);
        channel.close();
        await Promise.all(consumers);
        expect(got.length).toBe(150);
        for (const producer of [0, 1, 2]) {
          const own = got.filter((value) => value.producer === producer).map((value) => value.n);
          expect(own.toSorted(ascending)).toEqual(Array.from({ length: 50 }, (_, n) => n));
        }
      }),
      runParameters(),
    );
  });
});
