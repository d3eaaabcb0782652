/** Standing grants: how long they hold, for whom, and that nobody can write one by hand. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import type { Action, ApprovalAnswer, Ballot, SessionInfo } from "../../../lib/core/mod.ts";
import { ApprovalsFixture, approver, OTHER_SESSION, SESSION } from "./support.ts";

/** Asks about the action and lets the first voter answer, unless a grant does. */
async function ask(
  fixture: ApprovalsFixture,
  ballot: Ballot | undefined,
  what: { readonly action?: Action; readonly session?: SessionInfo; readonly rule?: string } = {},
): Promise<ApprovalAnswer | "asked"> {
  const request = fixture.request(what);
  const asked = fixture.approvals.ask(request);
  if (fixture.approvals.show(request.approval_id)?.state !== "pending") return await asked;
  if (ballot === undefined) {
    fixture.approvals.withdraw(request.approval_id);
    await asked;
    return "asked";
  }
  const voted = await fixture.approvals.vote(request.approval_id, ballot, approver());
  if (!voted.ok) throw voted.error;
  return await asked;
}

const ALWAYS: Ballot = { verdict: "allow", grant: { term: "always" } };

describe("how long", () => {
  test("once: the next time asks again", async () => {
    await using fixture = new ApprovalsFixture();
    await ask(fixture, { verdict: "allow" });
    expect(await ask(fixture, undefined)).toBe("asked");
  });

  test("session: in this session only, until it ends, and not after a restart", async () => {
    await using fixture = new ApprovalsFixture();
    await ask(fixture, { verdict: "allow", grant: { term: "session" } });
    expect(await ask(fixture, undefined)).toMatchObject({ verdict: "allow", by: expect.stringMatching(/^grant:/) });
    expect(await ask(fixture, undefined, { session: OTHER_SESSION })).toBe("asked");
    using again = fixture.openGrants();
    expect(again.list(fixture.clock.wallUs())).toEqual([]);
    fixture.approvals.endSession(SESSION.session_id);
    expect(await ask(fixture, undefined)).toBe("asked");
  });

  test("a duration: until then, in every session of the principal", async () => {
    await using fixture = new ApprovalsFixture();
    await ask(fixture, { verdict: "allow", grant: { term: "duration", duration_ms: 60_000 } });
    expect(await ask(fixture, undefined, { session: OTHER_SESSION })).toMatchObject({ verdict: "allow" });
    expect(await ask(fixture, undefined, { session: { ...SESSION, principal: "bob" } })).toBe("asked");
    await fixture.timers.advance(60_000);
    expect(await ask(fixture, undefined)).toBe("asked");
    expect(fixture.approvals.standing.list()).toEqual([]);
  });

  test("always: after a restart too, until it is revoked", async () => {
    await using fixture = new ApprovalsFixture();
    const answer = await ask(fixture, ALWAYS);
    expect(answer).toMatchObject({ verdict: "allow", by: "uid:0" });
    const [grant] = fixture.approvals.standing.list();
    expect(grant).toMatchObject({ principal: "alice", by: ["uid:0"], covers: "exactly this exec", uses: 0 });
    using again = fixture.openGrants();
    expect(again.list(0)).toMatchObject([{ grant_id: grant?.grant_id }]);
    const inside = fixture.approvals.standing.revoke(grant?.grant_id ?? "", approver({ inside: "in a session" }));
    expect(inside).toMatchObject({ ok: false, error: { code: "permission" } });
    expect(fixture.approvals.standing.revoke(grant?.grant_id ?? "", approver()).ok).toBe(true);
    expect(fixture.approvals.standing.revoke(grant?.grant_id ?? "", approver())).toMatchObject({
      ok: false,
      error: { code: "not_found" },
    });
    expect(await ask(fixture, undefined)).toBe("asked");
    using third = fixture.openGrants();
    expect(third.list(0)).toEqual([]);
    expect(fixture.sink.types().filter((type) => type.includes("revoke"))).toEqual([
      "operator.revoke",
      "operator.revoke",
      "approval.revoked",
      "operator.revoke",
    ]);
  });
});

