/** A held program start and a human at another terminal: what is asked about waits, goes on, or never happens. */
import { describe, expect, test } from "bun:test";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ApprovalView, Entry } from "../../lib/core/mod.ts";
import {
  decided,
  EXECUTABLE,
  GuardSetup,
  IS_ROOT,
  isAbout,
  processesNaming,
  run,
  type RunningGuard,
  runOnPty,
  waitFor,
  waitUntil,
} from "../support/mod.ts";

const LIMIT_MS = 120_000;

const policy = (approval = ""): string =>
  `version = 1
name = "held"
mode = "enforce"
[default]
"*" = "allow"
[approval]
${approval}
[[rules]]
name = "push-needs-a-human"
action = "exec"
exe = "git"
argv = ["push", "..."]
verdict = "ask"
reason = "a push needs a human"
`;

/** Starts a guarded shell that pushes, and waits until the push is held. */
async function hold(
  setup: GuardSetup,
  script: string,
): Promise<{ readonly guard: RunningGuard; readonly view: ApprovalView }> {
  const git = join(setup.work, "git");
  await writeFile(git, '#!/bin/sh\necho "pushed $*"\n');
  await chmod(git, 0o755);
  const guard = setup.start(["/bin/bash", "-c", script]);
  return { guard, view: await question(setup, guard) };
}

/** The only question that waits. */
function question(setup: GuardSetup, guard: RunningGuard): Promise<ApprovalView> {
  return waitFor("a question", async () => {
    const listed = await setup.command(["approvals", "list", "--json"]);
    if (listed.exit_code !== 0) return undefined;
    const views: readonly ApprovalView[] = JSON.parse(listed.stdout);
    return views[0];
  }, { detail: () => guard.stderr });
}

/** The words of a command on the guard's socket, for a terminal. */
function argv(setup: GuardSetup, ...words: readonly string[]): readonly string[] {
  return [EXECUTABLE, ...words, "--runtime", setup.runtime];
}

/** What the record says of approvals, in order: type, verdict, who. */
function told(entries: readonly Entry[]): readonly string[] {
  return entries.flatMap(({ action }) => {
    if (action === undefined) return [];
    if (action.type === "operator.approve" || action.type === "operator.deny") return [`${action.type} ${action.by}`];
    if (!action.type.startsWith("approval.") || !("verdict" in action || action.type === "approval.asked")) return [];
    return [[action.type, "verdict" in action ? action.verdict : "", "by" in action ? action.by : ""].join(" ").trim()];
  });
}

