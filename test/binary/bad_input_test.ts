/** Bad input: one clear line with its place, the right exit code, nothing started. */
import { describe, expect, test } from "bun:test";
import { exists, mkdir, rm, writeFile } from "node:fs/promises";
import { EXECUTABLE, GuardSetup, IS_ROOT, run, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 60_000;

const HEAD = `version = 1\nname = "bad"\n`;

/** Policies with what their one line of error must hold: the place, and a word. */
const BAD_POLICIES: readonly (readonly [string, string, readonly string[]])[] = [
  ["broken TOML", `${HEAD}mode = \n`, [":3:"]],
  ["an unknown key", `${HEAD}mod = "enforce"\n`, [":3:1", "mod", "mode"]],
  ["an unknown key in a rule", `${HEAD}[[rules]]\naction = "exec"\npth = "/x"\nverdict = "deny"\n`, [
    ":5:1",
    "pth",
    "path",
  ]],
  ["an unknown action", `${HEAD}[[rules]]\naction = "file.reed"\nverdict = "deny"\n`, [
    ":4:",
    "file.reed",
    "file.read",
  ]],
  ["an unknown action in [default]", `${HEAD}[default]\n"file.reed" = "deny"\n`, [":4:", "file.reed"]],
  ["an unknown verdict", `${HEAD}[[rules]]\naction = "exec"\nverdict = "forbid"\n`, [":5:", "forbid"]],
  ["an unknown mode", `${HEAD}mode = "strict"\n`, [":3:", "strict"]],
  ["a network that is none", `${HEAD}[[rules]]\naction = "net.connect"\naddress = "10.0.0.0/99"\nverdict = "deny"\n`, [
    ":5:",
  ]],
  ["a wrong version", `version = 9\nname = "bad"\n`, [":1:"]],
];

describe("a bad policy", () => {
  test.each([...BAD_POLICIES])("%s: 2, file:line:column, nothing runs", async (_name, policy, words) => {
    await using setup = await GuardSetup.create(policy);
    const done = await setup.guard(["/bin/sh", "-c", "echo ran > marker"]);
    expect(done.exit_code).toBe(2);
    expect(done.stdout).toBe("");
    expect(done.stderr.trim().split("\n")).toHaveLength(1);
    for (const word of [setup.policy, ...words]) expect(done.stderr).toContain(word);
    expect(await exists(`${setup.work}/marker`)).toBe(false);
  }, LIMIT_MS);

  test.each([...BAD_POLICIES])("policy check, %s: 2 and the same place", async (_name, policy, words) => {
    await using setup = await GuardSetup.create(policy);
    const done = await setup.command(["policy", "check", setup.policy]);
    expect(done.exit_code).toBe(2);
    for (const word of [setup.policy, ...words]) expect(done.stdout + done.stderr).toContain(word);
  }, LIMIT_MS);

  test.each<[string, (setup: GuardSetup) => Promise<void>]>([
    ["a missing file", (setup) => rm(setup.policy)],
    ["a directory", async (setup) => {
      await rm(setup.policy);
      await mkdir(setup.policy);
    }],
    ["bytes that are no text", (setup) => writeFile(setup.policy, new Uint8Array([0xff, 0xfe, 0, 1, 2]))],
    ["five megabytes", (setup) => writeFile(setup.policy, `# ${"x".repeat(5 << 20)}\n${HEAD}`)],
  ])("%s: 2 and the file's name", async (_name, prepare) => {
    await using setup = await GuardSetup.create();
    await prepare(setup);
    const done = await setup.guard(["/bin/sh", "-c", "echo ran > marker"]);
    expect(done.exit_code).toBe(2);
    expect(done.stderr.trim().split("\n")).toHaveLength(1);
    expect(done.stderr).toContain(setup.policy);
    expect(await exists(`${setup.work}/marker`)).toBe(false);
  }, LIMIT_MS);

  test("policy check accepts a good one", async () => {
    await using setup = await GuardSetup.create();
    expect((await setup.command(["policy", "check", setup.policy])).exit_code).toBe(0);
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("the state directory", () => {
  test("a second guard on it is refused, and the first goes on", async () => {
    await using setup = await GuardSetup.create();
    await using first = setup.start(["/bin/sh", "-c", "echo ready; read line; echo $line"]);
    await waitUntil("the first command", () => first.stdout.includes("ready"), { detail: () => first.stderr });
    const second = await setup.guard(["/bin/sh", "-c", "echo ran > marker"]);
    expect(second.exit_code).toBe(125);
    expect(second.stderr.trim().split("\n")).toHaveLength(1);
    expect(second.stderr).toContain(setup.state);
    expect(await exists(`${setup.work}/marker`)).toBe(false);
    const daemon = await run([
      EXECUTABLE,
      "--policy",
      setup.policy,
      "--state",
      setup.state,
      "--runtime",
      setup.runtime,
    ]);
    expect(daemon.exit_code).not.toBe(0);
    expect(daemon.stderr).toContain(setup.state);
    void first.process.stdin.write("still here\n"); // `end` waits for it
    await first.process.stdin.end();
    expect(await first.ended()).toBe(0);
    expect(first.stdout).toBe("ready\nstill here\n");
    expect((await setup.verify()).exit_code).toBe(0);
  }, LIMIT_MS);

  test("a guard after another one continues the same record", async () => {
    await using setup = await GuardSetup.create();
    for (const code of [3, 4]) expect((await setup.guard(["/bin/sh", "-c", `exit ${code}`])).exit_code).toBe(code);
    const entries = await setup.entries();
    expect(entries.map((entry) => entry.seq)).toEqual(entries.map((_, index) => (entries[0]?.seq ?? 0) + index));
    expect(new Set(entries.flatMap((entry) => entry.session_id ?? [])).size).toBe(2);
    expect((await setup.verify()).exit_code).toBe(0);
  }, LIMIT_MS);

  test.each(["query", "verify"])("audit %s without a record: 1 and one line", async (word) => {
    await using setup = await GuardSetup.create();
    const done = await run([EXECUTABLE, "audit", word, "--state", setup.state]);
    expect(done.exit_code).toBe(1);
    expect(done.stdout).toBe("");
    expect(done.stderr.trim().split("\n")).toHaveLength(1);
    expect(done.stderr).toContain(setup.state);
    expect(await exists(setup.state)).toBe(false);
  }, LIMIT_MS);
});
