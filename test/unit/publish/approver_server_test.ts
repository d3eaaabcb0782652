/** The port of approvers: a token, no pages of browsers, signed answers of webhooks. */
import { describe, expect, test } from "bun:test";
import type { ApprovalView } from "../../../lib/core/mod.ts";
import { ApprovalOffice } from "../../../lib/app/approval_office.ts";
import { signMessage } from "../../../lib/approve/mod.ts";
import { ApproverServer } from "../../../lib/publish/mod.ts";
import { IdGenerator, silentLog, systemClock } from "../../../lib/core/mod.ts";
import { ApprovalsFixture, HandSink, UNKNOWN } from "../approve/support.ts";
import { MemoryPeers, TempDir, until } from "./support.ts";

const TOKEN = "a token of some length";
const SECRET = "a webhook secret of some length";

class Port implements AsyncDisposable {
  readonly dir: TempDir = new TempDir();
  readonly sink: HandSink = new HandSink();
  readonly peers: MemoryPeers = new MemoryPeers();
  readonly requests: ApprovalsFixture = new ApprovalsFixture();
  readonly office: ApprovalOffice;
  readonly server: ApproverServer;

  constructor(url = "http://127.0.0.1:9/", decides = true) {
    this.office = new ApprovalOffice({
      state_dir: this.dir.path,
      settings: { webhook: { url, secret: { env: "SECRET" }, name: "pager", decides } },
      env: { SECRET },
      clock: systemClock,
      ids: new IdGenerator(systemClock),
      log: silentLog,
      sink: this.sink,
    });
    this.peers.who = { id: "token:ops", verified: "test", terminal: false };
    const options = { hostname: "127.0.0.1", port: 0, token: TOKEN, log: silentLog, peers: this.peers };
    this.server = new ApproverServer(this.office, options);
    this.server.start();
  }

  /** Asks; the question as it is shown. */
  ask(): ApprovalView {
    const asked_us = systemClock.wallUs();
    const request = this.requests.request({ asked_us, expires_us: asked_us + 60_000_000 });
    void this.office.port.ask(request);
    const view = this.office.show(request.approval_id);
    if (view === undefined) throw new Error("the question waits");
    return view;
  }

  fetch(path: string, init: RequestInit = {}, token: string | undefined = TOKEN): Promise<Response> {
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    return fetch(`http://127.0.0.1:${this.server.port}${path}`, { ...init, headers });
  }

  /** What a webhook's server would send for this answer. */
  callback(id: string, answer: unknown, secret = SECRET): Promise<Response> {
    const body = JSON.stringify(answer);
    const headers = signMessage(new TextEncoder().encode(secret), body, systemClock.wallUs());
    const url = `http://127.0.0.1:${this.server.port}/v1/approvals/${id}/callback`;
    return fetch(url, { method: "POST", body, headers });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server[Symbol.dispose]();
    await this.office.close();
    await this.requests[Symbol.asyncDispose]();
    this.dir[Symbol.dispose]();
  }
}

describe("the token", () => {
  test.each<[string, RequestInit, string | undefined, number]>([
    ["none", {}, "", 401],
    ["a wrong one", {}, `${TOKEN}x`, 401],
    ["the right one", {}, TOKEN, 200],
    ["the right one from a page", { headers: { origin: "http://127.0.0.1" } }, TOKEN, 403],
    ["the right one for another host", { headers: { host: "evil.example:80" } }, TOKEN, 403],
  ])("%s", async (_name, init, token, status) => {
    await using port = new Port();
    expect((await port.fetch("/v1/approvals", init, token)).status).toBe(status);
  });

  test("lets somebody answer, unless they are in a session", async () => {
    await using port = new Port();
    const { approval_id } = port.ask();
    const approve = (): Promise<Response> =>
      port.fetch(`/v1/approvals/${approval_id}/approve`, { method: "POST", body: '{"reason":"ok"}' });
    port.peers.who = { ...port.peers.who, inside: "in a session" };
    expect((await approve()).status).toBe(403);
    expect((await port.fetch("/v1/approvals")).status).toBe(403);
    port.peers.who = { id: "token:ops", verified: "test", terminal: false };
    expect(await (await approve()).json()).toMatchObject({
      state: "allowed",
      answer: { by: "token:ops", reason: "ok" },
    });
    expect((await approve()).status).toBe(409);
  });

  test("opens nothing but approvals", async () => {
    await using port = new Port();
    for (const path of ["/v1/status", "/v1/sessions", "/v1/events"]) {
      expect((await port.fetch(path)).status).toBe(404);
    }
  });

  test.each<[string, string]>([
    ["no JSON", "{"],
    ["no object", "[]"],
    ["another member", '{"verdict":"allow"}'],
    ["a number", '{"code":123456}'],
    ["a term that is none", '{"for":"forever"}'],
  ])("a body that is %s is refused", async (_name, body) => {
    await using port = new Port();
    const { approval_id } = port.ask();
    const response = await port.fetch(`/v1/approvals/${approval_id}/approve`, { method: "POST", body });
    expect(response.status).toBe(400);
    expect(port.office.show(approval_id)?.state).toBe("pending");
  });

  test("streams what waits and what comes", async () => {
    await using port = new Port();
    const first = port.ask();
    const response = await port.fetch("/v1/approvals/stream");
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const read = async (part: string): Promise<void> => {
      while (!text.includes(part)) text += (await reader?.read())?.value ?? "";
    };
    await read(first.approval_id);
    const second = port.ask();
    await read(second.approval_id);
    expect(text.split("\n")[0]).toBe('{"lagged":0}');
    await port.fetch(`/v1/approvals/${second.approval_id}/deny`, { method: "POST" });
    await read('"event":"answered"');
    await reader?.cancel();
  });
});