describe.skipIf(!IS_ROOT)("a held push", () => {
  test("goes on when somebody at a second terminal says yes, and nothing else of the agent waited", async () => {
    await using setup = await GuardSetup.create(policy());
    const script = './git push origin main & ./git pull; echo "meanwhile"; wait $!; echo "status $?"';
    const held = await hold(setup, script);
    await using guard = held.guard;
    await waitUntil(
      "the rest of the agent",
      () => guard.stdout.includes("pulled") || guard.stdout.includes("meanwhile"),
    );
    expect(guard.stdout).toBe("pushed pull\nmeanwhile\n");
    expect(held.view).toMatchObject({
      action: { type: "exec", argv: ["/bin/sh", "./git", "push", "origin", "main"] },
      reason: "a push needs a human",
      rule: "push-needs-a-human",
      held_by: "seccomp",
      process: { uid: 0 },
    });
    const approved = await runOnPty(argv(setup, "approvals", "approve", held.view.approval_id), []);
    expect(approved.transcript).toContain("allowed by uid:0 after");
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("pushed pull\nmeanwhile\npushed push origin main\nstatus 0\n");
    const entries = await setup.entries();
    expect(told(entries)).toEqual([
      "approval.asked",
      "operator.approve uid:0",
      "approval.vote allow uid:0",
      "approval.answered allow uid:0",
    ]);
    const [push] = decided(entries).filter(({ decision }) => decision.decision?.rule === "push-needs-a-human");
    expect(push?.decision.decision).toMatchObject({ decision_id: held.view.decision_id, verdict: "ask" });
    // The image that came up is compared with what was approved, and the wait is told for itself.
    expect(push?.outcomes.map(({ outcome }) => outcome)).toMatchObject([
      { label: "allowed", mechanism: "seccomp" },
      { label: "held", mechanism: "seccomp", by: "uid:0", approval_id: held.view.approval_id },
    ]);
    expect((await setup.verify()).exit_code).toBe(0);
  }, LIMIT_MS);

  test("is refused when somebody says no; the agent goes on", async () => {
    await using setup = await GuardSetup.create(policy());
    const { guard, view } = await hold(setup, './git push; echo "status $?"');
    await using _guard = guard;
    await runOnPty(argv(setup, "approvals", "deny", view.approval_id, "--reason", "not on a Friday"), []);
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("status 126\n");
    expect(told(await setup.entries()).at(-1)).toBe("approval.answered deny uid:0");
  }, LIMIT_MS);

  test("is refused when nobody answers in time", async () => {
    await using setup = await GuardSetup.create(policy('timeout = "1s"'));
    const { guard } = await hold(setup, './git push; echo "status $?"');
    await using _guard = guard;
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("status 126\n");
    expect(told(await setup.entries())).toEqual(["approval.asked", "approval.answered deny expiry"]);
  }, LIMIT_MS);

  test("ends its question when it is killed", async () => {
    await using setup = await GuardSetup.create(policy());
    const { guard, view } = await hold(setup, './git push & wait $!; echo "status $?"');
    await using _guard = guard;
    process.kill(view.process?.pid ?? 0, "SIGKILL");
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("status 137\n");
    expect(told(await setup.entries())).toEqual(["approval.asked", "approval.answered deny requester-gone"]);
  }, LIMIT_MS);

  test.each([
    ["finds no guard to ask", "", "no guard answers"],
    ["is known where it finds it", '[guard]\nbaseline = "none"\n', "belongs to a guarded session"],
  ])("cannot be approved by the agent that waits for it: it %s", async (_name, more, said) => {
    await using setup = await GuardSetup.create(policy('timeout = "5s"') + more);
    const tried = `$("${EXECUTABLE}" approvals list --json --runtime "${setup.runtime}" 2>&1)`;
    const { guard } = await hold(setup, `./git push & sleep 1; echo "${tried}"; wait $!; echo "status $?"`);
    await using _guard = guard;
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toContain(said);
    expect(guard.stdout).toContain("status 126");
  }, LIMIT_MS);

  test("is listed and answered while its session is paused, and goes on when it is resumed", async () => {
    await using setup = await GuardSetup.create(policy());
    const { guard, view } = await hold(setup, './git push; echo "status $?"');
    await using _guard = guard;
    const session = view.session?.session_id ?? "";
    expect((await setup.command(["sessions", "pause", session])).exit_code).toBe(0);
    expect(JSON.parse((await setup.command(["approvals", "list", "--json"])).stdout)).toHaveLength(1);
    const approved = await runOnPty(argv(setup, "approvals", "approve", view.approval_id), []);
    expect(approved.exit_code).toBe(0);
    expect(guard.stdout).toBe("");
    expect((await setup.command(["sessions", "resume", session])).exit_code).toBe(0);
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("pushed push\nstatus 0\n");
  }, LIMIT_MS);

  test("with a grant for the session is asked about once", async () => {
    await using setup = await GuardSetup.create(policy());
    const { guard, view } = await hold(setup, "./git push a; ./git push b; ./git push a; ./git push a/../c");
    await using _guard = guard;
    const words = ["approvals", "approve", view.approval_id, "--for", "session", "--match", "./git push *"];
    expect((await runOnPty(argv(setup, ...words), [])).transcript).toContain("standing grant");
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("pushed push a\npushed push b\npushed push a\npushed push a/../c\n");
    const answered = (await setup.entries()).filter((entry) => isAbout(entry, "approval.answered"));
    expect(answered).toHaveLength(4);
  }, LIMIT_MS);

  test("dies with its guard, and the next guard says so", async () => {
    await using setup = await GuardSetup.create(policy());
    const { guard, view } = await hold(setup, `./git push; touch "${setup.work}/went-on"; sleep 600.25`);
    await using _guard = guard;
    guard.process.kill("SIGKILL");
    await waitUntil("the tree to be ended", () => processesNaming("600.25").length === 0);
    expect((await run(["ls", setup.work])).stdout).toBe("git\n");
    const next = await setup.guard(["/bin/true"]);
    expect(next.exit_code).toBe(0);
    expect(told(await setup.entries())).toEqual(["approval.asked", "approval.answered deny guard-restart"]);
    const answered = (await setup.entries()).find((entry) => isAbout(entry, "approval.answered"));
    expect(answered?.action).toMatchObject({ approval_id: view.approval_id, digest: view.digest });
  }, LIMIT_MS);

  /** Runs the guard on a terminal that its command does not read from. */
  async function onTerminal(
    setup: GuardSetup,
    steps: Parameters<typeof runOnPty>[1],
    options: { readonly stdin?: string; readonly flags?: readonly string[]; readonly before?: string } = {},
  ): ReturnType<typeof runOnPty> {
    const git = join(setup.work, "git");
    await writeFile(git, '#!/bin/sh\necho "pushed $*"\n');
    await chmod(git, 0o755);
    const script = `exec "$@" ${options.stdin ?? "< /dev/null"}`;
    const told = `${options.before ?? ""}./git push; echo "status $?"`;
    const command = setup.argv(["/bin/bash", "-c", told], options.flags);
    return await runOnPty(["/bin/sh", "-c", script, "sh", ...command], steps, { cwd: setup.work });
  }

  test("is asked about on the guard's own terminal, and goes on with the code that is shown", async () => {
    await using setup = await GuardSetup.create(policy('timeout = "20s"'));
    const done = await onTerminal(setup, [{ expect: "agentguard asks" }, { expect: "./git push" }, {
      reply: "type ([A-Z]{4}) for yes",
    }, { expect: "status 0" }]);
    expect(done.exit_code).toBe(0);
    expect(done.transcript).toContain("pushed push");
    const vote = (await setup.entries()).find((entry) => isAbout(entry, "approval.vote"));
    expect(vote?.action).toMatchObject({ verified: expect.stringMatching(/^the guard's own terminal pts\/\d+, with/) });
  }, LIMIT_MS);

  test("is left to others there after three wrong codes; a plain yes is none", async () => {
    await using setup = await GuardSetup.create(policy('timeout = "4s"'));
    const done = await onTerminal(setup, [
      { expect: "for yes" },
      { send: "y\n" },
      { expect: "for yes" },
      { send: "yes\n" },
      { expect: "for yes" },
      { send: "AAAAA\n" },
      { expect: "left to others" },
      { expect: "status 126" },
    ]);
    expect(done.exit_code).toBe(0);
    expect(told(await setup.entries())).toEqual(["approval.asked", "approval.answered deny expiry"]);
  }, LIMIT_MS);

  test("is asked about there while nothing draws over the question", async () => {
    await using setup = await GuardSetup.create(policy('timeout = "20s"'));
    // An unfinished string would swallow what follows; the drawing goes on for as long as the command runs.
    const before = 'printf "\\033]0;"; (while :; do printf "\\033[3Adrawn\\n"; done) & ';
    const done = await onTerminal(setup, [
      { expect: "agentguard asks" },
      { expect: "for yes" },
      { send: "AAAAA\n" },
      { reply: "type ([A-Z]{4}) for yes" },
      { expect: "allowed by uid" },
      { expect: "drawn" },
      { expect: "status 0" },
    ], { before, stdin: "< /dev/null", flags: [] });
    expect(done.exit_code).toBe(0);
    const [drawn = "", question = ""] = done.transcript.split("agentguard asks", 2);
    expect(drawn).toContain("drawn");
    const [shown = ""] = question.split("allowed by uid");
    expect(shown).toContain("./git push");
    expect(shown).not.toContain("drawn");
  }, LIMIT_MS);

  test("is not asked about there while the command reads from the terminal, unless --ask-here says so", async () => {
    await using setup = await GuardSetup.create(policy('timeout = "2s"'));
    const quiet = await onTerminal(setup, [{ expect: "status 126" }], { stdin: "" });
    expect(quiet.transcript).not.toContain("agentguard asks");
    const steps = [{ reply: "type ([A-Z]{4}) for yes" }, { expect: "status 0" }];
    const asked = await onTerminal(setup, steps, { stdin: "", flags: ["--ask-here"] });
    expect(asked.transcript).toContain("pushed push");
  }, LIMIT_MS);

  test("does not know the guard's secrets", async () => {
    await using setup = await GuardSetup.create(policy('totp = { env = "AG_TOTP" }'));
    const env = { PATH: "/usr/bin:/bin", AG_TOTP: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", OTHER: "kept" };
    const done = await setup.guard(["/usr/bin/env"], { env });
    expect(done.stdout).toContain("OTHER=kept");
    expect(done.stdout).not.toContain("AG_TOTP");
    const without = await setup.guard(["/usr/bin/env"]);
    expect([without.exit_code, without.stderr]).toEqual([2, expect.stringContaining("one-time code secret")]);
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("a held deletion", () => {
  test("happens when it is approved, and only that one", async () => {
    await using setup = await GuardSetup.create(`version = 1
name = "held"
[default]
"*" = "allow"
[[rules]]
name = "delete-needs-a-human"
action = "file.delete"
path = "**/precious*"
verdict = "ask"
`);
    await run(["touch", join(setup.work, "precious1"), join(setup.work, "precious2")]);
    await using guard = setup.start([
      "/bin/sh",
      "-c",
      'rm precious1; echo "status $?"; rm precious2; echo "status $?"',
    ]);
    const first = await question(setup, guard);
    expect(first).toMatchObject({ action: { type: "file.delete", path: join(setup.work, "precious1") } });
    await runOnPty(argv(setup, "approvals", "approve", first.approval_id), []);
    const second = await question(setup, guard);
    expect(second.approval_id).not.toBe(first.approval_id);
    await runOnPty(argv(setup, "approvals", "deny", second.approval_id), []);
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("status 0\nstatus 1\n");
    expect((await run(["ls", setup.work])).stdout).toBe("precious2\n");
  }, LIMIT_MS);
});
