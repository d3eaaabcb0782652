/** What happens when the guard is killed: the record is whole, and the command's fate is what the policy says. */
import { describe, expect, test } from "bun:test";
import { exists, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  about,
  ALLOW_ALL,
  cgroups,
  GuardSetup,
  IS_ROOT,
  isAlive,
  processesNaming,
  type RunningGuard,
  waitUntil,
} from "../support/mod.ts";

const LIMIT_MS = 90_000;

const NETWORK_RULE = `
[[rules]]
name = "no-network"
action = "net.connect"
address = "127.66.0.0/16"
verdict = "deny"
`;

/** Starts a shell that says its pid and then waits for a file; returns the pid. */
async function startWaiting(setup: GuardSetup, guard: RunningGuard): Promise<number> {
  await waitUntil("the command", () => /^\d+\n/.test(guard.stdout), { detail: () => guard.stderr });
  await waitUntil("its child", () => processesNaming(join(setup.work, "child")).length === 1);
  return Number(guard.stdout.trim());
}

/** The child sleeps in its own session, which a kill of the process group would miss. */
function waitingCommand(): readonly string[] {
  // The child's name is whole in its own arguments only, not in those of the shell and the guard.
  const child = `setsid bash -c 'exec -a "$0" sleep 600' "$PWD/ch""ild"`;
  const line = `${child} & echo $$; while ! [ -e go ]; do sleep 0.05; done; echo on > went-on`;
  return ["/bin/sh", "-c", line];
}

function kill(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Gone already.
    }
  }
}

describe.skipIf(!IS_ROOT)("kill -9 of the guard", () => {
  test("ends the command with its whole tree, and the record verifies", async () => {
    await using setup = await GuardSetup.create(ALLOW_ALL + NETWORK_RULE);
    await using guard = setup.start(waitingCommand());
    const pid = await startWaiting(setup, guard);
    const starts = async (): Promise<readonly (string | undefined)[]> =>
      about(await setup.entries(), "exec").map((entry) => entry.action.argv[0]);
    await waitUntil("the start in the record", async () => (await starts()).includes("/bin/sh"));
    const children = processesNaming(join(setup.work, "child"));
    guard.process.kill("SIGKILL");
    await guard.ended();
    try {
      await waitUntil("the end of the command", () => !isAlive(pid));
      await waitUntil("the end of its child", () => processesNaming(join(setup.work, "child")).length === 0);
      await waitUntil("no process of the guard", () => processesNaming(setup.state).length === 0);
    } finally {
      kill([pid, ...children, ...processesNaming(join(setup.work, "child"))]);
    }
    expect(await exists(join(setup.work, "went-on"))).toBe(false);
    expect((await setup.verify()).exit_code).toBe(0);
    expect(await starts()).toContain("/bin/sh");
  }, LIMIT_MS);

  test("the next guard on the same directory continues the record and takes away what the first left", async () => {
    await using setup = await GuardSetup.create();
    const cgroups_before = cgroups();
    await using guard = setup.start(waitingCommand());
    const pid = await startWaiting(setup, guard);
    guard.process.kill("SIGKILL");
    await guard.ended();
    await waitUntil("the end of the command", () => !isAlive(pid));
    const before = (await setup.entries()).length;
    expect((await setup.guard(["/bin/sh", "-c", "exit 6"])).exit_code).toBe(6);
    const entries = await setup.entries();
    expect(entries.length).toBeGreaterThan(before);
    expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, index) => (entries[0]?.seq ?? 0) + index));
    expect((await setup.verify()).exit_code).toBe(0);
    expect(cgroups().filter((path) => !cgroups_before.includes(path))).toEqual([]);
  }, LIMIT_MS);

  test("on_failure = open lets the command go on", async () => {
    await using setup = await GuardSetup.create(`${ALLOW_ALL}\n[guard]\non_failure = "open"\n`);
    await using guard = setup.start(waitingCommand());
    const pid = await startWaiting(setup, guard);
    const children = processesNaming(join(setup.work, "child"));
    guard.process.kill("SIGKILL");
    await guard.process.exited;
    try {
      // The shell writes only after the guard is gone: it went on if the file comes.
      await writeFile(join(setup.work, "go"), "");
      await waitUntil("the command going on", () => exists(join(setup.work, "went-on")));
      expect(children.every(isAlive)).toBe(true);
    } finally {
      kill([pid, ...children]);
    }
    expect((await setup.verify()).exit_code).toBe(0);
  }, LIMIT_MS);
});
