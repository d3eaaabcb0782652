/** What becomes of the tree when the command, the guard or the launcher ends. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  buildGuard,
  eventOf,
  events,
  marked,
  processes,
  type ReportLine,
  run,
  startReading,
  until,
} from "./fixtures/launch_run.ts";

let dir = "";
let guard = "";
const marks: string[] = [];
const cgroups: string[] = [];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "ag-launch-"));
  guard = await buildGuard(dir);
}, 120_000);

afterEach(async () => {
  for (const mark of marks.splice(0)) {
    await until(() => {
      const rest = marked(mark);
      for (const pid of rest) killQuietly(pid);
      return rest.length === 0;
    });
  }
  for (const cgroup of cgroups.splice(0)) {
    if (existsSync(cgroup)) await until(() => removed(cgroup));
  }
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch { /* ended since it was listed */ }
}

function removed(cgroup: string): boolean {
  try {
    rmdirSync(cgroup);
    return true;
  } catch {
    return false;
  }
}

/** Mount point of cgroup v2, hybrid hierarchies included; undefined when no directory can be made there. */
function cgroupRoot(): string | undefined {
  const line = readFileSync("/proc/self/mountinfo", "utf8").split("\n").find((text) => text.includes(" - cgroup2 "));
  return process.getuid?.() === 0 ? line?.split(" ")[4] : undefined;
}

/** A tree whose members leave the group, the session and their parents. */
const TREE = `setsid sh -c 'sleep 1000 & exec sleep 1001' &
  (sleep 1002 & exec sleep 1003) & (setsid sh -c '(sleep 1004 &) ; (setsid sleep 1005 &)' &) ; sleep 1006`;
const TREE_SLEEPS = 7;

interface Started {
  readonly child: ReturnType<typeof startReading>;
  readonly report: string;
  readonly started: ReportLine;
  readonly mark: string;
}

async function startTree(flags: readonly string[], script: string = TREE): Promise<Started> {
  const mark = `AG_TEST_MARK=${crypto.randomUUID()}`;
  marks.push(mark);
  const report = join(dir, crypto.randomUUID());
  const child = startReading(["env", mark, guard, "--report", report, ...flags, "--", "sh", "-c", script]);
  const started = await eventOf(report, "started");
  return { child, report, started, mark };
}

function sleepers(mark: string): readonly number[] {
  return marked(mark).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, "utf8") === "sleep\n";
    } catch {
      return false;
    }
  });
}

describe("the guard is killed", () => {
  test("deny without cgroup: nothing of the tree is left, nor the launcher", async () => {
    const { child, started, mark } = await startTree(["--deny"]);
    await until(() => sleepers(mark).length === TREE_SLEEPS);
    process.kill(Number(started["guard"]), "SIGKILL");
    await child.exited;
    expect(await until(() => marked(mark).length === 0)).toBe(true);
    expect(processes().some((line) => line.pid === started["launcher"] && line.state !== "Z")).toBe(false);
  }, 60_000);

  const root = cgroupRoot();
  test.skipIf(root === undefined)(
    "deny with cgroup (needs root and cgroup v2): also a process moved into it",
    async () => {
      const cgroup = join(root ?? "", `ag_test_launch_${process.pid}`);
      cgroups.push(cgroup);
      const { child, started, mark } = await startTree(["--deny", "--cgroup", cgroup]);
      await until(() => sleepers(mark).length === TREE_SLEEPS);
      const stranger = Bun.spawn(["sleep", "1007"]);
      writeFileSync(join(cgroup, "cgroup.procs"), String(stranger.pid));
      expect(readFileSync(join(cgroup, "cgroup.procs"), "utf8")).not.toContain(`${started["launcher"]}\n`);
      process.kill(Number(started["guard"]), "SIGKILL");
      await child.exited;
      expect(await until(() => marked(mark).length === 0)).toBe(true);
      await stranger.exited;
      expect(stranger.signalCode).toBe("SIGKILL");
      // Empty, and removed by the launcher: nobody else is left to do it.
      expect(await until(() => !existsSync(cgroup))).toBe(true);
    },
    60_000,
  );

  test("deny: a tree that forks without end is ended", async () => {
    // Each round leaves orphans that fork again; the shell itself never waits for them.
    const bomb = `while :; do (sleep 0.05; (sleep 0.05 & sleep 0.05) &) & sleep 0.005; done`;
    const { started, mark } = await startTree(["--deny"], bomb);
    await until(() => sleepers(mark).length > 5);
    process.kill(Number(started["guard"]), "SIGKILL");
    expect(await until(() => marked(mark).length === 0)).toBe(true);
  }, 60_000);

  test("open: the command goes on, and the launcher ends with it", async () => {
    // Not its standard input: that pipe is closed with the guard.
    const fifo = join(dir, "fifo");
    await Bun.$`mkfifo ${fifo}`.quiet();
    const script = `echo up; read line <${fifo}; echo went on $line; exit 3`;
    const { child, started, mark } = await startTree(["--open"], script);
    await child.line("up"); // before the go a lost guard always ends the command
    process.kill(Number(started["guard"]), "SIGKILL");
    await child.exited;
    expect(marked(mark)).toContain(Number(started["pid"]));
    writeFileSync(fifo, "here\n");
    expect(await child.line("went on")).toBe("went on here");
    expect(await until(() => marked(mark).length === 0)).toBe(true);
  }, 60_000);
});

