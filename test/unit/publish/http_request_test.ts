/** The little HTTP that the control API speaks: what it reads, and all that two readers could read differently. */
import { describe, expect, test } from "bun:test";
import { parseHead } from "../../../lib/publish/http_request.ts";
import { Fixture } from "./fixture.ts";
import { until } from "./support.ts";

const LIMITS = { head_bytes_max: 512, body_bytes_max: 64 };
const encode = (text: string): Uint8Array => Buffer.from(text, "latin1");

/** The status of the refusal, the head, or `more`. */
function read(text: string): unknown {
  const head = parseHead(encode(text), LIMITS);
  if (head === undefined) return "more";
  if (!head.ok) return head.error.status;
  const { method, target, body_bytes, headers } = head.value;
  return { method, target, body_bytes, host: headers.get("host") };
}

test("a head is read when its empty line is there", () => {
  const text = "POST /v1/a?b=c HTTP/1.1\r\nHost: x \r\nContent-Length: 5\r\n\r\n";
  for (let length = 0; length < text.length; length++) expect(read(text.slice(0, length))).toBe("more");
  expect(read(`${text}hello and more`)).toEqual({ method: "POST", target: "/v1/a?b=c", body_bytes: 5, host: "x" });
});

describe("refused", () => {
  test.each<[string, string, number]>([
    ["another protocol", "GET / HTTP/2\r\n\r\n", 400],
    ["no path", "GET http://x/ HTTP/1.1\r\n\r\n", 400],
    ["a space in the path", "GET /a b HTTP/1.1\r\n\r\n", 400],
    ["two lengths", "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400],
    ["a length that is none", "POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n", 400],
    ["a folded line", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400],
    ["a space before the colon", "GET / HTTP/1.1\r\nContent-Length : 5\r\n\r\n", 400],
    ["a bare line feed", "GET / HTTP/1.1\nHost: x\r\n\r\n", 400],
    ["a control character", "GET / HTTP/1.1\r\nA: \u0001\r\n\r\n", 400],
    ["chunks", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501],
    ["chunks and a length", "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 501],
    ["a body too long", "POST / HTTP/1.1\r\nContent-Length: 65\r\n\r\n", 413],
    ["a head too long", `GET /${"a".repeat(600)} HTTP/1.1\r\n\r\n`, 431],
    ["a head without an end", `GET /${"a".repeat(600)}`, 431],
    ["too many fields", `GET / HTTP/1.1\r\n${"a: b\r\n".repeat(65)}\r\n`, 431],
  ])("%s", (_name, text, status) => {
    expect(read(text)).toBe(status);
  });
});

/** Sends the parts as they are and gives everything that came back. */
async function talk(path: string, parts: readonly string[]): Promise<string> {
  let answer = "";
  let closed = false;
  const socket = await Bun.connect({
    unix: path,
    socket: {
      data(_socket, bytes): void {
        answer += bytes.toString("latin1");
      },
      close(): void {
        closed = true;
      },
    },
  });
  for (const part of parts) {
    socket.write(part);
    await Bun.sleep(1);
  }
  await until(() => closed, "the end of the connection");
  return answer;
}

describe("connections", () => {
  test("one request each: what comes after it is no request", async () => {
    await using fixture = await Fixture.started();
    const answer = await talk(fixture.server.path, [
      "POST /v1/policy/reload HTTP/1.1\r\nContent-Length: 0\r\n\r\nPOST /v1/policy/reload HTTP/1.1\r\n\r\n",
    ]);
    expect(answer.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
    expect(answer).toContain("connection: close");
    expect(answer.endsWith("0\r\n\r\n")).toBe(true);
    expect(fixture.ports.commands).toEqual(["reload"]);
  });

  test("a request may come byte by byte", async () => {
    await using fixture = await Fixture.started();
    const answer = await talk(fixture.server.path, [..."GET /v1/health/ready HTTP/1.1\r\nHost: x\r\n\r\n"]);
    expect(answer).toContain('{"ready":true}');
  });

  test("a refusal is JSON too", async () => {
    await using fixture = await Fixture.started();
    const answer = await talk(fixture.server.path, ["GET / HTTP/9\r\n\r\n"]);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('{"error":{"code":"usage"');
  });

  test("each peer is asked for once and given back", async () => {
    await using fixture = await Fixture.started();
    for (let i = 0; i < 20; i++) await (await fixture.fetch("/v1/status")).text();
    expect(fixture.peers.opened).toHaveLength(20);
    expect(fixture.peers.opened.every((fd) => fd > 2)).toBe(true);
    await until(() => fixture.peers.closed === 20, "every peer to be given back");
  });

  test("more than the bound are closed at once, and the others go on", async () => {
    await using fixture = await Fixture.started();
    let closed = 0;
    const open = (): Promise<unknown> =>
      Bun.connect({
        unix: fixture.server.path,
        socket: { data(): void {}, close: () => void closed++ },
      });
    for (let i = 0; i < 260; i++) await open();
    await until(() => closed === 4, "four connections to be closed");
  });
});

test("a process of a session commands nothing", async () => {
  await using fixture = await Fixture.started();
  const refused: string[] = [];
  fixture.ports.policy.reload = (who) => {
    refused.push(who.inside ?? "");
    return Promise.reject(new Error("the port is told who it is"));
  };
  fixture.peers.who = { ...fixture.peers.who, inside: "in a session" };
  await (await fixture.fetch("/v1/policy/reload", { method: "POST" })).text();
  expect(refused).toEqual(["in a session"]);
  for (const path of ["/v1/events", "/v1/approvals", "/v1/approvals/stream", "/v1/approvals/x", "/v1/grants"]) {
    expect((await fixture.fetch(path)).status).toBe(403);
  }
});
