/** System calls of the command that wait for the guard: which ones do, and what its answers make of them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeConfig } from "../../ffi/launch_protocol.ts";
import { ANY_ARGUMENT, type NotifyRule, TESTS_MAX } from "../../ffi/launch_tests.ts";
import { buildGuard, fixture, type ReportLine, run } from "./fixtures/launch_run.ts";

/** arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h */
const NUMBERS = {
  x64: { read: 0, lseek: 8, socket: 41, execve: 59, getpid: 39 },
  arm64: { read: 63, lseek: 62, socket: 198, execve: 221, getpid: 172 },
};
const nr = NUMBERS[process.arch === "arm64" ? "arm64" : "x64"];
const AF_UNIX = 1, AF_INET = 2, AF_NETLINK = 16;

let dir = "";

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "ag-notify-"));
  await buildGuard(dir); // builds the launcher, too
}, 120_000);

afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Given {
  readonly notify?: readonly unknown[];
  readonly refuse?: readonly { readonly nr: number; readonly from?: number }[];
  readonly listener?: "close" | "leave";
}

interface Held {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly lines: readonly ReportLine[];
}

async function held(given: Given, argv: readonly string[]): Promise<Held> {
  const result = await run(["bun", fixture("launch_notify.ts"), JSON.stringify(given), ...argv]);
  const stderr = result.stderr.toString();
  const lines = stderr.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  return { code: result.code, stdout: result.stdout.toString(), stderr, lines };
}

const HOLD_EXEC = [{ nr: nr.execve }];

describe("a held call", () => {
  test("the command's own exec waits and goes on; so does every later one", async () => {
    const result = await held({ notify: HOLD_EXEC }, ["sh", "-c", "/bin/echo one; /bin/echo two"]);
    expect([result.code, result.stdout]).toEqual([0, "one\ntwo\n"]);
    const calls = result.lines.filter((line) => line["type"] === "held");
    expect(calls[0]).toMatchObject({ command: true, nr: nr.execve });
    // The command searches PATH, the children are named: at least one exec each.
    expect(calls.filter((line) => line["command"] === false).length).toBe(2);
  }, 60_000);

  test("a refused exec is a clean EPERM: the caller goes on", async () => {
    const script = `import errno, os, sys
try:
    os.execv("/bin/echo", ["echo", "effect"])
except OSError as error:
    print(errno.errorcode[error.errno])
    sys.exit(7)`;
    const given = { notify: HOLD_EXEC, refuse: [{ nr: nr.execve, from: 2 }] };
    const result = await held(given, ["/usr/bin/env", "python3", "-c", script]);
    expect(result.stdout).not.toContain("effect");
    expect(result.code).not.toBe(0);
    const direct = await held({ notify: HOLD_EXEC, refuse: [{ nr: nr.execve, from: 2 }] }, [
      await python(),
      "-c",
      script,
    ]);
    expect([direct.code, direct.stdout]).toEqual([7, "EPERM\n"]);
  }, 60_000);

  test("refusing the command itself is an exec that failed: 126", async () => {
    const result = await held({ notify: HOLD_EXEC, refuse: [{ nr: nr.execve }] }, ["/bin/echo", "effect"]);
    expect([result.code, result.stdout]).toEqual([126, ""]);
    expect(result.lines).toContainEqual({ type: "exec_failed", stage: "exec", errno: 1 });
  }, 60_000);

  test("without a listener it fails with ENOSYS", async () => {
    for (const listener of ["close", "leave"] as const) {
      const result = await held({ notify: HOLD_EXEC, listener }, ["/bin/echo", "effect"]);
      expect([listener, result.code, result.stdout]).toEqual([listener, 126, ""]);
      expect(result.lines).toContainEqual({ type: "exec_failed", stage: "exec", errno: 38 });
    }
  }, 60_000);

  test("the command does not inherit the listener", async () => {
    const script = `for fd in /proc/self/fd/*; do readlink "$fd" || true; done`;
    const result = await held({ notify: HOLD_EXEC }, ["bash", "-c", script]);
    expect(result.code).toBe(0);
    expect(result.stdout).toContain("/");
    expect(result.stdout).not.toContain("seccomp");
  }, 60_000);
});

