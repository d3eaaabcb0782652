/** The commands that talk to a running guard. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { about, EXECUTABLE, GuardSetup, IS_ROOT, PLAIN_ENVIRONMENT, RunningGuard, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 60_000;

interface SessionLine {
  readonly session_id: string;
  readonly agent: string;
  readonly state: string;
}

/** A guarded shell that does what is written to it. */
async function startShell(setup: GuardSetup): Promise<RunningGuard> {
  const guard = setup.start(["/bin/sh"]);
  await order(guard, "echo ready");
  await waitUntil("the shell", () => guard.stdout.includes("ready"), { detail: () => guard.stderr });
  return guard;
}

async function order(guard: RunningGuard, line: string): Promise<void> {
  void guard.process.stdin.write(`${line}\n`); // `flush` waits for it
  await guard.process.stdin.flush();
}

async function sessions(setup: GuardSetup): Promise<readonly SessionLine[]> {
  const done = await setup.command(["sessions", "list", "--json"]);
  if (done.exit_code !== 0) throw new Error(`sessions list: exit ${done.exit_code}: ${done.stderr}`);
  const listed: { readonly sessions: readonly SessionLine[] } = JSON.parse(done.stdout);
  return listed.sessions;
}

describe.skipIf(!IS_ROOT)("a running guard", () => {
  test("status tells that it is ready, its layers and its policy", async () => {
    await using setup = await GuardSetup.create();
    await using guard = await startShell(setup);
    const done = await setup.command(["status", "--json"]);
    expect(done.exit_code).toBe(0);
    const status = JSON.parse(done.stdout);
    expect(status).toMatchObject({ ready: true, pid: guard.process.pid, sessions: { running: 1 } });
    expect(status.policy.ref).toMatchObject({ name: "test", generation: 1 });
    expect(status.layers.length).toBeGreaterThan(0);
    const plain = await setup.command(["status"]);
    expect([plain.exit_code, plain.stderr]).toEqual([0, ""]);
    expect(plain.stdout).toContain("test");
  }, LIMIT_MS);

  test("status --config tells where each value comes from", async () => {
    await using setup = await GuardSetup.create();
    await using _guard = await startShell(setup);
    const done = await setup.command(["status", "--config"]);
    expect(done.exit_code).toBe(0);
    expect(done.stdout).toContain(setup.state);
    expect(done.stdout).toContain("--state");
  }, LIMIT_MS);

  test("sessions list and show name the session of the record", async () => {
    await using setup = await GuardSetup.create();
    await using guard = await startShell(setup);
    const [session, ...others] = await sessions(setup);
    expect(others).toEqual([]);
    expect(session).toMatchObject({ agent: "sh", state: "running" });
    const shown = await setup.command(["sessions", "show", session?.session_id ?? "", "--json"]);
    expect([shown.exit_code, JSON.parse(shown.stdout)]).toMatchObject([0, { session_id: session?.session_id }]);
    await order(guard, "exit 4");
    expect(await guard.ended()).toBe(4);
    const recorded = new Set((await setup.entries()).flatMap((entry) => entry.session_id ?? []));
    expect<string[]>([...recorded]).toEqual([session?.session_id ?? ""]);
  }, LIMIT_MS);

  test("sessions kill ends every process of it, also one that left its group", async () => {
    await using setup = await GuardSetup.create();
    await using guard = await startShell(setup);
    await order(guard, "setsid sleep 600 & echo child $!");
    await waitUntil("the child", () => /child \d+/.test(guard.stdout));
    const [session] = await sessions(setup);
    expect((await setup.command(["sessions", "kill", session?.session_id ?? ""])).exit_code).toBe(0);
    expect(await guard.ended()).toBe(137);
    const operator = (await setup.entries()).filter((entry) => entry.action?.type === "operator.kill");
    expect(operator.length).toBeGreaterThan(0);
  }, LIMIT_MS);

  test("events --follow shows an action when it happens, as the record has it", async () => {
    await using setup = await GuardSetup.create();
    await using guard = await startShell(setup);
    await using follower = new RunningGuard(
      Bun.spawn([EXECUTABLE, "events", "--follow", "--json", "--type", "file.*", "--runtime", setup.runtime], {
        env: { ...PLAIN_ENVIRONMENT },
        stdin: "pipe",
        stdout: "pipe",
        stderr: "pipe",
      }),
    );
    // The follower sees what comes after it has connected: make files until one shows.
    let made = 0;
    await waitUntil("an event", async () => {
      await order(guard, `: > followed-${made++}`);
      return follower.stdout.includes("followed-");
    }, { detail: () => follower.stderr });
    await order(guard, "exit");
    await guard.ended();
    const [line] = follower.stdout.split("\n").filter((text) => text.includes("followed-"));
    const event = JSON.parse(line ?? "");
    expect(event.action).toMatchObject({ type: "file.create" });
    const same = about(await setup.entries(), "file.create").find((entry) => entry.entry_id === event.entry_id);
    expect(same?.action.path).toBe(event.action.path);
    expect(event.action.path.startsWith(join(setup.work, "followed-"))).toBe(true);
  }, LIMIT_MS);

  test.each<[string, readonly string[]]>([
    ["status", ["status"]],
    ["sessions list", ["sessions", "list"]],
    ["events", ["events"]],
  ])("without a guard, %s: 1 and one line", async (_name, words) => {
    await using setup = await GuardSetup.create();
    const done = await setup.command(words);
    expect([done.exit_code, done.stdout]).toEqual([1, ""]);
    expect(done.stderr.trim().split("\n")).toHaveLength(1);
  }, LIMIT_MS);

  test("doctor says what this host can do, tried", async () => {
    await using setup = await GuardSetup.create();
    const done = await setup.command(["doctor", "--json"]);
    expect(done.exit_code).toBe(0);
    expect(() => JSON.parse(done.stdout)).not.toThrow();
    expect((await setup.command(["doctor"])).stdout).toContain("cgroup");
  }, LIMIT_MS);
});
