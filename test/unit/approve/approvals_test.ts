/** One question, one answer: who may give it, what it lets through, and what the record says. */
import { describe, expect, test } from "bun:test";
import { type Action, type ApprovalAnswer, type ApprovalRequest, formatTime } from "../../../lib/core/mod.ts";
import { APPROVAL_LIMITS, decodeTotpSecret, TotpChecker, totpCode } from "../../../lib/approve/mod.ts";
import { settle } from "../task/fake_timers.ts";
import { ApprovalsFixture, approver, codeMemory, OTHER_SESSION, PUSH, SESSION, START_US, UNKNOWN } from "./support.ts";

/** The answer, or `waiting`. */
async function stateOf(answer: Promise<ApprovalAnswer>): Promise<ApprovalAnswer | "waiting"> {
  await settle();
  return await Promise.race([answer, Promise.resolve("waiting" as const)]);
}

describe("one answer", () => {
  test("a yes releases exactly this question, and the record tells all of it", async () => {
    await using fixture = new ApprovalsFixture();
    const { approvals, sink, timers } = fixture;
    const [first, second] = [fixture.request(), fixture.request()];
    const [asked, other] = [approvals.ask(first), approvals.ask(second)];
    await timers.advance(4_200);
    const voted = await approvals.vote(first.approval_id, { verdict: "allow", reason: "ship it" }, approver());
    expect(voted).toMatchObject({ ok: true, value: { state: "allowed", answer: { by: "uid:0", held_ms: 4_200 } } });
    expect(await asked).toEqual({
      approval_id: first.approval_id,
      verdict: "allow",
      by: "uid:0",
      reason: "ship it",
      held_ms: 4_200,
    });
    expect(await stateOf(other)).toBe("waiting");
    expect(sink.types()).toEqual([
      "approval.asked",
      "approval.asked",
      "operator.approve",
      "approval.vote",
      "approval.answered",
    ]);
    expect(sink.drafts[0]).toMatchObject({
      kind: "approval",
      session_id: SESSION.session_id,
      principal: "alice",
      process: { pid: 42 },
      action: { approval_id: first.approval_id, digest: first.digest, subject: PUSH, held_by: "seccomp" },
    });
    expect(sink.drafts[2]).toMatchObject({ kind: "operator", action: { by: "uid:0", verified: "test" } });
    expect(sink.approvals("approval.answered")).toMatchObject([{ verdict: "allow", by: "uid:0", held_ms: 4_200 }]);
  });

  test("a yes waits for the record; one that cannot be recorded is a no, and leaves no grant", async () => {
    await using fixture = new ApprovalsFixture();
    const { approvals, sink } = fixture;
    sink.mode = "hand";
    const request = fixture.request();
    const asked = approvals.ask(request);
    const voting = approvals.vote(request.approval_id, { verdict: "allow", grant: { term: "always" } }, approver());
    expect(await stateOf(asked)).toBe("waiting");
    expect(sink.flushes[0]?.covers).toBe(sink.drafts.length);
    sink.flushes[0]?.reject(new Error("disk full"));
    expect(await asked).toMatchObject({ verdict: "deny", by: "guard", reason: expect.stringContaining("disk full") });
    expect(await voting).toMatchObject({ ok: true, value: { state: "denied" } });
    expect(sink.approvals("approval.answered").map(({ verdict }) => verdict)).toEqual(["allow", "deny"]);
    expect(approvals.standing.list()).toEqual([]);
  });

  test("of two approvers the second is told who was first", async () => {
    await using fixture = new ApprovalsFixture();
    const request = fixture.request();
    const asked = fixture.approvals.ask(request);
    const [yes, no] = await Promise.all([
      fixture.approvals.vote(request.approval_id, { verdict: "allow" }, approver()),
      fixture.approvals.vote(request.approval_id, { verdict: "deny" }, approver({ id: "uid:5", uid: 5 })),
    ]);
    expect(yes.ok).toBe(true);
    expect(no).toMatchObject({ ok: false, error: { code: "busy", message: expect.stringContaining("uid:0") } });
    expect((await asked).verdict).toBe("allow");
    expect(fixture.sink.approvals("approval.answered")).toHaveLength(1);
  });

  test("time denies, and a yes at that very moment comes too late, also where the timer is late", async () => {
    await using fixture = new ApprovalsFixture();
    const { approvals, timers } = fixture;
    const process = { pid: 43, start: "430", uid: 1000 };
    const [first, second] = [fixture.request(), fixture.request({ expires_us: START_US, process })];
    const asked = approvals.ask(first);
    await timers.advance(300_000);
    expect(await asked).toMatchObject({ verdict: "deny", by: "expiry", held_ms: 300_000 });
    const late = await approvals.vote(first.approval_id, { verdict: "allow" }, approver());
    expect(late).toMatchObject({ ok: false, error: { code: "busy" } });
    const over = approvals.ask(second);
    const at_end = await approvals.vote(second.approval_id, { verdict: "allow" }, approver());
    expect(at_end).toMatchObject({ ok: false, error: { message: expect.stringContaining("expiry") } });
    expect(await over).toMatchObject({ verdict: "deny", by: "expiry" });
    expect(timers.pending).toBe(0);
  });

  test("the requester's end, the session's end and the guard's end deny what waits", async () => {
    await using fixture = new ApprovalsFixture();
    const { approvals } = fixture;
    const [one, two, three] = [
      fixture.request(),
      fixture.request(),
      fixture.request({
        session: OTHER_SESSION,
        ...withDigest(fixture, PUSH, OTHER_SESSION),
      }),
    ];
    const answers = [one, two, three].map((request) => approvals.ask(request));
    approvals.withdraw(one.approval_id);
    approvals.withdraw(one.approval_id);
    approvals.withdraw(UNKNOWN);
    approvals.endSession(SESSION.session_id);
    expect(await Promise.all(answers.slice(0, 2))).toMatchObject([
      { verdict: "deny", by: "requester-gone" },
      { verdict: "deny", by: "requester-gone" },
    ]);
    await approvals.close();
    expect(await answers[2]).toMatchObject({ verdict: "deny", by: "guard-stop" });
    expect(await approvals.ask(fixture.request())).toMatchObject({ verdict: "deny", by: "guard-stop" });
    await approvals.close();
  });

  test("unknown ids allow nothing, and the attempt is recorded", async () => {
    await using fixture = new ApprovalsFixture();
    const voted = await fixture.approvals.vote(UNKNOWN, { verdict: "allow" }, approver());
    expect(voted).toMatchObject({ ok: false, error: { code: "not_found" } });
    expect(fixture.sink.drafts).toMatchObject([{
      kind: "operator",
      action: { type: "operator.approve", target: UNKNOWN, refused: expect.stringContaining("waits") },
    }]);
  });
});