describe("tests of arguments", () => {
  const SOCKETS = `import errno, os, socket
for family, kind in ((1, 1), (2, 1), (16, 3)):
    try:
        socket.socket(family, kind).close()
        print("made")
    except OSError as error:
        print(errno.errorcode[error.errno])`;

  test("only calls with that argument are held; any of several", async () => {
    const word = "0xffffffff";
    const rule = (...values: number[]): unknown => ({
      nr: nr.socket,
      when: values.map((value) => ({ arg: 0, mask: word, value: `0x${value.toString(16)}` })),
    });
    const refuse = [{ nr: nr.socket }];
    const probe = [await python(), "-c", SOCKETS];
    expect((await held({ notify: [rule(AF_UNIX)], refuse }, probe)).stdout).toBe("EPERM\nmade\nmade\n");
    expect((await held({ notify: [rule(AF_UNIX, AF_NETLINK)], refuse }, probe)).stdout).toBe("EPERM\nmade\nEPERM\n");
    expect((await held({ notify: [rule(AF_INET)], refuse }, probe)).stdout).toBe("made\nEPERM\nmade\n");
  }, 60_000);

  test("all 64 bits of an argument are compared, and only those in the mask", async () => {
    const script = `import errno, os
fd = os.memfd_create("x")
for offset in (0x100000002, 0x2, 0x100000003, 0x300000002):
    try:
        print(os.lseek(fd, offset, os.SEEK_SET))
    except OSError as error:
        print(errno.errorcode[error.errno])`;
    const probe = [await python(), "-c", script];
    const refuse = [{ nr: nr.lseek }];
    const exact = [{ nr: nr.lseek, when: [{ arg: 1, mask: "0xffffffffffffffff", value: "0x100000002" }] }];
    expect((await held({ notify: exact, refuse }, probe)).stdout).toBe(`EPERM\n2\n${0x100000003}\n${0x300000002}\n`);
    const high = [{ nr: nr.lseek, when: [{ arg: 1, mask: "0x100000000", value: "0x100000000" }] }];
    expect((await held({ notify: high, refuse }, probe)).stdout).toBe("EPERM\n2\nEPERM\nEPERM\n");
    const unlike = (mask: string, value: string): readonly unknown[] => [
      { nr: nr.lseek, when: [{ arg: 1, mask, value, unlike: true }] },
    ];
    expect((await held({ notify: unlike("0xffffffffffffffff", "0x100000002"), refuse }, probe)).stdout).toBe(
      `${0x100000002}\nEPERM\nEPERM\nEPERM\n`,
    );
    expect((await held({ notify: unlike("0xffffffff", "0x2"), refuse }, probe)).stdout).toBe(
      `${0x100000002}\n2\nEPERM\n${0x300000002}\n`,
    );
    expect((await held({ notify: unlike("0x700000000", "0x0"), refuse }, probe)).stdout).toBe(
      "EPERM\n2\nEPERM\nEPERM\n",
    );
  }, 60_000);
});

test.skipIf(process.arch !== "x64")("calls of foreign ABIs do not exist (needs x86-64)", async () => {
  const source = join(dir, "foreign.c");
  writeFileSync(
    source,
    `#define _GNU_SOURCE
    #include <stdio.h>
    #include <errno.h>
    #include <unistd.h>
    int main(int argc, char **argv) {
      long result;
      if (argc > 1) { /* getpid of x32 */
        result = syscall(0x40000000L | ${nr.getpid});
        result = result < 0 ? -errno : result;
      } else /* getpid of i386 */
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
      puts(result > 0 ? "ran" : result == -ENOSYS ? "ENOSYS" : "other");
      return 0;
    }`,
  );
  const program = join(dir, "foreign");
  expect((await run(["gcc", "-o", program, source])).stderr.toString()).toBe("");
  const held_i386 = await held({ notify: HOLD_EXEC }, [program]);
  expect((await held({ notify: HOLD_EXEC }, [program, "x32"])).stdout).toBe("ENOSYS\n");
  const direct = await run([program]);
  if (direct.code === 0) { // the way around every filter by number is there
    expect(direct.stdout.toString()).toBe("ran\n");
    expect(held_i386.stdout).toBe("ENOSYS\n");
  } else { // a kernel without the i386 ABI: SIGSEGV
    expect([direct.code, held_i386.code]).toEqual([139, 139]);
  }
}, 60_000);

describe("what cannot be held", () => {
  test("calls that the command makes before the guard answers are refused by the launcher", async () => {
    const result = await held({ notify: [{ nr: nr.read }] }, ["/bin/echo", "effect"]);
    expect([result.code, result.stdout]).toEqual([1, ""]);
    expect(result.stderr).toContain("stage config");
  }, 60_000);

  test("lists and tests out of bounds are refused before anything starts", () => {
    const encode = (notify: readonly NotifyRule[]): unknown =>
      encodeConfig({
        on_failure: "deny",
        closed_stdio: 0,
        blocked: 0n,
        ignored: 0n,
        fds: [],
        cwd: "",
        lost: "",
        cgroup: "",
        held: "",
        notify,
      });
    const good = { arg: 5, mask: 3n, value: 1n };
    expect(() => encode([{ nr: 1, when: [good] }])).not.toThrow();
    expect(() => encode(Array.from({ length: TESTS_MAX }, () => ({ nr: 1 })))).not.toThrow();
    expect(() => encode(Array.from({ length: TESTS_MAX + 1 }, () => ({ nr: 1 })))).toThrow("at most");
    for (
      const bad of [{ ...good, arg: 6 }, { ...good, value: 4n }, { ...good, mask: -1n }, { ...good, mask: 1n << 64n }, {
        arg: 0,
        mask: 0n,
        value: 0n,
        unlike: true as const,
      }]
    ) {
      expect(() => encode([{ nr: 1, when: [bad] }])).toThrow("correct the test");
    }
    expect(() => encode([{ nr: 1, when: [] }])).toThrow("empty list");
    expect(ANY_ARGUMENT).toBeGreaterThan(5);
  });
});

/** The interpreter itself: a shim of a version manager would be an exec of its own. */
async function python(): Promise<string> {
  return (await run(["python3", "-c", "import sys; print(sys.executable)"])).stdout.toString().trim();
}
