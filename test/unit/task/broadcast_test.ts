import { describe, expect, test } from "bun:test";
import { Broadcast, type BroadcastItem } from "../../../lib/task/mod.ts";
import { codeOf, failureOf, stateOf, WatchedController } from "./watched_signal.ts";

const value = (number: number): BroadcastItem<number> => ({ kind: "value", value: number });
const lagged = (missed: number): BroadcastItem<number> => ({ kind: "lagged", missed });

async function drain(items: AsyncIterable<BroadcastItem<number>>): Promise<BroadcastItem<number>[]> {
  const got: BroadcastItem<number>[] = [];
  for await (const item of items) got.push(item);
  return got;
}

describe("Broadcast", () => {
  test("every subscriber gets every value sent after it subscribed", async () => {
    const broadcast = new Broadcast<number>("news", { capacity: 4 });
    using early = broadcast.subscribe();
    broadcast.send(1);
    using late = broadcast.subscribe();
    broadcast.send(2);
    broadcast.close();
    expect(await drain(early)).toEqual([value(1), value(2)]);
    expect(await drain(late)).toEqual([value(2)]);
    expect(broadcast.sent).toBe(2);
  });

  test("a slow subscriber is told in-band how many it missed, others miss nothing", async () => {
    const broadcast = new Broadcast<number>("news", { capacity: 2 });
    using slow = broadcast.subscribe();
    using quick = broadcast.subscribe();
    const got: BroadcastItem<number>[] = [];
    broadcast.send(1);
    expect(await slow.receive()).toEqual(value(1));
    for (let i = 2; i <= 6; i++) {
      broadcast.send(i);
      got.push(await quick.receive());
      if (i === 2) got.push(await quick.receive());
    }
    expect(got).toEqual([1, 2, 3, 4, 5, 6].map(value));
    expect([await slow.receive(), await slow.receive()]).toEqual([lagged(3), value(5)]);
    expect([slow.missed, quick.missed]).toEqual([3, 0]);
    broadcast.close();
    expect(await drain(slow)).toEqual([value(6)]);
  });

  test("waiting reads are served in order and by one value each", async () => {
    const broadcast = new Broadcast<number>("news", { capacity: 2 });
    using subscription = broadcast.subscribe();
    const reads = [subscription.receive(), subscription.receive(), subscription.receive()];
    broadcast.send(1);
    broadcast.send(2);
    expect(await Promise.all(reads.slice(0, 2))).toEqual([value(1), value(2)]);
    const [, , third] = reads;
    if (third === undefined) throw new Error("three reads were made");
    expect(await stateOf(third)).toBe("pending");
    broadcast.close();
    expect(await codeOf(third)).toBe("closed");
  });

  test("a cancelled receive() misses nothing and leaves no listener", async () => {
    const broadcast = new Broadcast<number>("news", { capacity: 2 });
    using subscription = broadcast.subscribe();
    const controller = new WatchedController();
    const cancelled = subscription.receive(controller.signal);
    controller.abort();
    expect(await codeOf(cancelled)).toBe("cancelled");
    expect([controller.added, controller.listeners]).toEqual([1, 0]);
    broadcast.send(1);
    expect(await subscription.receive()).toEqual(value(1));
  });

  test("a closed subscription gives its place back, also when its loop is left", async () => {
    const broadcast = new Broadcast<number>("news", { capacity: 1, subscribers_max: 1 });
    const first = broadcast.subscribe();
    const error = await failureOf(() => broadcast.subscribe());
    expect(error).toMatchObject({ code: "overflow", message: expect.stringContaining('"news"') });
    const waiting = first.receive();
    first.close();
    first.close();
    expect(await codeOf(waiting)).toBe("closed");
    expect(await codeOf(first.receive())).toBe("closed");
    const second = broadcast.subscribe();
    broadcast.send(1);
    for await (const item of second) {
      expect(item).toEqual(value(1));
      break;
    }
    expect(broadcast.subscribers).toBe(0);
  });

  test("a closed broadcast refuses to send and to be subscribed", async () => {
    const broadcast = new Broadcast<number>("news", { capacity: 1 });
    broadcast[Symbol.dispose]();
    expect(await codeOf(() => broadcast.send(1))).toBe("closed");
    expect(await codeOf(() => broadcast.subscribe())).toBe("closed");
  });

  test.each([[0, 1], [1.5, 1], [1, 0], [1, 65_537]])(
    "constructor refuses capacity %p, subscribers_max %p",
    async (capacity, subscribers_max) => {
      expect(await codeOf(() => new Broadcast("news", { capacity, subscribers_max }))).toBe("config");
    },
  );
});
