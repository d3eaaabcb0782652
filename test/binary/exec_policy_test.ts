/** Rules on programs: what is denied never runs an instruction, however it is started. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmod, copyFile, exists, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Compiler, decided, GuardSetup, IS_ROOT, python } from "../support/mod.ts";

const LIMIT_MS = 60_000;

const POLICY = `version = 1
name = "programs"
mode = "enforce"

[default]
"*" = "allow"

[approval]
timeout = "1s"

[[rules]]
name = "no-tool"
action = "exec"
exe = "forbidden-tool"
verdict = "deny"
reason = "Not that program."

[[rules]]
name = "no-tree"
action = "exec"
exe = "@WORK@/closed/**"
verdict = "deny"

[[rules]]
name = "ask-first"
action = "exec"
exe = "asked-tool"
verdict = "ask"
`;

/** Ways to start the forbidden program with the name of the file that would prove that it ran. */
const WAYS: readonly (readonly [string, string])[] = [
  ["by a relative path", "./forbidden-tool marker"],
  ["by an absolute path", '"$PWD/forbidden-tool" marker'],
  ["by PATH", 'PATH="$PWD" forbidden-tool marker'],
  ["by a symbolic link with another name", "./harmless-link marker"],
  ["as the interpreter of a script", "./script marker"],
  ["as a script", "./scripts/forbidden-tool marker"],
  ["by exec in the shell's own process", "(exec ./forbidden-tool marker)"],
  ["from another thread", "./exec-thread ./forbidden-tool marker"],
];

