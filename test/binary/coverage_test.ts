/** What the probes cannot see is said, and a process that leaves its cgroup is neither lost nor unnoticed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Entry } from "../../lib/core/mod.ts";
import { about, cgroupMount, Compiler, GuardSetup, IS_ROOT, run, UNCONFINED } from "../support/mod.ts";

const LIMIT_MS = 60_000;

function coverageGaps(entries: readonly Entry[]): readonly string[] {
  return entries.flatMap((entry) => entry.kind === "gap" && entry.gap?.source === "coverage" ? [entry.gap.type] : []);
}

/**
 * True where the processor and the kernel run 32-bit system calls at all: without a guard, the program does not die.
 */
async function runsI386(): Promise<boolean> {
  if (process.arch !== "x64") return false;
  await using compiler = await Compiler.create();
  const program = await compiler.compile(join(import.meta.dir, "fixtures/i386.c"), "i386");
  return (await run([program, "/etc/hostname"])).exit_code === 0;
}

const I386 = IS_ROOT && await runsI386();

describe.skipIf(!IS_ROOT)("coverage", () => {
  let compiler: Compiler;

  beforeAll(async () => {
    compiler = await Compiler.create();
  });

  afterAll(async () => {
    await compiler[Symbol.asyncDispose]();
  });

  // The baseline refuses all of this; without it the probes must say what they cannot see.
  const compile = (name: string): Promise<string> =>
    compiler.compile(join(import.meta.dir, "fixtures", `${name}.c`), name);

  test("a tree that uses neither has no such entry", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/true"]);
    expect(coverageGaps(await setup.entries())).toEqual([]);
  }, LIMIT_MS);

  test("io_uring is reported", async () => {
    await using setup = await GuardSetup.create(UNCONFINED);
    const program = await compile("io_uring");
    const done = await setup.guard([program]);
    expect(done.stdout).toBe("ok\n");
    expect(coverageGaps(await setup.entries())).toEqual(["io_uring"]);
  }, LIMIT_MS);

  // Skipped where int 0x80 kills the program unguarded too: the kernel then has no 32-bit calls to report.
  test.skipIf(!I386)("32-bit system calls are reported", async () => {
    await using setup = await GuardSetup.create(UNCONFINED);
    const program = await compile("i386");
    const done = await setup.guard([program, "/etc/hostname"]);
    expect(done.stdout).toBe("ok\n");
    expect(coverageGaps(await setup.entries())).toEqual(["i386"]);
  }, LIMIT_MS);

  test("leaving the cgroup is an event, and the tree is followed all the same", async () => {
    await using setup = await GuardSetup.create(UNCONFINED);
    const line = `echo $$ > ${cgroupMount()}/cgroup.procs; : > outside; /bin/cat outside; exit 4`;
    const done = await setup.guard(["/bin/sh", "-c", line]);
    expect(done.exit_code).toBe(4);
    const entries = await setup.entries();
    expect(about(entries, "guard.scope").length).toBeGreaterThan(0);
    const path = join(setup.work, "outside");
    expect(about(entries, "file.create").map((entry) => entry.action.path)).toContain(path);
    const read = about(entries, "file.read").find((entry) => entry.action.path === path);
    expect(read?.process?.exe).toBe("/usr/bin/cat");
    const [start] = about(entries, "session.start");
    expect(start).toBeDefined();
    expect(read?.session_id).toBe(start?.session_id);
  }, LIMIT_MS);
});
