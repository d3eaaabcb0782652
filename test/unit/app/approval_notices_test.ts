/** What a run says of questions on stderr: what waits, until when, what to type, and never a flood of it. */
import { expect, test } from "bun:test";
import type { ApprovalEvent } from "../../../lib/core/mod.ts";
import { ApprovalNotices } from "../../../lib/app/approval_notices.ts";
import { ApprovalsFixture, approver } from "../approve/support.ts";
import { MemoryLog } from "../publish/support.ts";

/** Notices of real questions, and what they said. */
async function noticed(
  work: (fixture: ApprovalsFixture, notices: ApprovalNotices) => Promise<void>,
  parts: { readonly runtime_dir?: string } = {},
): Promise<readonly string[]> {
  const log = new MemoryLog();
  const held: { notices?: ApprovalNotices } = {};
  await using fixture = new ApprovalsFixture(
    { settings: { unattended_ms: 20_000 } },
    { onEvent: (event: ApprovalEvent) => held.notices?.event(event) },
  );
  held.notices = new ApprovalNotices({ log, timers: fixture.timers, ...parts });
  await work(fixture, held.notices);
  return log.lines;
}

test("what waits, until when and what to type; then the answer", async () => {
  const ids: string[] = [];
  const lines = await noticed(async (fixture) => {
    const request = fixture.request();
    ids.push(request.approval_id);
    void fixture.approvals.ask(request);
    await fixture.approvals.vote(request.approval_id, { verdict: "allow", reason: "fine" }, approver());
  }, { runtime_dir: "/tmp/a b" });
  expect(lines).toEqual([
    "waits for an answer, denied by itself in 20s: exec /usr/bin/git push origin main",
    `  agentguard approvals approve ${ids[0]} --runtime '/tmp/a b'  (or show, deny)`,
    `${ids[0]} allowed by uid:0 after 0.000s: fine`,
  ]);
});

test("of a flood the first ones, and how many more", async () => {
  const lines = await noticed(async (fixture) => {
    for (let i = 0; i < 100; i++) void fixture.approvals.ask(fixture.request());
    await fixture.timers.advance(1_000);
    for (const { approval_id } of fixture.approvals.list()) {
      await fixture.approvals.vote(approval_id, { verdict: "deny" }, approver());
    }
  });
  expect(lines.filter((line) => line.startsWith("waits"))).toHaveLength(5);
  expect(lines.filter((line) => line.includes("denied by uid:0"))).toHaveLength(5);
  expect(lines[10]).toBe("95 more questions: agentguard approvals list");
});

test("nothing where the questions are asked on the same terminal", async () => {
  expect(
    await noticed(async (fixture, notices) => {
      notices.mute();
      void fixture.approvals.ask(fixture.request());
      await fixture.timers.advance(20_000);
    }),
  ).toEqual([]);
});