describe("what nobody is asked", () => {
  test("a digest of something else, and a question with a known id", async () => {
    await using fixture = new ApprovalsFixture();
    const forged = fixture.request({ digest: "00".repeat(32) });
    expect(await fixture.approvals.ask(forged)).toMatchObject({ verdict: "deny", by: "guard" });
    const request = fixture.request();
    const asked = fixture.approvals.ask(request);
    expect(await fixture.approvals.ask(request)).toMatchObject({ verdict: "deny", by: "guard" });
    expect(await stateOf(asked)).toBe("waiting");
  });

  test("more than the bound, of one session and of all", async () => {
    await using fixture = new ApprovalsFixture();
    const { approvals } = fixture;
    const waiting: Promise<ApprovalAnswer>[] = [];
    for (let i = 0; i < APPROVAL_LIMITS.pending_per_session_max; i++) waiting.push(approvals.ask(fixture.request()));
    expect(await approvals.ask(fixture.request())).toMatchObject({
      verdict: "deny",
      reason: expect.stringContaining("of this session"),
    });
    const other = withDigest(fixture, PUSH, OTHER_SESSION);
    while (approvals.pending < APPROVAL_LIMITS.pending_max) waiting.push(approvals.ask(fixture.request(other)));
    const third = { ...SESSION, session_id: UNKNOWN as never };
    expect(await approvals.ask(fixture.request(withDigest(fixture, PUSH, third)))).toMatchObject({
      verdict: "deny",
      by: "guard",
      reason: expect.stringContaining("questions wait already"),
    });
    await approvals.close();
    expect((await Promise.all(waiting)).every(({ by }) => by === "guard-stop")).toBe(true);
  });
});