describe("how wide", () => {
  test("one byte of an argument more asks again", async () => {
    await using fixture = new ApprovalsFixture();
    await ask(fixture, ALWAYS);
    const other: Action = {
      type: "exec",
      path: "/usr/bin/git",
      argv: ["git", "push", "origin", "main2"],
      cwd: "/work",
    };
    expect(await ask(fixture, undefined, { action: other })).toBe("asked");
  });

  test("a pattern answers only what the same rule asks", async () => {
    await using fixture = new ApprovalsFixture();
    await ask(fixture, { ...ALWAYS, match: "push *" });
    const other: Action = { type: "exec", path: "/usr/bin/git", argv: ["git", "push", "-f"], cwd: "/elsewhere" };
    expect(await ask(fixture, undefined, { action: other })).toMatchObject({ verdict: "allow" });
    expect(await ask(fixture, undefined, { action: other, rule: "no-force" })).toBe("asked");
  });

  test("what waits already and is covered is answered too, and nothing else", async () => {
    await using fixture = new ApprovalsFixture();
    const push = (branch: string): Action => ({ type: "exec", path: "/usr/bin/git", argv: ["git", "push", branch] });
    const pull: Action = { type: "exec", path: "/usr/bin/git", argv: ["git", "pull"] };
    const requests = [push("a"), push("b"), pull].map((action) => fixture.request({ action }));
    const answers = requests.map((request) => fixture.approvals.ask(request));
    const ballot: Ballot = { verdict: "allow", grant: { term: "session" }, match: "push *" };
    await fixture.approvals.vote(String(requests[0]?.approval_id), ballot, approver());
    expect(await answers[1]).toMatchObject({ verdict: "allow", by: expect.stringMatching(/^grant:/) });
    expect(fixture.approvals.list().map(({ approval_id }) => approval_id)).toEqual(
      requests.slice(2).map(({ approval_id }) => approval_id),
    );
  });

  test("with a quorum only what all of them said", async () => {
    await using fixture = new ApprovalsFixture({ settings: { quorum: 2 } });
    const both = async (one: Ballot, two: Ballot): Promise<number> => {
      const request = fixture.request();
      const asked = fixture.approvals.ask(request);
      await fixture.approvals.vote(request.approval_id, one, approver());
      await fixture.approvals.vote(request.approval_id, two, approver({ id: "uid:5", uid: 5 }));
      expect(await asked).toMatchObject({ verdict: "allow" });
      return fixture.approvals.standing.list().length;
    };
    expect(await both(ALWAYS, { verdict: "allow" })).toBe(0);
    expect(await both(ALWAYS, { verdict: "allow", grant: { term: "session" } })).toBe(0);
    expect(await both(ALWAYS, { ...ALWAYS, match: "push *" })).toBe(0);
    expect(await both(ALWAYS, ALWAYS)).toBe(1);
  });

  test.each<[string, Ballot, string]>([
    ["a pattern without a term", { verdict: "allow", match: "*" }, "give a term"],
    ["a no with a term", { verdict: "deny", grant: { term: "always" } }, "without a term"],
    ["no time at all", { verdict: "allow", grant: { term: "duration", duration_ms: 0 } }, "365 days"],
    ["a reason without end", { verdict: "deny", reason: "x".repeat(1_025) }, "1024 characters"],
    ["a pattern for something else", { ...ALWAYS, match: "pull" }, "covers the action"],
  ])("%s is refused and nothing happens", async (_name, ballot, message) => {
    await using fixture = new ApprovalsFixture();
    const request = fixture.request();
    void fixture.approvals.ask(request);
    const voted = await fixture.approvals.vote(request.approval_id, ballot, approver());
    expect(voted).toMatchObject({ ok: false, error: { code: "usage", message: expect.stringContaining(message) } });
    expect(fixture.approvals.show(request.approval_id)?.state).toBe("pending");
  });
});

describe("the file", () => {
  test("is private", async () => {
    await using fixture = new ApprovalsFixture();
    expect(statSync(`${fixture.dir.path}/grants.db`).mode & 0o777).toBe(0o600);
  });

  test.each<[string, string]>([
    ["another principal", `UPDATE grants SET body = replace(body, 'alice', 'mallory')`],
    ["another subject", `UPDATE grants SET body = replace(body, '"kind":"exact"', '"kind":"never"')`],
    ["another signature", "UPDATE grants SET mac = zeroblob(32)"],
    ["no signature", "UPDATE grants SET mac = x''"],
    ["another id", "UPDATE grants SET grant_id = '01JABCDEFGHJKMNPQRSTVWXYZ8'"],
  ])("%s: ignored, with an alarm", async (_name, sql) => {
    await using fixture = new ApprovalsFixture();
    await ask(fixture, ALWAYS);
    const database = new Database(`${fixture.dir.path}/grants.db`);
    expect(database.run(sql).changes).toBe(1);
    database.close();
    using again = fixture.openGrants();
    expect(again.list(0)).toEqual([]);
    expect(fixture.tampered).toHaveLength(1);
    expect(fixture.tampered[0]).toContain("not as it was signed");
  });

  test("a grant signed with another key is none", async () => {
    await using fixture = new ApprovalsFixture();
    await ask(fixture, ALWAYS);
    using again = fixture.openGrants(new Uint8Array(32).fill(8));
    expect(again.list(0)).toEqual([]);
    expect(fixture.tampered).toHaveLength(1);
  });
});
