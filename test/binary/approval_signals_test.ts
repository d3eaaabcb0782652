/** Signals to a run while one of its actions waits: they reach the command, and the question ends with it. */
import { describe, expect, test } from "bun:test";
import { constants } from "node:os";
import type { ApprovalView, Entry } from "../../lib/core/mod.ts";
import { GuardSetup, IS_ROOT, isAbout, type RunningGuard, runOnPty, waitFor, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 60_000;

const POLICY = `version = 1
name = "signals"
mode = "enforce"
[default]
"*" = "allow"
[approval]
allow_same_uid = true
[[rules]]
name = "touch-needs-a-human"
action = "exec"
exe = "touch"
verdict = "ask"
`;

async function hold(setup: GuardSetup, command: readonly string[]): Promise<{
  readonly guard: RunningGuard;
  readonly view: ApprovalView;
}> {
  const guard = setup.start(command);
  const view = await waitFor("a question", async () => {
    const listed = await setup.command(["approvals", "list", "--json"]);
    const views: readonly ApprovalView[] = listed.exit_code === 0 ? JSON.parse(listed.stdout) : [];
    return views[0];
  }, { detail: () => guard.stderr });
  return { guard, view };
}

function answers(entries: readonly Entry[]): readonly string[] {
  return entries.flatMap((entry) =>
    isAbout(entry, "approval.answered") ? [`${entry.action.verdict} ${entry.action.by}`] : []
  );
}

describe.skipIf(!IS_ROOT)("while an action waits", () => {
  // The kernel lets a held call be ended by what ends its process without a dump; the guard looks for other signals.
  test.each(
    [["SIGHUP", "requester-gone"], ["SIGINT", "requester-gone"], ["SIGTERM", "requester-gone"], [
      "SIGQUIT",
      "interrupted",
    ]] as const,
  )(
    "%s to the guard ends a command that waits itself, and its question: %s",
    async (signal, by) => {
      await using setup = await GuardSetup.create(POLICY);
      const { guard } = await hold(setup, ["/usr/bin/touch", "made"]);
      await using _guard = guard;
      guard.process.kill(signal);
      expect(await guard.ended()).toBe(128 + constants.signals[signal]);
      expect(answers(await setup.entries())).toEqual([`deny ${by}`]);
      expect((await setup.verify()).exit_code).toBe(0);
    },
    LIMIT_MS,
  );

  test("a signal that the command handles does not disturb what its child waits for", async () => {
    await using setup = await GuardSetup.create(POLICY);
    const script = `trap 'echo got it' HUP TERM; /usr/bin/touch made & wait $!; wait $!; echo "status $?"`;
    const { guard, view } = await hold(setup, ["/bin/bash", "-c", script]);
    await using _guard = guard;
    guard.process.kill("SIGHUP");
    await waitUntil("the handler", () => guard.stdout === "got it\n");
    expect((await setup.command(["approvals", "approve", view.approval_id])).exit_code).toBe(0);
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("got it\nstatus 0\n");
    expect(answers(await setup.entries())).toEqual(["allow uid:0"]);
  }, LIMIT_MS);

  test("the interrupt key of a terminal ends the command and the question", async () => {
    await using setup = await GuardSetup.create(POLICY);
    const command = setup.argv(["/bin/sh", "-c", "echo begins; /usr/bin/touch made"]);
    const done = await runOnPty(command, [
      { expect: "begins" },
      { expect: "(or show, deny)" },
      { send: "\x03" },
    ], { cwd: setup.work });
    expect(done.exit_code).toBe(130);
    expect(answers(await setup.entries())).toEqual([expect.stringMatching(/^deny (interrupted|requester-gone)$/)]);
  }, LIMIT_MS);

  test("sessions kill ends it", async () => {
    await using setup = await GuardSetup.create(POLICY);
    const { guard, view } = await hold(setup, ["/bin/sh", "-c", "/usr/bin/touch made; echo went on"]);
    await using _guard = guard;
    const session = view.session?.session_id ?? "";
    expect((await setup.command(["sessions", "pause", session])).exit_code).toBe(0);
    expect((await setup.command(["sessions", "kill", session])).exit_code).toBe(0);
    expect(await guard.ended()).toBe(137);
    expect(guard.stdout).toBe("");
    const entries = await setup.entries();
    expect(answers(entries)).toEqual(["deny requester-gone"]);
    expect(entries.flatMap(({ kind, action }) => kind === "operator" ? [action?.type] : [])).toEqual([
      "operator.pause",
      "operator.kill",
    ]);
  }, LIMIT_MS);
});