describe("answers of a webhook", () => {
  test("count when they are signed, name the question and its digest, and come once", async () => {
    await using port = new Port();
    const { approval_id, digest } = port.ask();
    const good = { approval_id, digest, verdict: "allow", reason: "paged", by: "alice" };
    expect((await port.callback(approval_id, good, "another secret of some length")).status).toBe(403);
    expect((await port.callback(approval_id, { ...good, digest: "00".repeat(32) })).status).toBe(403);
    expect((await port.callback(approval_id, { ...good, approval_id: UNKNOWN })).status).toBe(403);
    expect((await port.callback(approval_id, { ...good, verdict: "yes" })).status).toBe(403);
    expect((await port.fetch(`/v1/approvals/${approval_id}/callback`, { method: "POST", body: "{}" })).status).toBe(
      403,
    );
    expect(port.office.show(approval_id)?.state).toBe("pending");
    const body = JSON.stringify(good);
    const headers = signMessage(new TextEncoder().encode(SECRET), body, systemClock.wallUs());
    const send = (id: string): Promise<Response> =>
      port.fetch(`/v1/approvals/${id}/callback`, { method: "POST", body, headers }, undefined);
    expect(await (await send(approval_id)).json()).toMatchObject({ answer: { by: "webhook:pager", reason: "paged" } });
    expect((await send(approval_id)).status).toBe(403);
    expect(port.sink.approvals("approval.vote")[0]?.verified).toContain('"alice"');
  });

  test("do not count where the webhook is only told", async () => {
    await using port = new Port("http://127.0.0.1:9/", false);
    const { approval_id, digest } = port.ask();
    expect((await port.callback(approval_id, { approval_id, digest, verdict: "allow" })).status).toBe(403);
  });

  test("may come with the notice's own response", async () => {
    const received: { readonly body: string; readonly headers: Headers }[] = [];
    using hook = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request): Promise<Response> {
        const body = await request.text();
        received.push({ body, headers: request.headers });
        const { event, approval } = JSON.parse(body);
        if (event !== "asked") return new Response("");
        if (received.length === 1) return new Response("busy", { status: 503 });
        const answer = JSON.stringify({
          approval_id: approval.approval_id,
          digest: approval.digest,
          verdict: "deny",
          reason: "no",
        });
        const headers = signMessage(new TextEncoder().encode(SECRET), answer, systemClock.wallUs());
        return new Response(answer, { headers });
      },
    });
    await using port = new Port(`http://127.0.0.1:${hook.port}/`);
    const { approval_id } = port.ask();
    await until(() => port.office.show(approval_id)?.state === "denied", "the webhook's answer");
    expect(port.office.show(approval_id)?.answer).toMatchObject({ by: "webhook:pager", reason: "no" });
    await until(() => received.length === 3, "the notice of the answer");
    const [first] = received;
    const signature = new Bun.CryptoHasher("sha256", SECRET)
      .update(`${first?.headers.get("x-agentguard-timestamp")}.${first?.body}`).digest("hex");
    expect(first?.headers.get("x-agentguard-signature")).toBe(`v1=${signature}`);
  });
});

test("a notice has no secrets in it", async () => {
  const bodies: string[] = [];
  using hook = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request): Promise<Response> {
      bodies.push(await request.text());
      return new Response("", { status: 500 });
    },
  });
  await using port = new Port(`http://127.0.0.1:${hook.port}/`);
  const asked_us = systemClock.wallUs();
  const action = {
    type: "exec",
    path: "/usr/bin/curl",
    argv: ["curl", "-u", "me:hunter2hunter2", "https://x/"],
  } as const;
  const { digest } = port.requests.request({ action });
  void port.office.port.ask(port.requests.request({ action, digest, asked_us, expires_us: asked_us + 60_000_000 }));
  await until(() => bodies.length > 0, "the notice");
  expect(bodies[0]).toContain("curl");
  expect(bodies[0]).not.toContain("hunter2");
});
