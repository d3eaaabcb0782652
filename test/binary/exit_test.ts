/** Exit codes: the command's own pass through, the guard's own are those of the manual. */
import { describe, expect, test } from "bun:test";
import { chmod, exists, writeFile } from "node:fs/promises";
import { EXECUTABLE, GuardSetup, IS_ROOT, PLAIN_ENVIRONMENT, run } from "../support/mod.ts";

const LIMIT_MS = 60_000;

describe.skipIf(!IS_ROOT)("the command's own end", () => {
  test.each([0, 1, 2, 42, 125, 126, 127, 255])("exit code %d", async (code) => {
    await using setup = await GuardSetup.create();
    const done = await setup.guard(["/bin/sh", "-c", `exit ${code}`]);
    expect(done.exit_code).toBe(code);
  }, LIMIT_MS);

  test.each([
    ["HUP", 129],
    ["INT", 130],
    ["KILL", 137],
    ["SEGV", 139],
    ["TERM", 143],
  ])("death by SIG%s is %d", async (name, code) => {
    await using setup = await GuardSetup.create();
    const done = await setup.guard(["/bin/sh", "-c", `kill -s ${name} $$`]);
    expect(done.exit_code).toBe(code);
  }, LIMIT_MS);

  test("is recorded", async () => {
    await using setup = await GuardSetup.create();
    await setup.guard(["/bin/sh", "-c", "exit 42"]);
    const ends = (await setup.entries()).filter((entry) => entry.action?.type === "session.end");
    expect(ends.map((entry) => entry.action)).toMatchObject([{ type: "session.end", exit_code: 42 }]);
  }, LIMIT_MS);

  test("comes through although a child of it goes on", async () => {
    await using setup = await GuardSetup.create();
    const done = await setup.guard(
      ["/bin/sh", "-c", "sleep 600 < /dev/null > /dev/null 2>&1 & echo $!; exit 3"],
      { deadline_ms: 30_000 },
    );
    const orphan = Number(done.stdout);
    expect(orphan).toBeGreaterThan(1);
    try {
      process.kill(orphan, "SIGKILL");
    } catch {
      // Ended with the session.
    }
    expect(done.exit_code).toBe(3);
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("a command that cannot start", () => {
  test.each(["/nonexistent/program", "no-such-program-anywhere"])("%s: 127", async (program) => {
    await using setup = await GuardSetup.create();
    const done = await setup.guard([program]);
    expect(done.exit_code).toBe(127);
    expect(done.stdout).toBe("");
    expect(done.stderr).toContain(program);
  }, LIMIT_MS);

  test("a file without the right to execute: 126", async () => {
    await using setup = await GuardSetup.create();
    const file = setup.dir.join("plain");
    await writeFile(file, "#!/bin/sh\n");
    await chmod(file, 0o644);
    const done = await setup.guard([file]);
    expect(done.exit_code).toBe(126);
    expect(done.stderr).toContain(file);
  }, LIMIT_MS);

  test("a directory: 126", async () => {
    await using setup = await GuardSetup.create();
    expect((await setup.guard([setup.work])).exit_code).toBe(126);
  }, LIMIT_MS);

  test("a guard without a place for its record: 125, and the command does not run", async () => {
    await using setup = await GuardSetup.create();
    await writeFile(setup.state, "a file where the directory should be");
    const done = await setup.guard(["/bin/sh", "-c", "echo ran > marker"]);
    expect(done.exit_code).toBe(125);
    expect(done.stderr.trim().split("\n")).toHaveLength(1);
    expect(done.stderr).toContain(setup.state);
    expect(await exists(`${setup.work}/marker`)).toBe(false);
  }, LIMIT_MS);
});

test.skipIf(!IS_ROOT)("without the rights to guard: 125, says so, and the command does not run", async () => {
  await using setup = await GuardSetup.create();
  await chmod(setup.work, 0o777);
  await chmod(setup.dir.path, 0o777);
  const nobody = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
  const done = await run([...nobody, ...setup.argv(["/bin/sh", "-c", "echo ran > marker"])], { cwd: setup.work });
  expect(done.exit_code).toBe(125);
  expect(done.stderr.trim().split("\n")).toHaveLength(1);
  expect(done.stderr).toMatch(/root|CAP_/);
  expect(await exists(`${setup.work}/marker`)).toBe(false);
  const check = await run([...nobody, EXECUTABLE, "policy", "check", setup.policy]);
  expect(check.exit_code).toBe(0);
}, LIMIT_MS);

describe("wrong usage", () => {
  test.each([
    ["an unknown option", ["--no-such-option", "--", "true"]],
    ["an unknown command", ["no-such-command"]],
    ["run without a command", ["run"]],
    ["no command after the dashes", ["--"]],
    ["an unknown mode", ["--mode", "perhaps", "--", "true"]],
    ["an option without its value", ["--policy"]],
  ])("%s: 2 and one line", async (_name, words) => {
    const done = await run([EXECUTABLE, ...words], { env: PLAIN_ENVIRONMENT });
    expect(done.exit_code).toBe(2);
    expect(done.stdout).toBe("");
    expect(done.stderr.trim().split("\n")).toHaveLength(1);
  }, LIMIT_MS);

  test.each<[string, readonly string[]]>([
    ["help", ["help"]],
    ["--help", ["--help"]],
    ["version", ["version"]],
    ["help of a command", ["help", "run"]],
    ["help of a group", ["policy", "--help"]],
  ])("%s: 0, on stdout", async (_name, words) => {
    const done = await run([EXECUTABLE, ...words]);
    expect([done.exit_code, done.stderr]).toEqual([0, ""]);
    expect(done.stdout).not.toBe("");
  }, LIMIT_MS);
});
