/** The words of `agentguard approvals ...`, and what people see of a question. */
import { describe, expect, test } from "bun:test";
import type { ApprovalView } from "../../../lib/core/mod.ts";
import { parseCommandLine } from "../../../lib/app/cli.ts";
import { formatAnswer, formatApproval, formatApprovalList, formatGrantList } from "../../../lib/app/format_approval.ts";
import { ApprovalsFixture, approver } from "../approve/support.ts";

const ID = "01JABCDEFGHJKMNPQRSTVWXYZ0";
const plain = { paint: (_colour: unknown, text: string) => text, columns: 100 };

function parsed(...words: readonly string[]): unknown {
  const command = parseCommandLine(["approvals", ...words]);
  return command.ok ? command.value : command.error.message;
}

describe("words", () => {
  test.each<[readonly string[], unknown]>([
    [["list"], { kind: "approvals.list" }],
    [["show", ID.toLowerCase()], { kind: "approvals.show", id: ID }],
    [["approve", "xyz0"], { kind: "approvals.vote", id: "XYZ0", ballot: { verdict: "allow" } }],
    [["approve", ID, "--for", "15m", "--match", "push *", "--reason", "ok", "--code", "123 456"], {
      ballot: {
        verdict: "allow",
        grant: { term: "duration", duration_ms: 900_000 },
        match: "push *",
        reason: "ok",
        code: "123456",
      },
    }],
    [["approve", ID, "--for", "always"], { ballot: { grant: { term: "always" } } }],
    [["deny", ID, "--reason", "no"], { ballot: { verdict: "deny", reason: "no" } }],
    [["watch"], { kind: "approvals.watch" }],
    [["grants", "list"], { kind: "approvals.grants.list" }],
    [["grants", "revoke", ID], { kind: "approvals.grants.revoke", id: ID }],
  ])("%j", (words, expected) => {
    expect(parsed(...words)).toMatchObject(expected as object);
  });

  test.each<[readonly string[], RegExp]>([
    [["approve"], /missing required argument/],
    [["approve", "abc"], /4 or more/],
    [["approve", "ABCDI"], /4 or more/],
    [["approve", ID, "--for", "forever"], /once, session, always/],
    [["approve", ID, "--for", "0m"], /once, session, always/],
    [["approve", ID, "--code", "12345"], /six digits/],
    [["deny", ID, "--for", "always"], /unknown option/],
    [["grants", "revok"], /did you mean 'agentguard grants revoke'|did you mean/],
    [["forget"], /unknown command/],
  ])("%j is refused", (words, message) => {
    expect(parsed(...words)).toMatch(message);
  });
});

/** The view of a question about these words. */
async function viewOf(argv: readonly string[]): Promise<ApprovalView> {
  await using fixture = new ApprovalsFixture({ settings: { quorum: 2 } });
  const action = { type: "exec", path: "/usr/bin/git", argv, cwd: "/work" } as const;
  const { digest } = fixture.request({ action });
  const request = fixture.request({ action, digest, risk: 70 });
  void fixture.approvals.ask(request);
  await fixture.approvals.vote(request.approval_id, { verdict: "allow" }, approver());
  const view = fixture.approvals.show(request.approval_id);
  if (view === undefined) throw new Error("the question waits");
  return view;
}

describe("what people see", () => {
  test("a question whole: what, by whom, why, what a yes allows, how long", async () => {
    const view = await viewOf(["git", "push", "origin", "main"]);
    const text = formatApproval(view, plain).join("\n");
    for (
      const part of [
        view.approval_id,
        "5m 0s left",
        "  git push origin main\n",
        "program    /usr/bin/git",
        "directory  /work",
        "process 42 (/usr/bin/bash), uid 1000",
        "01JABCDEFGHJKMNPQRSTVWXYZ0, claude, for alice",
        "a push needs a human (rule push-needs-a-human)",
        "70 of 100",
        "nothing has happened yet",
        view.digest,
        "yes by uid:0 (test)",
        "1 of 2 must still say yes",
        "exactly this, once",
        "--match 'push *'",
        `agentguard approvals approve ${view.approval_id}`,
        `agentguard approvals deny ${view.approval_id}`,
      ]
    ) expect(text).toContain(part);
  });

  test("nothing of an agent's draws on the terminal, and no argument is left out", async () => {
    const words = [
      "git",
      "push",
      "\u001b[2J\u001b]0;x\u0007",
      "a\nagentguard approvals approve X",
      "x".repeat(3_000),
      "last",
    ];
    const text = formatApproval(await viewOf(words), plain).join("\n");
    expect(text.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect(text).toContain("\\x1b[2J");
    expect(text).toContain("a\\nagentguard");
    expect(text).toContain("x".repeat(3_000));
    expect(text).toContain(" last\n");
  });

  test("a list fits the terminal; nothing is told as nothing", async () => {
    const view = await viewOf(["git", "push", "x".repeat(500)]);
    const lines = formatApprovalList([view], plain);
    expect(lines[1]?.length).toBeLessThanOrEqual(100);
    expect(lines[1]).toContain(view.approval_id);
    expect(formatApprovalList([], plain)).toEqual(["nothing waits for an answer"]);
    expect(formatGrantList([], plain)).toEqual(["no standing grants"]);
  });

  test("answers", async () => {
    const view = await viewOf(["git", "push"]);
    expect(formatAnswer(view, plain.paint)).toBe(`${view.approval_id} waits for 1 more`);
    const answer = {
      verdict: "deny",
      by: "expiry",
      reason: "nobody answered in time",
      time: "",
      held_ms: 300_000,
    } as const;
    expect(formatAnswer({ ...view, state: "denied", answer }, plain.paint)).toBe(
      `${view.approval_id} denied by expiry after 5m 0s: nobody answered in time`,
    );
  });
});