describe.skipIf(!IS_ROOT)("a denied program", () => {
  let compiler: Compiler;

  beforeAll(async () => {
    compiler = await Compiler.create();
  });

  afterAll(async () => {
    await compiler[Symbol.asyncDispose]();
  });

  /** A work directory with the programs that the lines above name. */
  async function prepare(): Promise<GuardSetup> {
    const setup = await GuardSetup.create();
    await writeFile(setup.policy, POLICY.replace("@WORK@", setup.work));
    const fixture = (name: string): string => join(import.meta.dir, "fixtures", name);
    const mark = await compiler.compile(fixture("mark.c"), "mark", { static_link: true });
    const exec_thread = await compiler.compile(fixture("exec_thread.c"), "exec-thread");
    const at = (...names: readonly string[]): string => join(setup.work, ...names);
    await mkdir(at("scripts"));
    await mkdir(at("closed", "below"), { recursive: true });
    await copyFile(exec_thread, at("exec-thread"));
    for (const name of ["forbidden-tool", "asked-tool", "allowed-tool", "closed/below/any"]) {
      await copyFile(mark, at(name));
    }
    await symlink("forbidden-tool", at("harmless-link"));
    await writeFile(at("script"), `#!${at("forbidden-tool")}\n`);
    await writeFile(at("scripts", "forbidden-tool"), '#!/bin/sh\n: > "$1"\n');
    for (const name of ["script", "scripts/forbidden-tool"]) await chmod(at(name), 0o755);
    return setup;
  }

  test.each([...WAYS])("started %s", async (_name, line) => {
    await using setup = await prepare();
    const done = await setup.guard(["/bin/sh", "-c", `${line}; echo "status $?"`]);
    // The call fails and the caller goes on.
    expect(done.stdout).toMatch(/^status (90|126)\n$/);
    expect(done.exit_code).toBe(0);
    expect(await exists(join(setup.work, "marker"))).toBe(false);
    const found = decided(await setup.entries()).filter(({ decision }) => decision.decision?.verdict === "deny");
    expect(found).toHaveLength(1);
    expect(found[0]?.decision).toMatchObject({
      action: { type: "exec" },
      decision: { rule: "no-tool", mode: "enforce" },
    });
    expect(found[0]?.outcomes.map((entry) => entry.outcome)).toMatchObject([
      { label: "prevented", mechanism: "seccomp" },
    ]);
  }, LIMIT_MS);

  test("started by descriptor", async () => {
    await using setup = await prepare();
    const program = `
import os
fd = os.open("forbidden-tool", os.O_RDONLY)
pid = os.fork()
if pid == 0:
    os.execve(fd, ["innocent", "marker"], {})
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
    expect((await setup.guard(python(program))).stdout).toBe("1\n");
    expect(await exists(join(setup.work, "marker"))).toBe(false);
  }, LIMIT_MS);

  test("as the guarded command itself", async () => {
    await using setup = await prepare();
    expect((await setup.guard(["./forbidden-tool", "marker"])).exit_code).toBe(126);
    expect(await exists(join(setup.work, "marker"))).toBe(false);
  }, LIMIT_MS);

  test("below a forbidden directory", async () => {
    await using setup = await prepare();
    const done = await setup.guard(["/bin/sh", "-c", 'closed/below/any marker; echo "status $?"']);
    expect(done.stdout).toBe("status 126\n");
    expect(await exists(join(setup.work, "marker"))).toBe(false);
  }, LIMIT_MS);

  test("a hundred times at once: none of them runs, each has its entries", async () => {
    await using setup = await prepare();
    const line = "for i in $(seq 100); do ./forbidden-tool marker-$i & done; wait; ls | grep -c marker";
    expect((await setup.guard(["/bin/sh", "-c", line])).stdout).toBe("0\n");
    const found = decided(await setup.entries()).filter(({ decision }) => decision.decision?.rule === "no-tool");
    expect(found).toHaveLength(100);
    expect(new Set(found.map(({ decision }) => decision.decision?.decision_id)).size).toBe(100);
    expect(found.flatMap(({ outcomes }) => outcomes.map((entry) => entry.outcome?.label))).toEqual(
      Array.from({ length: 100 }, () => "prevented"),
    );
  }, LIMIT_MS);

  test("ask that nobody answers is deny", async () => {
    await using setup = await prepare();
    const done = await setup.guard(["/bin/sh", "-c", './asked-tool marker; echo "status $?"']);
    expect(done.stdout).toBe("status 126\n");
    expect(await exists(join(setup.work, "marker"))).toBe(false);
    const found = decided(await setup.entries()).filter(({ decision }) => decision.decision?.rule === "ask-first");
    expect(found.map(({ decision }) => decision.decision?.verdict)).toEqual(["ask"]);
    expect(found[0]?.outcomes.map((entry) => entry.outcome)).toMatchObject([
      { label: "prevented", mechanism: "seccomp", by: "expiry" },
    ]);
  }, LIMIT_MS);

  test("other programs run", async () => {
    await using setup = await prepare();
    const done = await setup.guard(["/bin/sh", "-c", "./allowed-tool marker"]);
    expect(done.exit_code).toBe(0);
    expect(await exists(join(setup.work, "marker"))).toBe(true);
  }, LIMIT_MS);

  test("runs where the guard only observes, and the record says what would have been", async () => {
    await using setup = await prepare();
    const done = await setup.guard(["/bin/sh", "-c", "./forbidden-tool marker"], { flags: ["--mode", "observe"] });
    expect(done.exit_code).toBe(0);
    expect(await exists(join(setup.work, "marker"))).toBe(true);
    const entries = await setup.entries();
    const found = decided(entries).filter(({ decision }) => decision.decision?.rule === "no-tool");
    expect(found.map(({ decision }) => decision.decision)).toMatchObject([
      { verdict: "allow", would: "deny", mode: "observe" },
    ]);
    expect(entries.filter((entry) => entry.outcome?.label.startsWith("killed"))).toEqual([]);
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("a denied action that this host cannot prevent", () => {
  const rule = (more: string): string =>
    `version = 1\nname = "files"\nmode = "enforce"\n[default]\n"*" = "allow"\n` +
    `[[rules]]\nname = "no-secret"\naction = "unix.connect"\npath = "**/secret"\nverdict = "deny"\n${more}`;

  test("enforce mode refuses to start and names the rule", async () => {
    await using setup = await GuardSetup.create(rule(""));
    const done = await setup.guard(["/bin/sh", "-c", "echo ran > marker"]);
    // The policy is well formed: it is this host that cannot keep it.
    expect(done.exit_code).toBe(125);
    expect(done.stderr).toContain("no-secret");
    expect(await exists(join(setup.work, "marker"))).toBe(false);
    const doctor = await setup.command(["doctor", "--policy", setup.policy]);
    expect(doctor.exit_code).toBe(1);
    expect(doctor.stdout + doctor.stderr).toContain("no-secret");
  }, LIMIT_MS);

  test("a rule that accepts that is recorded with an honest label", async () => {
    await using setup = await GuardSetup.create(rule('enforce = "best"\n'));
    const program = `import os, socket
server = socket.socket(socket.AF_UNIX); server.bind(os.getcwd() + "/secret"); server.listen()
os.symlink("secret", "alias")
socket.socket(socket.AF_UNIX).connect(os.getcwd() + "/alias")
import time; time.sleep(1)
`;
    const done = await setup.guard(python(program));
    const found = decided(await setup.entries()).filter(({ decision }) => decision.decision?.rule === "no-secret");
    expect(found).toHaveLength(1);
    expect(found[0]?.decision.decision?.verdict).toBe("deny");
    const label = found[0]?.outcomes[0]?.outcome?.label;
    expect(label === "unenforceable" || label === "killed_after_effect").toBe(true);
    expect(done.exit_code).toBe(label === "unenforceable" ? 0 : 137);
  }, LIMIT_MS);
});
