/** What the command is given and what comes out of it is the same guarded and unguarded, byte for byte. */
import { describe, expect, test } from "bun:test";
import { EXECUTABLE, GuardSetup, IS_ROOT, python, run, runOnPty, UNCONFINED } from "../support/mod.ts";

const LIMIT_MS = 60_000;

/** Bytes of every value in no order that a text filter would keep. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 12_345;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    bytes[i] = state >> 16;
  }
  return bytes;
}

/** Says what a program inherits, one fact a line. */
const INHERITED = `
import os, resource, signal
for line in open("/proc/self/status"):
    if line.split(":")[0] in ("Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "NoNewPrivs",
                              "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        print(line.strip())
print(open("/proc/self/limits").read())
print(sorted(os.listdir("/proc/self/fd")), os.getcwd(), os.getpriority(os.PRIO_PROCESS, 0))
print(open("/proc/self/oom_score_adj").read(), os.readlink("/proc/self/ns/pid"), os.readlink("/proc/self/ns/mnt"))
print([os.environ[name] for name in sorted(os.environ) if not name.startswith("AGENTGUARD_")])
`;

describe.skipIf(!IS_ROOT)("standard streams", () => {
  test("a megabyte of noise from stdin to stdout", async () => {
    await using setup = await GuardSetup.create();
    const stdin = noise(1 << 20);
    const done = await setup.guard(["/bin/cat"], { stdin });
    expect(done.exit_code).toBe(0);
    expect(Buffer.compare(done.stdout_bytes, stdin)).toBe(0);
  }, LIMIT_MS);

  test("stderr under --quiet holds the command's bytes and nothing else", async () => {
    await using setup = await GuardSetup.create();
    const stdin = noise(100_000);
    const done = await setup.guard(["/bin/sh", "-c", "cat >&2; echo out"], { stdin, flags: ["--quiet"] });
    expect(done.exit_code).toBe(0);
    expect(Buffer.compare(done.stderr_bytes, stdin)).toBe(0);
    expect(done.stdout).toBe("out\n");
  }, LIMIT_MS);

  test("the guard's notices are on stderr: a summary with the place of the record", async () => {
    await using setup = await GuardSetup.create();
    const done = await setup.guard(["/bin/echo", "out"]);
    expect(done.stdout).toBe("out\n");
    expect(done.stderr).toContain(setup.state);
  }, LIMIT_MS);

  test("--quiet is silent", async () => {
    await using setup = await GuardSetup.create();
    const done = await setup.guard(["/bin/true"], { flags: ["--quiet"] });
    expect([done.exit_code, done.stdout, done.stderr]).toEqual([0, "", ""]);
  }, LIMIT_MS);

  test("a reader that goes away ends the command as it does unguarded", async () => {
    await using setup = await GuardSetup.create();
    const guarded = setup.argv(["/usr/bin/yes"], ["--quiet"]);
    // `env` undoes what the test's own runtime may ignore; the shell shows how the first in the pipe ended.
    const line = 'env --default-signal "$@" | head -n 1; echo "${PIPESTATUS[0]}"';
    const done = await run(["/bin/bash", "-c", line, "bash", ...guarded], { cwd: setup.work });
    expect(done.stdout).toBe("y\n141\n");
  }, LIMIT_MS);

  test("the command inherits what it would unguarded: signals, limits, descriptors, rights, environment", async () => {
    await using setup = await GuardSetup.create(UNCONFINED);
    const plain = ["/usr/bin/env", "--default-signal"];
    const env = { PATH: "/usr/bin:/bin", ODD: "line\nbreak", EMPTY: "" };
    const unguarded = await run([...plain, ...python(INHERITED)], { cwd: setup.work, env });
    const guarded = await run([...plain, ...setup.argv(python(INHERITED))], { cwd: setup.work, env });
    expect(unguarded.stdout).toContain("SigIgn");
    expect(guarded.stdout).toBe(unguarded.stdout);
  }, LIMIT_MS);

  test.each([
    ["a descriptor of the caller's", '"$@" 7< /dev/null'],
    ["a closed stdin", '"$@" <&-'],
    ["a closed stdout", '"$@" >&-'],
    ["a closed stderr", '"$@" 2>&-'],
  ])("%s is the same for the command", async (_name, line) => {
    await using setup = await GuardSetup.create();
    const program = `
import os
seen = []
for fd in range(64):
    try:
        seen.append((fd, os.fstat(fd).st_mode, os.get_inheritable(fd)))
    except OSError:
        pass
with open("descriptors", "w") as out:
    out.write(repr(seen))
`;
    const shell = (argv: readonly string[]): readonly string[] => ["/bin/sh", "-c", line, "sh", ...argv];
    const seen = async (argv: readonly string[]): Promise<string> => {
      expect((await run(shell(argv), { cwd: setup.work })).exit_code).toBe(0);
      return await Bun.file(`${setup.work}/descriptors`).text();
    };
    const unguarded = await seen(python(program));
    expect(await seen(setup.argv(python(program)))).toBe(unguarded);
  }, LIMIT_MS);

  test("arguments reach the command as they are", async () => {
    await using setup = await GuardSetup.create();
    const words = ["", "two words", "--policy", "--", "-x", "line\nbreak", "\\", "'\"", "é"];
    const done = await setup.guard(["/usr/bin/printf", "%s|", ...words]);
    expect(done.stdout).toBe(words.map((word) => `${word}|`).join(""));
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("a terminal", () => {
  const guarded = (setup: GuardSetup, command: readonly string[]): readonly string[] =>
    setup.argv(command, ["--quiet"]);

  test("the command has it on all three streams, with its size", async () => {
    await using setup = await GuardSetup.create();
    const program = "import os, sys; print([os.isatty(fd) for fd in range(3)], os.get_terminal_size())";
    const { transcript, exit_code } = await runOnPty(guarded(setup, python(program)), []);
    expect(exit_code).toBe(0);
    expect(transcript).toBe("[True, True, True] os.terminal_size(columns=80, lines=24)\r\n");
  }, LIMIT_MS);

  test("an interactive shell works, with job control", async () => {
    await using setup = await GuardSetup.create();
    const { transcript, exit_code } = await runOnPty(
      guarded(setup, ["/bin/bash", "--norc", "--noprofile", "-i"]),
      [
        { expect: "prompt> " },
        { send: "echo $((40 + 2))\n" },
        { expect: "42\r\n" },
        // It says when it reads, and what it got in another form than the terminal's own echo.
        { send: "sh -c 'echo u''p; while read x; do echo \"<$x>\"; done'\n" },
        { expect: "\nup\r\n" },
        { send: "typed\n" },
        { expect: "<typed>" },
        { send: "\x1a" },
        { expect: "Stopped" },
        { expect: "prompt> " },
        { send: "fg\n" },
        { send: "again\n" },
        { expect: "<again>" },
        { send: "\x03" },
        { expect: "prompt> " },
        { send: "exit 5\n" },
      ],
    );
    expect(transcript).not.toContain("no job control");
    expect(exit_code).toBe(5);
  }, LIMIT_MS);

  test("a key for SIGINT arrives once each time", async () => {
    await using setup = await GuardSetup.create();
    const program = `
import os, signal
count = 0
def interrupted(*_):
    global count
    count += 1
    os.write(1, b"interrupt %d.\\n" % count)
signal.signal(signal.SIGINT, interrupted)
os.write(1, b"ready\\n")
os.read(0, 100)
os.write(1, b"in all %d.\\n" % count)
`;
    const presses = Array.from({ length: 50 }, (_, i) => [{ send: "\x03" }, { expect: `interrupt ${i + 1}.` }]).flat();
    const { exit_code } = await runOnPty(guarded(setup, python(program)), [
      { expect: "ready" },
      ...presses,
      { send: "\n" },
      { expect: "in all 50." },
    ]);
    expect(exit_code).toBe(0);
  }, LIMIT_MS);

  test("a new size of the window is seen", async () => {
    await using setup = await GuardSetup.create();
    const program = `
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGWINCH})
print("ready", flush=True)
signal.sigwait({signal.SIGWINCH})
print(os.get_terminal_size(), flush=True)
`;
    const { transcript } = await runOnPty(guarded(setup, python(program)), [
      { expect: "ready" },
      { resize: [50, 132] },
      { expect: "columns=132, lines=50" },
    ]);
    expect(transcript).toContain("columns=132, lines=50");
  }, LIMIT_MS);

  test("the terminal is left as it was", async () => {
    await using setup = await GuardSetup.create();
    const line = 'stty -g > before; "$@"; stty -g > after; cmp before after && echo same';
    const argv = setup.argv(["/bin/true"]);
    const { transcript } = await runOnPty(["/bin/sh", "-c", line, "sh", ...argv], [], { cwd: setup.work });
    expect(transcript).toContain("same");
  }, LIMIT_MS);
});

test("the executable needs no shared library but glibc's own", async () => {
  const done = await run(["ldd", EXECUTABLE]);
  const names = done.stdout.split("\n").flatMap((line) => /^\s*(\S+\.so\S*)/.exec(line)?.[1] ?? []);
  const own = /^(?:linux-vdso|libc|libm|libdl|libpthread|librt|.*ld-linux[^/]*)\.so/;
  expect(names.length).toBeGreaterThan(1);
  expect(names.filter((name) => !own.test(name))).toEqual([]);
}, LIMIT_MS);