describe("who may answer", () => {
  const same = { id: "uid:1000", uid: 1000 };
  test.each<[string, Parameters<typeof approver>[0], ConstructorParameters<typeof ApprovalsFixture>[0], boolean]>([
    ["another user", {}, undefined, true],
    ["a process of a session, whoever it is", { inside: "it is in session 01J" }, undefined, false],
    ["a process of a session, also where the same uid may", { ...same, inside: "it is in session 01J" }, {
      settings: { allow_same_uid: true },
    }, false],
    ["the same user at a terminal", same, undefined, true],
    ["the same user without one", { ...same, terminal: false }, undefined, false],
    ["the same user without one, allowed", { ...same, terminal: false }, { settings: { allow_same_uid: true } }, true],
    ["the same user without one, named", { ...same, terminal: false }, { settings: { approvers: ["uid:1000"] } }, true],
    ["the same user without one, named by a group", { ...same, terminal: false, groups: ["ops"] }, {
      settings: { approvers: ["group:ops"] },
    }, false],
    ["the same user, named and forbidden", same, {
      settings: { approvers: ["uid:1000"], allow_same_uid: false },
    }, false],
    ["a process of a session, named", { ...same, inside: "it is in session 01J" }, {
      settings: { approvers: ["uid:1000"] },
    }, false],
    ["the same user at a terminal, forbidden", same, { settings: { allow_same_uid: false } }, false],
    ["somebody named by uid", {}, { settings: { approvers: ["uid:0"] } }, true],
    ["somebody not named", {}, { settings: { approvers: ["uid:1", "user:bob", "group:ops", "gid:9"] } }, false],
    ["somebody named by user", { user: "bob" }, { settings: { approvers: ["user:bob"] } }, true],
    ["somebody named by group", { groups: ["ops"] }, { settings: { approvers: ["group:ops"] } }, true],
    ["somebody named by gid", { gids: [9] }, { settings: { approvers: ["gid:9"] } }, true],
    ["nobody is named", {}, { settings: { approvers: [] } }, false],
  ])("%s", async (_name, fields, rules, allowed) => {
    await using fixture = new ApprovalsFixture(rules);
    const request = fixture.request();
    const asked = fixture.approvals.ask(request);
    const voted = await fixture.approvals.vote(request.approval_id, { verdict: "allow" }, approver(fields));
    expect(voted.ok).toBe(allowed);
    expect(await stateOf(asked)).toEqual(allowed ? expect.objectContaining({ verdict: "allow" }) : "waiting");
    if (!voted.ok) expect(voted.error.code).toBe("permission");
  });

  test("an unknown uid of the one who asks counts as the approver's own", async () => {
    await using fixture = new ApprovalsFixture();
    const request = fixture.request({ process: { pid: 42, start: "1" } });
    void fixture.approvals.ask(request);
    const voted = await fixture.approvals.vote(
      request.approval_id,
      { verdict: "allow" },
      approver({ terminal: false }),
    );
    expect(voted).toMatchObject({ ok: false, error: { code: "permission" } });
  });

  test("a reload that takes somebody off the list holds for what waits already", async () => {
    await using fixture = new ApprovalsFixture({ settings: { approvers: ["uid:0"] } });
    const request = fixture.request();
    void fixture.approvals.ask(request);
    fixture.approvals.configure({ settings: { approvers: ["uid:3"] } });
    for (const uid of [0, 3]) {
      const voted = await fixture.approvals.vote(
        request.approval_id,
        { verdict: "allow" },
        approver({ id: `uid:${uid}`, uid }),
      );
      expect(voted.ok).toBe(false);
    }
    expect(fixture.approvals.pending).toBe(1);
  });

  test("a quorum needs different people; one no is enough", async () => {
    await using fixture = new ApprovalsFixture({ settings: { quorum: 2 } });
    const { approvals } = fixture;
    const [one, two] = [fixture.request(), fixture.request()];
    const answers = [approvals.ask(one), approvals.ask(two)];
    expect(await approvals.vote(one.approval_id, { verdict: "allow" }, approver())).toMatchObject({
      ok: true,
      value: { state: "pending", votes: [{ by: "uid:0" }] },
    });
    expect(await approvals.vote(one.approval_id, { verdict: "allow" }, approver())).toMatchObject({
      ok: false,
      error: { code: "busy" },
    });
    expect(await stateOf(answers[0] as Promise<ApprovalAnswer>)).toBe("waiting");
    await approvals.vote(one.approval_id, { verdict: "allow" }, approver({ id: "uid:5", uid: 5 }));
    expect(await answers[0]).toMatchObject({ verdict: "allow", by: "uid:0, uid:5" });
    await approvals.vote(two.approval_id, { verdict: "allow" }, approver());
    await approvals.vote(two.approval_id, { verdict: "deny", reason: "no" }, approver({ id: "uid:5", uid: 5 }));
    expect(await answers[1]).toMatchObject({ verdict: "deny", by: "uid:5", reason: "no" });
  });

  test("a one-time code is needed for a yes, not for a no, and counts once", async () => {
    const secret = decodeTotpSecret("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP");
    await using fixture = new ApprovalsFixture({ settings: {}, totp: new TotpChecker(secret, codeMemory()) });
    const { approvals } = fixture;
    const requests = [fixture.request(), fixture.request(), fixture.request()] as const;
    for (const request of requests) void approvals.ask(request);
    const code = totpCode(secret, Math.floor(START_US / 30_000_000));
    const vote = (at: 0 | 1 | 2, verdict: "allow" | "deny", given?: string): ReturnType<typeof approvals.vote> =>
      approvals.vote(
        requests[at].approval_id,
        { verdict, ...(given === undefined ? {} : { code: given }) },
        approver(),
      );
    expect(approvals.show(requests[0].approval_id)?.code_needed).toBe(true);
    expect((await vote(0, "allow")).ok).toBe(false);
    expect((await vote(0, "allow", code === "000000" ? "000001" : "000000")).ok).toBe(false);
    expect((await vote(0, "allow", code)).ok).toBe(true);
    expect((await vote(1, "allow", code)).ok).toBe(false);
    expect((await vote(2, "deny")).ok).toBe(true);
  });
});

