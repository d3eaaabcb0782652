import { describe, expect, test } from "bun:test";
import type { Entry } from "../../../lib/core/mod.ts";
import { CONTROL_LIMITS, type Lag } from "../../../lib/publish/mod.ts";
import { Fixture } from "./fixture.ts";
import { entry, SESSION_A, SESSION_B, until } from "./support.ts";

/** Lines of a body, parsed; `count` of them, or all. */
async function jsonLines(response: Response, count = Number.POSITIVE_INFINITY): Promise<unknown[]> {
  const lines: unknown[] = [];
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    const parts = text.split("\n");
    text = parts.pop() ?? "";
    for (const part of parts) lines.push(JSON.parse(part));
    if (lines.length >= count) break;
  }
  return lines;
}

/** A connection that asks for a path and then does not read. */
function slowClient(socket_path: string, path: string) {
  return Bun.connect({
    unix: socket_path,
    socket: {
      open(socket): void {
        socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
        socket.pause();
      },
      data(): void {},
    },
  });
}

describe("events", () => {
  test("without follow: what there is, filtered, then the end", async () => {
    await using fixture = await Fixture.started();
    fixture.ports.source = async function* (): AsyncGenerator<Entry | Lag> {
      yield entry(1, { action: { type: "file.read", path: "/a", result: "0" } });
      yield entry(2, { action: { type: "process.fork", child: { pid: 1, start: "2" } } });
      yield { lagged: 3 };
      yield entry(6, { session_id: SESSION_B, action: { type: "file.read", path: "/a", result: "0" } });
      yield entry(7, { action: { type: "file.delete", path: "/a", result: "0" } });
    };
    const response = await fixture.fetch(`/v1/events?session=${SESSION_A}&type=file.*`);
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    const lines = await jsonLines(response);
    expect(lines).toContainEqual({ lagged: 3 });
    expect(lines.filter((line) => JSON.stringify(line).includes("seq"))).toMatchObject([{ seq: 1 }, { seq: 7 }]);
  });

  test("follow: headers at once, entries as they come, the subscription ends with the client", async () => {
    await using fixture = await Fixture.started();
    const gate = Promise.withResolvers<void>();
    let aborted = false;
    fixture.ports.source = async function* (_filter, signal): AsyncGenerator<Entry | Lag> {
      await gate.promise;
      yield entry(1);
      const { promise, resolve } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => resolve());
      await promise;
      aborted = true;
    };
    const client = new AbortController();
    const response = await fixture.fetch("/v1/events?follow=1", { signal: client.signal });
    gate.resolve();
    expect(await jsonLines(response, 2)).toMatchObject([{ lagged: 0 }, { seq: 1 }]);
    client.abort();
    await until(() => aborted, "the end of the subscription");
  });

  test("a slow client is told what it missed; the source never waits for it", async () => {
    await using fixture = await Fixture.started();
    const total = 60_000;
    let given = 0;
    let drained = false;
    const path = "p".repeat(400);
    fixture.ports.source = async function* (): AsyncGenerator<Entry | Lag> {
      for (let seq = 1; seq <= total; seq++) {
        given++;
        yield entry(seq, { action: { type: "file.read", path, result: "0" } });
        if (seq % 500 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      drained = true;
    };
    let text = "";
    let ended = false;
    const decoder = new TextDecoder();
    const socket = await Bun.connect({
      unix: fixture.server.path,
      socket: {
        open(opened): void {
          opened.write("GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
          opened.pause();
        },
        data(_socket, bytes): void {
          text += decoder.decode(bytes, { stream: true });
        },
        close(): void {
          ended = true;
        },
      },
    });
    await until(() => drained, "the source to be drained although nobody reads");
    expect(given).toBe(total);
    socket.resume();
    await until(() => ended || text.includes(`"seq":${total},`), "the rest of the stream");
    socket.terminate();
    let seen = 0;
    let lagged = 0;
    for (const match of text.matchAll(/"lagged":(\d+)|"seq":(\d+)/g)) {
      if (match[1] !== undefined) lagged += Number(match[1]);
      else seen++;
    }
    expect(lagged).toBeGreaterThan(total / 2);
    expect(seen).toBeGreaterThanOrEqual(CONTROL_LIMITS.queue_lines_max);
    expect(seen + lagged).toBe(total);
  });

  test("a client that disappears without a word ends its subscription", async () => {
    await using fixture = await Fixture.started();
    let subscribed = false;
    let aborted = false;
    fixture.ports.source = async function* (_filter, signal): AsyncGenerator<Entry | Lag> {
      subscribed = true;
      while (!signal.aborted) {
        yield entry(1);
        await Bun.sleep(1);
      }
      aborted = true;
    };
    const socket = await slowClient(fixture.server.path, "/v1/events?follow=1");
    await until(() => subscribed, "the subscription");
    socket.terminate();
    await until(() => aborted, "the end of the subscription");
  });

  test("the number of streams is bounded and places are given back", async () => {
    await using fixture = await Fixture.started();
    let open = 0;
    fixture.ports.source = async function* (_filter, signal): AsyncGenerator<Entry | Lag> {
      open++;
      yield { lagged: 0 };
      const { promise, resolve } = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => resolve());
      await promise;
      open--;
    };
    const clients = [];
    for (let i = 0; i < CONTROL_LIMITS.streams_max; i++) {
      const client = new AbortController();
      clients.push({ client, response: await fixture.fetch("/v1/events?follow=1", { signal: client.signal }) });
    }
    expect(open).toBe(CONTROL_LIMITS.streams_max);
    const refused = await fixture.fetch("/v1/events?follow=1");
    expect(refused.status).toBe(503);
    expect(await refused.json()).toMatchObject({ error: { code: "busy" } });
    for (const { client } of clients) client.abort();
    await until(() => open === 0, "the streams to end");
    const again = new AbortController();
    expect((await fixture.fetch("/v1/events?follow=1", { signal: again.signal })).status).toBe(200);
    again.abort();
  });

  test("stopping the server ends a followed stream in order", async () => {
    await using fixture = await Fixture.started();
    fixture.ports.source = async function* (): AsyncGenerator<Entry | Lag> {
      yield entry(1);
      await new Promise(() => {}); // a source that never looks at its signal
    };
    const response = await fixture.fetch("/v1/events?follow=1");
    const lines = jsonLines(response);
    await fixture.server.stop();
    expect(await lines).toMatchObject([{ lagged: 0 }, { seq: 1 }]);
  });

  test("a source that fails ends the stream and is logged", async () => {
    await using fixture = await Fixture.started();
    fixture.ports.source = async function* (): AsyncGenerator<Entry | Lag> {
      yield entry(1);
      throw new Error("ring broke");
    };
    expect(await jsonLines(await fixture.fetch("/v1/events?follow=1"))).toMatchObject([{ lagged: 0 }, { seq: 1 }]);
    expect(fixture.log.lines.join("\n")).toContain("ring broke");
  });
});
