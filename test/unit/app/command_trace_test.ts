/** `trace`: every id on the way of one decision leads to all of its entries, and to no others. */
import { describe, expect, test } from "bun:test";
import { parseCommandLine } from "../../../lib/app/cli.ts";
import { commandTrace } from "../../../lib/app/command_trace.ts";
import {
  type Decision,
  type DecisionId,
  type Entry,
  IdGenerator,
  silentLog,
  systemClock,
} from "../../../lib/core/mod.ts";
import { openRecordReader, openRecordWriter } from "../../../lib/record/mod.ts";
import { systemTimers } from "../../../lib/task/mod.ts";
import { ApprovalsFixture, approver } from "../approve/support.ts";
import { memoryIo, TempDir } from "./support.ts";

/** Runs the command; what it printed. */
async function trace(
  directory: string,
  ...words: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const parsed = parseCommandLine(["trace", ...words, "--state", directory]);
  if (!parsed.ok || parsed.value.kind !== "trace") throw new Error("no trace command");
  const io = memoryIo();
  const code = await commandTrace(parsed.value, io);
  return { code, out: io.stdout.text, err: io.stderr.text };
}

/** A record with two questions, one answered by a person, among other entries. */
async function record(directory: string): Promise<{ readonly decision: string; readonly approval: string }> {
  await using fixture = new ApprovalsFixture();
  const ids = new IdGenerator(systemClock);
  const decision_id: DecisionId = ids.decision();
  const request = fixture.request({ approval_id: ids.approval(), decision_id });
  const other = fixture.request({
    approval_id: ids.approval(),
    decision_id: ids.decision(),
    process: { pid: 9, start: "9" },
  });
  void fixture.approvals.ask(request);
  void fixture.approvals.ask(other);
  await fixture.approvals.vote(request.approval_id, { verdict: "allow", reason: "fine" }, approver());
  const asked: Decision = { decision_id, verdict: "ask", reason: "no", mode: "enforce", policy: request.policy };
  const outcome = { decision_id, label: "held", mechanism: "seccomp", approval_id: request.approval_id } as const;
  const { action } = request;
  await using writer = openRecordWriter(directory, {
    boot_id: "boot",
    clock: systemClock,
    ids,
    log: silentLog,
    timers: systemTimers,
  });
  const time_us = systemClock.wallUs();
  writer.append({ time_us, kind: "decision", action, decision: asked });
  writer.append({ time_us, kind: "observation", action, process: { pid: 7, start: "1" } });
  for (const draft of fixture.sink.drafts) writer.append({ ...draft, time_us });
  writer.append({ time_us, kind: "outcome", action, outcome });
  await writer.flush();
  return { decision: decision_id, approval: request.approval_id };
}

describe("trace", () => {
  test("by a decision, its approval, an entry's id and an entry's number: the same steps", async () => {
    using dir = new TempDir();
    const { decision, approval } = await record(dir.path);
    const shown = await trace(dir.path, decision, "--json");
    expect([shown.code, shown.err]).toEqual([0, ""]);
    const { steps }: { readonly steps: readonly { readonly phase: string; readonly entry: Entry }[] } = JSON.parse(
      shown.out,
    );
    expect(steps.map(({ phase, entry }) => [phase, entry.action?.type])).toEqual([
      ["decision", "exec"],
      ["approval", "approval.asked"],
      ["approval", "operator.approve"],
      ["approval", "approval.vote"],
      ["approval", "approval.answered"],
      ["outcome", "exec"],
    ]);
    const number = String(steps[3]?.entry.seq);
    for (
      const id of [
        approval,
        approval.toLowerCase(),
        number,
        steps[0]?.entry.entry_id ?? "",
        steps[2]?.entry.entry_id ?? "",
      ]
    ) {
      const again: { readonly steps: unknown } = JSON.parse((await trace(dir.path, id, "--json")).out);
      expect([id, again.steps]).toEqual([id, steps]);
    }
  });

  test("for people: one line each, then what came of it", async () => {
    using dir = new TempDir();
    const { decision } = await record(dir.path);
    const lines = (await trace(dir.path, decision)).out.trimEnd().split("\n");
    expect(lines).toHaveLength(7);
    expect(lines[4]).toMatch(/^approval .*approval\.answered .* allow by uid:0/);
    using reader = openRecordReader(dir.path);
    const last = [...reader.query({ kind: "outcome" })].map(({ line }): Entry => JSON.parse(line))[0]?.entry_id;
    expect(lines[6]).toBe(`outcome: held (seccomp); agentguard audit prove ${last} proves the last of these entries`);
  });

  test("an id that nothing names, and one that is none", async () => {
    using dir = new TempDir();
    await record(dir.path);
    const unknown = await trace(dir.path, "01JABCDEFGHJKMNPQRSTVWXYZ9");
    expect([unknown.code, unknown.out]).toEqual([1, ""]);
    expect(unknown.err).toContain("no entry of the record names it");
    expect((await trace(dir.path, "99999")).code).toBe(1);
    expect(parseCommandLine(["trace", "0"]).ok).toBe(false);
    expect(parseCommandLine(["trace"]).ok).toBe(false);
  });
});
