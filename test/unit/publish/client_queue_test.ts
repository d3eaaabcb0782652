import { describe, expect, test } from "bun:test";
import { ClientQueue } from "../../../lib/publish/client_queue.ts";

describe("ClientQueue", () => {
  test("gives lines in order and joins them up to the chunk", async () => {
    const queue = new ClientQueue({ lines_max: 10, chars_max: 100 });
    for (const line of ["a\n", "b\n", "c\n"]) queue.push(line);
    expect(await queue.take(4)).toBe("a\nb\n");
    expect(await queue.take(4)).toBe("c\n");
    queue.end();
    expect(await queue.take(4)).toBeUndefined();
  });

  test("drops the oldest lines and tells how many, first", async () => {
    const queue = new ClientQueue({ lines_max: 3, chars_max: 100 });
    for (let i = 0; i < 10; i++) queue.push(`${i}\n`);
    expect(await queue.take(100)).toBe(`{"lagged":7}\n7\n8\n9\n`);
    queue.push("10\n");
    expect(await queue.take(100)).toBe("10\n");
  });

  test("is bounded in characters too", async () => {
    const queue = new ClientQueue({ lines_max: 100, chars_max: 10 });
    for (let i = 0; i < 4; i++) queue.push("12345\n");
    expect(await queue.take(100)).toBe(`{"lagged":3}\n12345\n`);
    queue.push("a line that is longer than the whole queue\n");
    expect(await queue.take(100)).toBe(`{"lagged":1}\n`);
  });

  test("a reader waits for the first line, the lag or the end", async () => {
    const queue = new ClientQueue({ lines_max: 3, chars_max: 100 });
    const line = queue.take(10);
    queue.push("x\n");
    expect(await line).toBe("x\n");
    const lag = queue.take(10);
    queue.lag(0);
    expect(await lag).toBe(`{"lagged":0}\n`);
    const end = queue.take(10);
    queue.end();
    expect(await end).toBeUndefined();
  });

  test("takes what waits after the end, and nothing new", async () => {
    const queue = new ClientQueue({ lines_max: 3, chars_max: 100 });
    queue.push("x\n");
    queue.end();
    queue.push("y\n");
    expect(await queue.take(10)).toBe("x\n");
    expect(await queue.take(10)).toBeUndefined();
  });

  test("stays correct over many rounds", async () => {
    const queue = new ClientQueue({ lines_max: 5, chars_max: 1_000 });
    let next = 0;
    let seen = 0;
    for (let round = 0; round < 500; round++) {
      for (let i = 0; i < round % 9; i++) queue.push(`${next++}\n`);
      if (round % 9 === 0) continue;
      for (const line of ((await queue.take(6)) ?? "").trim().split("\n")) {
        const parsed: unknown = JSON.parse(line);
        if (typeof parsed === "number") expect(parsed).toBe(seen++);
        else if (typeof parsed === "object" && parsed !== null && "lagged" in parsed) seen += Number(parsed.lagged);
      }
    }
    queue.end();
    let rest = await queue.take(1_000);
    while (rest !== undefined) {
      for (const line of rest.trim().split("\n")) {
        const parsed: unknown = JSON.parse(line);
        if (typeof parsed === "number") expect(parsed).toBe(seen++);
        else if (typeof parsed === "object" && parsed !== null && "lagged" in parsed) seen += Number(parsed.lagged);
      }
      rest = await queue.take(1_000);
    }
    expect(seen).toBe(next);
  });
});