test("the launcher is killed: the guard notices and says how", async () => {
  const { child, report, started } = await startTree(["--deny"], "echo up; sleep 1000");
  await child.line("up"); // it was reported before the go
  process.kill(Number(started["launcher"]), "SIGKILL");
  expect(await eventOf(report, "launcher_lost")).toEqual({ type: "launcher_lost", signal: 9 });
  expect(await child.exited).toBe(125);
}, 60_000);

describe("the command ends", () => {
  test("orphans are reaped by the launcher: no zombie stays", async () => {
    const script = `for i in 1 2 3 4 5 6 7 8 9 10; do (sh -c 'exit 3' & setsid sh -c ':' &) ; done; exit 6`;
    const { child, report, started, mark } = await startTree(["--keep"], script);
    await eventOf(report, "exited");
    await until(() => marked(mark).length === 2); // guard and launcher
    await until(() => processes().filter((line) => line.parent === started["launcher"]).length === 0);
    process.kill(Number(started["guard"]), "SIGTERM");
    expect(await child.exited).toBe(6);
    expect((await events(report)).map((line) => line["type"])).toEqual(["started", "exited"]);
  }, 60_000);

  test("kill_rest ends what outlived it; without it, it stays", async () => {
    const script = "setsid sleep 1000 >/dev/null 2>&1 & exit 0";
    const killed = await startTree(["--kill-rest"], script);
    expect(await killed.child.exited).toBe(0);
    expect(marked(killed.mark)).toEqual([]);
    const left = await startTree([], script);
    expect(await left.child.exited).toBe(0);
    await until(() => sleepers(left.mark).length === 1);
    expect(marked(left.mark)).toHaveLength(1);
  }, 60_000);

  test("200 starts leave no process, descriptor or memory file", async () => {
    const mark = `AG_TEST_MARK=${crypto.randomUUID()}`;
    marks.push(mark);
    const script = join(dir, "many.ts");
    await Bun.write(
      script,
      `import { launchCommand } from ${JSON.stringify(join(import.meta.dir, "../../ffi/launch.ts"))};
import { captureStartState } from ${JSON.stringify(join(import.meta.dir, "../../ffi/launch_state.ts"))};
import { readdirSync } from "node:fs";
const state = captureStartState();
const open = () => readdirSync("/proc/self/fd").length;
let before = 0;
for (let n = 0; n < 201; n++) {
  const command = await launchCommand({ argv: ["true"], on_failure: "deny", state, sleep: Bun.sleep });
  if (n % 4 !== 3) { command.go(); await command.exited; }
  await command.finish({ kill_rest: n % 2 === 0 });
  await command[Symbol.asyncDispose]();
  if (n === 0) before = open();
}
console.log(open() - before);
`,
    );
    const result = await run(["bun", script], { env: { AG_TEST_MARK: mark.slice("AG_TEST_MARK=".length) } });
    expect(result.stderr.toString()).toBe("");
    expect(result.stdout.toString()).toBe("0\n");
    expect(marked(mark)).toEqual([]);
  }, 60_000);
});