const PUSH_EXEC = {
  type: "exec",
  path: "/usr/bin/git",
  argv: ["git", "push", "origin", "main"],
  cwd: "/work",
} as const;

describe("a no", () => {
  test("holds a moment longer, for the same action of the same process under any name", async () => {
    await using fixture = new ApprovalsFixture();
    const { approvals, timers } = fixture;
    const named = (requested_path: string): ApprovalRequest => {
      const action: Action = { ...PUSH_EXEC, requested_path };
      return fixture.request({ action });
    };
    const first = named("/usr/bin/git");
    const asked = approvals.ask(first);
    await approvals.vote(first.approval_id, { verdict: "deny", reason: "no" }, approver());
    expect(await asked).toMatchObject({ verdict: "deny", by: "uid:0" });
    const reason = "denied a moment ago: no";
    expect(await approvals.ask(named("/bin/git"))).toMatchObject({ verdict: "deny", by: "uid:0", reason, held_ms: 0 });
    for (
      const other of [
        fixture.request({ action: { ...PUSH_EXEC, argv: ["git", "push", "origin", "mai"] } }),
        fixture.request({ process: { pid: 43, start: "420", uid: 1000 } }),
        fixture.request({ process: { pid: 42, start: "421", uid: 1000 } }),
      ]
    ) expect(await stateOf(approvals.ask(other))).toBe("waiting");
    await timers.advance(APPROVAL_LIMITS.denied_again_ms);
    expect(await stateOf(approvals.ask(named("/bin/git")))).toBe("waiting");
  });

  test("by the end of somebody holds for nothing else", async () => {
    await using fixture = new ApprovalsFixture();
    const first = fixture.request();
    const asked = fixture.approvals.ask(first);
    fixture.approvals.withdraw(first.approval_id);
    expect(await asked).toMatchObject({ by: "requester-gone" });
    expect(await stateOf(fixture.approvals.ask(fixture.request()))).toBe("waiting");
  });
});

test("a signal that waits ends the questions of its process, and of no other", async () => {
  await using fixture = new ApprovalsFixture();
  const { approvals } = fixture;
  const [one, two] = [fixture.request(), fixture.request({ process: { pid: 43, start: "1", uid: 1000 } })];
  const [first, second] = [approvals.ask(one), approvals.ask(two)];
  approvals.interrupt(({ process }) => process?.pid === 43);
  expect(await second).toMatchObject({ verdict: "deny", by: "interrupted" });
  expect(await stateOf(first)).toBe("waiting");
});

