import { describe, expect, test } from "bun:test";
import { AgentguardError } from "../../../lib/core/mod.ts";
import { Fixture } from "./fixture.ts";
import { SESSION_A, SESSION_B, STATUS, until } from "./support.ts";

describe("routes", () => {
  test("status", async () => {
    await using fixture = await Fixture.started();
    const response = await fixture.fetch("/v1/status");
    expect(response.headers.get("content-type")).toContain("application/json");
    expect(await response.json()).toEqual(STATUS);
  });

  test("readiness", async () => {
    await using fixture = await Fixture.started();
    expect((await fixture.fetch("/v1/health/ready")).status).toBe(200);
    fixture.ports.ready = false;
    const response = await fixture.fetch("/v1/health/ready");
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ ready: false });
  });

  test("sessions", async () => {
    await using fixture = await Fixture.started();
    expect(await (await fixture.fetch("/v1/sessions")).json()).toMatchObject({ sessions: [{ session_id: SESSION_A }] });
    expect(await (await fixture.fetch(`/v1/sessions/${SESSION_A}`)).json()).toMatchObject({ agent: "claude" });
    for (const verb of ["kill", "pause", "resume"]) {
      const response = await fixture.fetch(`/v1/sessions/${SESSION_A}/${verb}`, { method: "POST" });
      expect(await response.json()).toMatchObject({ session_id: SESSION_A });
    }
    expect(fixture.ports.commands).toEqual(["kill", "pause", "resume"].map((verb) => `${verb} ${SESSION_A}`));
  });

  test("reload", async () => {
    await using fixture = await Fixture.started();
    expect(await (await fixture.fetch("/v1/policy/reload", { method: "POST" })).json()).toMatchObject({ rules: 3 });
    fixture.ports.failure = new AgentguardError("policy", "p.toml:1:1: close the string");
    const response = await fixture.fetch("/v1/policy/reload", { method: "POST" });
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: { code: "policy", message: "p.toml:1:1: close the string" } });
  });

  test("the record: requests with who asks, and checkpoints to cosign", async () => {
    await using fixture = await Fixture.started();
    const keep = (body: string): Promise<Response> => fixture.fetch("/v1/record/keep", { method: "POST", body });
    expect(await (await keep('{"op":"prune"}')).json()).toMatchObject({ entries: 1, statements: [3] });
    expect(fixture.ports.commands).toEqual([`keep {"op":"prune"} ${fixture.peers.who.id}`]);
    expect((await keep("no json")).status).toBe(400);
    fixture.ports.failure = new AgentguardError("not_found", "release hold x: none of this name is in force");
    expect((await keep("{}")).status).toBe(404);
    const cosigned = await fixture.fetch("/v1/witness/add-checkpoint", { method: "POST", body: "old 0\n" });
    expect([cosigned.status, await cosigned.text()]).toEqual([409, "6\n"]);
    expect(cosigned.headers.get("content-type")).toBe("text/x.tlog.size");
    fixture.peers.who = { ...fixture.peers.who, inside: "in a session" };
    for (const path of ["/v1/record/keep", "/v1/witness/add-checkpoint"]) {
      expect((await fixture.fetch(path, { method: "POST", body: "{}" })).status).toBe(403);
      expect((await fixture.fetch(path)).status).toBe(405);
    }
    expect(fixture.ports.commands).toHaveLength(2);
  });

  const errors: readonly (readonly [string, string, number, string])[] = [
    ["GET", `/v1/sessions/${SESSION_B}`, 404, "not_found"],
    ["GET", "/v1/sessions/not-an-id", 404, "not_found"],
    ["GET", "/v1/sessions/..%2f..%2fetc", 404, "not_found"],
    ["POST", `/v1/sessions/${SESSION_B}/kill`, 404, "not_found"],
    ["POST", "/v1/sessions/x/kill", 404, "not_found"],
    ["GET", "/v1/nothing", 404, "not_found"],
    ["GET", "/", 404, "not_found"],
    ["POST", "/v1/status", 405, "usage"],
    ["GET", `/v1/sessions/${SESSION_A}/kill`, 405, "usage"],
    ["DELETE", "/v1/policy/reload", 405, "usage"],
    ["GET", "/v1/status?verbose=1", 400, "usage"],
    ["POST", `/v1/sessions/${SESSION_A}/kill?force=1`, 400, "usage"],
    ["GET", "/v1/events?session=x", 400, "usage"],
    ["GET", "/v1/events?type=%00", 400, "usage"],
    ["GET", `/v1/events?type=${"a".repeat(2_100)}`, 414, "usage"],
  ];
  test.each([...errors])("%s %s: %i", async (method, path, status, code) => {
    await using fixture = await Fixture.started();
    const response = await fixture.fetch(path, { method });
    expect(response.status).toBe(status);
    const body: unknown = await response.json();
    expect(body).toMatchObject({ error: { code, message: expect.any(String) } });
    expect(fixture.ports.commands.filter((command) => !command.includes(SESSION_B))).toEqual([]);
  });

  const failures: readonly (readonly ["unsupported" | "permission" | "busy" | "io" | "timeout", number])[] = [
    ["unsupported", 501],
    ["permission", 403],
    ["busy", 409],
    ["io", 500],
    ["timeout", 504],
  ];
  test.each([...failures])("a command that fails with %s answers %i", async (code, status) => {
    await using fixture = await Fixture.started();
    fixture.ports.failure = new AgentguardError(code, "free the thing");
    const response = await fixture.fetch(`/v1/sessions/${SESSION_A}/pause`, { method: "POST" });
    expect(response.status).toBe(status);
    expect(await response.json()).toEqual({ error: { code, message: "free the thing" } });
  });

  test("bodies are refused, huge ones too, and nothing is done", async () => {
    await using fixture = await Fixture.started();
    for (const [bytes, status] of [[1, 400], [9_000, 413], [1_000_000, 413]] as const) {
      const response = await fixture.fetch("/v1/policy/reload", { method: "POST", body: "b".repeat(bytes) });
      expect(response.status).toBe(status);
      await response.text();
    }
    expect(fixture.ports.commands).toEqual([]);
  });

  test("a huge query is refused and the server lives on", async () => {
    await using fixture = await Fixture.started();
    const response = await fixture.fetch(`/v1/status?q=${"a".repeat(1_000_000)}`);
    expect([414, 431]).toContain(response.status);
    await response.text();
    expect((await fixture.fetch("/v1/status")).status).toBe(200);
  });

  test("what is not HTTP is refused and the server lives on", async () => {
    await using fixture = await Fixture.started();
    let closed = false;
    await Bun.connect({
      unix: fixture.server.path,
      socket: {
        open(socket): void {
          socket.write("\0\x01\x02 this is not HTTP\r\n\r\n");
        },
        data(): void {},
        close(): void {
          closed = true;
        },
      },
    });
    await until(() => closed, "the connection to be closed");
    expect((await fixture.fetch("/v1/status")).status).toBe(200);
  });

  test("a port that throws answers 500 without its message, which goes to the log", async () => {
    await using fixture = await Fixture.started();
    fixture.ports.sessionViews.find = () => {
      throw new Error("secret detail");
    };
    const response = await fixture.fetch(`/v1/sessions/${SESSION_A}`);
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("secret detail");
    expect(fixture.log.lines.join("\n")).toContain("secret detail");
  });
});
