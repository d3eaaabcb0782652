import { describe, expect, test } from "bun:test";
import { Channel, type Overflow } from "../../../lib/task/mod.ts";
import { codeOf, failureOf, stateOf, WatchedController } from "./watched_signal.ts";

function filled(capacity: number, overflow: Overflow = "wait"): Channel<number> {
  const channel = new Channel<number>("numbers", { capacity, overflow });
  for (let i = 1; i <= capacity; i++) expect(channel.trySend(i)).toBe(true);
  return channel;
}

describe("Channel", () => {
  test.each([0, -1, 1.5, Number.NaN, 1_048_577])(
    "constructor refuses capacity %p and names the channel",
    async (capacity) => {
      const error = await failureOf(() => new Channel("numbers", { capacity }));
      expect(error).toMatchObject({ code: "config", message: expect.stringContaining('channel "numbers"') });
    },
  );

  test("gives values in the order of their sends, also past the size to which it has grown", async () => {
    const channel = new Channel<number>("numbers", { capacity: 100 });
    const got: number[] = [];
    let sent = 0;
    for (const [sends, receives] of [[10, 7], [60, 20], [57, 100]] as const) {
      for (let i = 0; i < sends; i++) await channel.send(sent++);
      for (let i = 0; i < receives; i++) got.push(await channel.receive());
    }
    expect(got).toEqual(Array.from({ length: 127 }, (_, i) => i));
    expect(channel.size).toBe(0);
  });

  test("holds undefined like any other value", async () => {
    const channel = new Channel<undefined>("nothing", { capacity: 2 });
    await channel.send(undefined);
    expect(channel.size).toBe(1);
    expect(await channel.receiveBatch(5)).toEqual([undefined]);
  });

  test("send() with wait holds the sender until there is room, first come first served", async () => {
    const channel = filled(1);
    const second = channel.send(2);
    const third = channel.send(3);
    expect(await stateOf(second)).toBe("pending");
    expect(channel.size).toBe(1);
    expect(await channel.receive()).toBe(1);
    expect(await stateOf(second)).toBe("resolved");
    expect(await stateOf(third)).toBe("pending");
    expect(await channel.receiveBatch(9)).toEqual([2]);
    expect(await channel.receive()).toBe(3);
    await third;
  });

  test("trySend() does not overtake a sender that waits", async () => {
    const channel = filled(1);
    const waiting = channel.send(2);
    expect(channel.trySend(3)).toBe(false);
    expect(channel.refused).toBe(1);
    expect([await channel.receive(), await channel.receive()]).toEqual([1, 2]);
    await waiting;
  });

  test("send() with drop_oldest never waits, drops the oldest and counts it", async () => {
    const channel = filled(2, "drop_oldest");
    await channel.send(3);
    expect(channel.trySend(4)).toBe(true);
    expect(channel.dropped).toBe(2);
    expect(await channel.receiveBatch(9)).toEqual([3, 4]);
  });

  test("send() with refuse throws overflow, counts it and keeps what it holds", async () => {
    const channel = filled(2, "refuse");
    expect(await codeOf(channel.send(3))).toBe("overflow");
    expect(channel.refused).toBe(1);
    expect(channel.dropped).toBe(0);
    expect(await channel.receiveBatch(9)).toEqual([1, 2]);
  });

  test("receive() waits, first come first served", async () => {
    const channel = new Channel<number>("numbers", { capacity: 1 });
    const first = channel.receive();
    const second = channel.receiveBatch(2);
    expect(channel.trySend(1)).toBe(true);
    expect(channel.trySend(2)).toBe(true);
    expect(channel.trySend(3)).toBe(true);
    expect(await first).toBe(1);
    expect(await second).toEqual([2, 3]);
  });

  test("receiveBatch() refuses a batch of none", async () => {
    expect(await codeOf(filled(1).receiveBatch(0))).toBe("config");
  });

  test("a cancelled receive() takes nothing and leaves no listener", async () => {
    const channel = new Channel<number>("numbers", { capacity: 1 });
    const controller = new WatchedController();
    const cancelled = channel.receive(controller.signal);
    const other = channel.receive();
    controller.abort();
    expect(await codeOf(cancelled)).toBe("cancelled");
    await channel.send(1);
    expect(await other).toBe(1);
    expect([controller.added, controller.listeners]).toEqual([1, 0]);
    expect(await codeOf(channel.receive(controller.signal))).toBe("cancelled");
  });

  test("a cancelled send() has sent nothing and leaves no listener", async () => {
    const channel = filled(1);
    const controller = new WatchedController();
    const cancelled = channel.send(2, controller.signal);
    const other = channel.send(3);
    controller.abort("changed my mind");
    const error = await failureOf(cancelled);
    expect(error).toMatchObject({ code: "cancelled", cause: "changed my mind" });
    expect([await channel.receive(), await channel.receive()]).toEqual([1, 3]);
    await other;
    expect([controller.added, controller.listeners]).toEqual([1, 0]);
    expect(await codeOf(channel.send(4, controller.signal))).toBe("cancelled");
  });

  test("an abort after the value was handed over does not lose it", async () => {
    const channel = new Channel<number>("numbers", { capacity: 1 });
    const controller = new AbortController();
    const received = channel.receive(controller.signal);
    await channel.send(7);
    controller.abort();
    expect(await received).toBe(7);
  });

  test("close() refuses senders, waiting ones too, and lets receivers drain", async () => {
    const channel = filled(2);
    const waiting = channel.send(3);
    channel.close();
    channel.close();
    expect(await codeOf(waiting)).toBe("closed");
    expect(await codeOf(channel.send(4))).toBe("closed");
    expect(channel.trySend(5)).toBe(false);
    expect(await channel.receive()).toBe(1);
    expect(await channel.receiveBatch(9)).toEqual([2]);
    expect(await channel.receiveBatch(9)).toEqual([]);
    const error = await failureOf(channel.receive());
    expect(error).toMatchObject({ code: "closed", message: expect.stringContaining('"numbers"') });
  });

  test("close() and dispose wake waiting receivers", async () => {
    const channel = new Channel<number>("numbers", { capacity: 1 });
    const single = channel.receive();
    const batch = channel.receiveBatch(3);
    channel[Symbol.dispose]();
    expect(await codeOf(single)).toBe("closed");
    expect(await batch).toEqual([]);
  });

  test("iteration ends with the channel, and leaving the loop keeps the rest", async () => {
    const channel = filled(3);
    for await (const value of channel) {
      expect(value).toBe(1);
      break;
    }
    channel.close();
    const rest: number[] = [];
    for await (const value of channel) rest.push(value);
    expect(rest).toEqual([2, 3]);
  });
});
