import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { Broadcast, type BroadcastItem, type Subscription } from "../../lib/task/mod.ts";
import { settle } from "../unit/task/fake_timers.ts";
import { WatchedController } from "../unit/task/watched_signal.ts";
import { runParameters } from "./task_support.ts";

type Step =
  | { readonly kind: "send" | "subscribe" | "settle" }
  | { readonly kind: "receive" | "cancel" | "leave"; readonly which: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Step>({ kind: "send" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: "subscribe" }) },
  { weight: 2, arbitrary: fc.constant<Step>({ kind: "settle" }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("receive"), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("cancel"), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("leave"), which: fc.nat() }) },
);

/** A subscriber with the numbers that it has a right to. */
interface Reader {
  readonly subscription: Subscription<number>;
  readonly first: number;
  readonly controllers: WatchedController[];
  readonly reads: Promise<BroadcastItem<number> | undefined>[];
  left: boolean;
}

describe("Broadcast properties", () => {
  test("each subscriber accounts for every value: read in order, or told as missed at its place", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 150 }), async (capacity, steps) => {
        const broadcast = new Broadcast<number>("numbers", { capacity });
        const readers: Reader[] = [];
        for (const next of steps) {
          const reader = "which" in next ? readers[next.which % Math.max(1, readers.length)] : undefined;
          if (next.kind === "send") broadcast.send(broadcast.sent);
          else if (next.kind === "settle") await settle();
          else if (next.kind === "subscribe") {
            const subscription = broadcast.subscribe();
            readers.push({ subscription, first: broadcast.sent, controllers: [], reads: [], left: false });
          } else if (reader !== undefined) act(next.kind, reader);
        }
        broadcast.close();
        for (const reader of readers) {
          const items = (await Promise.all(reader.reads)).filter((item) => item !== undefined);
          if (!reader.left) { for await (const item of reader.subscription) items.push(item); }
          const end = reader.left ? undefined : broadcast.sent;
          expectAccount(items, { first: reader.first, end, capacity });
          expect(reader.controllers.reduce((sum, controller) => sum + controller.listeners, 0)).toBe(0);
        }
        expect(broadcast.subscribers).toBe(0);
      }),
      runParameters(),
    );
  });
});

function act(kind: "receive" | "cancel" | "leave", reader: Reader): void {
  if (kind === "receive") {
    const controller = new WatchedController();
    reader.controllers.push(controller);
    // A cancelled read and one after the end give nothing: what they lose shows in the account.
    reader.reads.push(reader.subscription.receive(controller.signal).catch(() => undefined));
  } else if (kind === "cancel") {
    reader.controllers.at(-1)?.abort();
  } else {
    reader.subscription.close();
    reader.left = true;
  }
}

function expectAccount(
  items: readonly BroadcastItem<number>[],
  bounds: { readonly first: number; readonly end: number | undefined; readonly capacity: number },
): void {
  let next = bounds.first;
  for (const item of items) {
    if (item.kind === "lagged") {
      expect(item.missed).toBeGreaterThan(0);
      next += item.missed;
    } else {
      expect(item.value).toBe(next);
      next++;
    }
  }
  if (bounds.end !== undefined) expect(next).toBe(bounds.end);
}
