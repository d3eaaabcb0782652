/** Terminals of others are out of a guarded command's reach; its own one stays. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ALLOW_ALL, GuardSetup, IS_ROOT, PYTHON, run, runOnPty } from "../support/mod.ts";

const LIMIT_MS = 60_000;
const FIXTURE = [PYTHON, "-I", "-S", join(import.meta.dir, "fixtures/terminals.py")];

/** Every open for writing waits for the guard, and is made by it. */
const HELD = `${ALLOW_ALL}
[[rules]]
name = "nothing-there"
action = "file.write"
path = "/nowhere/**"
verdict = "deny"
`;

const CONSOLES = ["/dev/console", "/dev/tty0", "/dev/tty1", "/dev/ttyS0"].filter((path) => existsSync(path));

interface Host {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly got: readonly string[];
}

/** Runs the fixture guarded beside two terminals of others. */
async function beside(setup: GuardSetup, words: readonly string[]): Promise<Host> {
  const done = await run([...FIXTURE, "host", "2", ...setup.argv([...FIXTURE, ...words])]);
  if (done.exit_code !== 0) throw new Error(`terminals: exit ${done.exit_code}: ${done.stderr}`);
  return JSON.parse(done.stdout);
}

describe.skipIf(!IS_ROOT)("terminals", () => {
  test.each([["opens go on", ALLOW_ALL], ["opens wait", HELD]])(
    "nobody else's is written to: %s",
    async (_name, policy) => {
      await using setup = await GuardSetup.create(policy);
      const host = await beside(setup, ["write", "@TERMINALS@", ...CONSOLES]);
      expect([host.code, host.got]).toEqual([0, ["", ""]]);
      const said: Record<string, string> = JSON.parse(host.stdout);
      const names = Object.keys(said);
      expect(names).toEqual([...names.filter((name) => name.startsWith("/dev/pts/")), ...CONSOLES]);
      expect(names).toHaveLength(2 + CONSOLES.length);
      expect(Object.values(said).filter((outcome) => outcome !== "ENOENT" && outcome !== "EACCES")).toEqual([]);
    },
    LIMIT_MS,
  );

  test("without the baseline each is written to", async () => {
    const done = await run([...FIXTURE, "host", "2", ...FIXTURE, "write", "@TERMINALS@"]);
    const host: Host = JSON.parse(done.stdout);
    expect(host.got.every((text) => text.startsWith("drawn on /dev/pts/"))).toBe(true);
  }, LIMIT_MS);

  test.each([["opens go on", ALLOW_ALL], ["opens wait", HELD]])(
    "the one that it was started on, and those that it makes: %s",
    async (_name, policy) => {
      await using setup = await GuardSetup.create(policy);
      const { exit_code, transcript } = await runOnPty(setup.argv([...FIXTURE, "own"]), [], { cwd: setup.work });
      expect(exit_code).toBe(0);
      const lines = transcript.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("agentguard: "));
      const name = existsSync("/dev/console") ? "/dev/console" : "ENODEV";
      expect(lines).toEqual([
        `name ${name}`,
        ...(name === "ENODEV" ? ["by name ENODEV"] : [`drawn on ${name}`, "by name ok"]),
        "drawn on /dev/tty",
        "controlling ok",
        "drawn on /dev/stdout",
        "stdout ok",
        "another ok",
        "got drawn on /dev/tty",
      ]);
    },
    LIMIT_MS,
  );
});
