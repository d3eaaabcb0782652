/** What happens when the guard is killed: the record is whole, and the command's fate is what the policy says. */
import { describe, expect, test } from "bun:test";
import { exists, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  about,
  ALLOW_ALL,
  expectNothingLeft,
  GuardSetup,
  IS_ROOT,
  isAlive,
  processesNaming,
  type RunningGuard,
  sessionCgroups,
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

/** What the launcher of the only lost session told last. */
async function lastWord(setup: GuardSetup): Promise<string | undefined> {
  const name = (await readdir(setup.state)).find((each) => each.startsWith("lost-"));
  const text = name === undefined ? "" : await readFile(join(setup.state, name), "utf8");
  return text.trimEnd().split("\n").at(-1)?.split(" ")[0];
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
    await expectNothingLeft("cgroup", [], () => sessionCgroups(entries));
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

  test("the next guards record from when to when the session went on without one", async () => {
    await using setup = await GuardSetup.create(`${ALLOW_ALL}\n[guard]\non_failure = "open"\n`);
    await using guard = setup.start(waitingCommand());
    const pid = await startWaiting(setup, guard);
    const children = processesNaming(join(setup.work, "child"));
    const killed = Date.now();
    guard.process.kill("SIGKILL");
    await guard.process.exited;
    const left = async (): Promise<readonly string[]> =>
      (await readdir(setup.state)).filter((name) => name.startsWith("lost-"));
    try {
      await waitUntil("the launcher's note", async () => (await left()).length === 1);
      // It still runs: that is told, and the note stays.
      expect((await setup.guard(["/bin/true"])).exit_code).toBe(0);
      expect(await left()).toHaveLength(1);
      await writeFile(join(setup.work, "go"), "");
      await waitUntil("the end of the command", () => !isAlive(pid));
    } finally {
      kill([pid, ...children]);
    }
    await waitUntil("the launcher's last word", async () => (await lastWord(setup)) === "ended");
    expect((await setup.guard(["/bin/true"])).exit_code).toBe(0);
    expect(await left()).toEqual([]);
    const entries = await setup.entries();
    const [session] = about(entries, "session.start");
    const told = about(entries, "guard.lost");
    expect(told.map((entry) => entry.session_id)).toEqual([session?.session_id, session?.session_id]);
    expect(told[0]?.action.detail).toEndWith("and goes on");
    const gaps = entries.flatMap(({ gap }) => gap?.type === "unguarded" ? [gap] : []);
    expect(gaps).toEqual([
      { source: "coverage", type: "unguarded", count: 1, from: gaps[0]?.from ?? "" },
      { source: "coverage", type: "unguarded", count: 1, from: gaps[0]?.from ?? "", to: gaps[1]?.to ?? "" },
    ]);
    const [from, to] = [Date.parse(gaps[1]?.from ?? ""), Date.parse(gaps[1]?.to ?? "")];
    expect(from).toBeGreaterThanOrEqual(killed - 1);
    expect(to).toBeGreaterThanOrEqual(from);
    expect((await setup.verify()).exit_code).toBe(0);
  }, LIMIT_MS);

  test("and that a tree was ended with its guard", async () => {
    await using setup = await GuardSetup.create();
    await using guard = setup.start(waitingCommand());
    const pid = await startWaiting(setup, guard);
    guard.process.kill("SIGKILL");
    await guard.ended();
    await waitUntil("the end of the command", () => !isAlive(pid));
    await waitUntil("the launcher's last word", async () => (await lastWord(setup)) === "killed");
    expect((await setup.guard(["/bin/true"])).exit_code).toBe(0);
    expect((await setup.guard(["/bin/true"])).exit_code).toBe(0);
    const entries = await setup.entries();
    expect(about(entries, "guard.lost").map((entry) => entry.action.detail)).toEqual([
      expect.stringMatching(/^session \w{26} was without its guard from 2.* to 2.*; its tree was ended$/),
    ]);
  }, LIMIT_MS);
});