describe("where nobody is told", () => {
  test("a question is denied at once if the policy says so, no grant answers and nobody watches", async () => {
    await using fixture = new ApprovalsFixture({ settings: { unattended_ms: 0 } });
    const { approvals } = fixture;
    expect(await approvals.ask(fixture.request())).toMatchObject({ verdict: "deny", by: "unattended" });
    expect(fixture.sink.types()).toEqual(["approval.asked", "approval.answered"]);
    const watch = approvals.watch();
    const waiting = fixture.request();
    const answer = approvals.ask(waiting);
    expect(await stateOf(answer)).toBe("waiting");
    await approvals.vote(waiting.approval_id, { verdict: "allow", grant: { term: "session" } }, approver());
    expect(await answer).toMatchObject({ verdict: "allow", by: "uid:0" });
    watch.close();
    expect(await approvals.ask(fixture.request())).toMatchObject({
      verdict: "allow",
      by: expect.stringMatching(/^grant:/),
    });
    expect(fixture.timers.pending).toBe(0);
  });

  test("or after the time that it gives for that, which is what is shown and recorded", async () => {
    await using fixture = new ApprovalsFixture({ settings: { unattended_ms: 30_000 } });
    const { approvals, timers, sink } = fixture;
    const [alone, short] = [fixture.request(), fixture.request({ expires_us: START_US + 2_000_000 })];
    const answers = [approvals.ask(alone), approvals.ask(short)];
    expect(approvals.list().map(({ left_ms }) => left_ms)).toEqual([30_000, 2_000]);
    expect(sink.approvals("approval.asked")[0]?.expires).toBe(formatTime(START_US + 30_000_000));
    await timers.advance(2_000);
    expect(await answers[1]).toMatchObject({ by: "expiry", held_ms: 2_000 });
    await timers.advance(28_000);
    expect(await answers[0]).toMatchObject({ verdict: "deny", by: "expiry", held_ms: 30_000 });
    using _watch = approvals.watch();
    void approvals.ask(fixture.request({ process: { pid: 43, start: "430", uid: 1000 } }));
    expect(approvals.list().map(({ left_ms }) => left_ms)).toEqual([300_000]);
  });
});

describe("watching", () => {
  test("asked, voted and answered come in order; list and show keep up", async () => {
    await using fixture = new ApprovalsFixture({ settings: { quorum: 2 } });
    using watcher = fixture.approvals.watch();
    const request = fixture.request({ risk: 70 });
    void fixture.approvals.ask(request);
    expect(fixture.approvals.list()).toMatchObject([{ approval_id: request.approval_id, left_ms: 300_000, risk: 70 }]);
    await fixture.timers.advance(1_000);
    expect(fixture.approvals.show(request.approval_id)).toMatchObject({ state: "pending", left_ms: 299_000 });
    await fixture.approvals.vote(request.approval_id, { verdict: "allow" }, approver());
    await fixture.approvals.vote(request.approval_id, { verdict: "deny" }, approver({ id: "uid:5", uid: 5 }));
    const events: string[] = [];
    for (let i = 0; i < 3; i++) {
      const item = await watcher.receive();
      if (item.kind === "value") events.push(`${item.value.event} ${item.value.approval.state}`);
    }
    expect(events).toEqual(["asked pending", "vote pending", "answered denied"]);
    expect(fixture.approvals.list()).toEqual([]);
    expect(fixture.approvals.show(request.approval_id)).toMatchObject({ state: "denied", left_ms: 0 });
    expect(fixture.approvals.show(UNKNOWN)).toBeUndefined();
  });
});

describe("a thousand at once", () => {
  test("each gets its own answer, whatever the order", async () => {
    await using fixture = new ApprovalsFixture();
    const { approvals } = fixture;
    const requests = Array.from({ length: 1_000 }, (_, i) => {
      const action: Action = { type: "exec", path: "/bin/true", argv: ["true", String(i)] };
      return fixture.request(withDigest(fixture, action, SESSION));
    });
    const answers = requests.map((request) => approvals.ask(request));
    expect(approvals.list()).toHaveLength(1_000);
    const votes = requests.map((request, i) =>
      approvals.vote(request.approval_id, { verdict: i % 3 === 0 ? "deny" : "allow", reason: String(i) }, approver())
    );
    expect((await Promise.all(votes.toReversed())).every(({ ok }) => ok)).toBe(true);
    const given = await Promise.all(answers);
    expect(given.map(({ verdict, reason }) => `${verdict} ${reason}`)).toEqual(
      requests.map((_, i) => `${i % 3 === 0 ? "deny" : "allow"} ${i}`),
    );
    expect(approvals.pending).toBe(0);
    expect(fixture.sink.approvals("approval.answered")).toHaveLength(1_000);
  });
});

/** A request's fields for another action or session, with the digest that belongs to them. */
function withDigest(
  fixture: ApprovalsFixture,
  action: Action,
  session: NonNullable<ApprovalRequest["session"]>,
): Partial<ApprovalRequest> {
  const { digest } = fixture.request({ action, session });
  return { action, session, digest };
}
