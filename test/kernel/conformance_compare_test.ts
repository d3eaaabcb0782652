/** The comparison itself: it must notice what it is there to notice. Needs neither root nor the executable. */
import { describe, expect, test } from "bun:test";
import type { Action, Entry } from "../../lib/core/mod.ts";
import { parseStrace } from "../support/mod.ts";
import { compare, type Seen } from "./conformance/compare.ts";
import { type Expected, expectedActions } from "./conformance/expected.ts";

const hex = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("");

const quoted = (text: string): string => `"${hex(text)}"`;

/** The one expected action of a log of one line, which must not touch the file system. */
function mapped(line: string): readonly Expected[] {
  return expectedActions(parseStrace(`10 ${line}\n`), "/nonexistent/root").expected;
}

function seen(action: Action, process: { readonly pid: number; readonly exe?: string } = { pid: 10 }): Seen {
  const entry: Pick<Entry, "kind" | "action"> = { kind: "observation", action };
  // Only what the comparison reads: the rest of an entry says nothing about the action.
  const whole: Entry = JSON.parse(JSON.stringify({ ...entry, process: { start: "1", ...process } }));
  return { entry: whole, action, pid: process.pid };
}

const OPEN = `openat(AT_FDCWD<${hex("/nonexistent/root")}>, ${quoted("a")}, O_RDONLY) = 3<${hex("/real/a")}>`;
const READ: Action = { type: "file.read", path: "/real/a", requested_path: "a", result: "0" };

describe("compare", () => {
  const exact = { same_run: true };

  test("accepts the action that the line says", () => {
    expect(compare(mapped(OPEN), [seen(READ)], exact)).toEqual({ missing: [], invented: [] });
  });

  test("names what is missing", () => {
    expect(compare(mapped(OPEN), [], exact).missing.length).toBe(1);
  });

  test("names what is invented", () => {
    expect(compare([], [seen(READ)], exact).invented.length).toBe(1);
    expect(compare(mapped(OPEN), [seen(READ), seen(READ)], exact)).toMatchObject({ missing: [] });
    expect(compare(mapped(OPEN), [seen(READ), seen(READ)], exact).invented.length).toBe(1);
  });

  test.each<[string, Action, number]>([
    ["path", { ...READ, path: "/real/b" }, 10],
    ["requested path", { ...READ, requested_path: "./a" }, 10],
    ["result", { ...READ, result: "EACCES" }, 10],
    ["type", { ...READ, type: "file.write" }, 10],
    ["process", READ, 11],
  ])("sees another %s", (_field, action, pid) => {
    const { missing, invented } = compare(mapped(OPEN), [seen(action, { pid })], exact);
    expect([missing.length, invented.length]).toEqual([1, 1]);
  });

  test("takes a coalesced action apart, no further than its count", () => {
    const merged = seen({ type: "file.read", path: "/real", result: "0", count: 2, flags: ["coalesced"] });
    const one = mapped(OPEN);
    expect(compare([...one, ...one], [merged], exact)).toEqual({ missing: [], invented: [] });
    expect(compare([...one, ...one, ...one], [merged], exact).missing.length).toBe(1);
    expect(compare(one, [merged], exact).invented.length).toBe(1);
  });

  test("accepts a name that nothing resolved only where the action says so", () => {
    const line = `unlink(${quoted("../x")}) = 0`;
    const action: Action = { type: "file.delete", path: "/nonexistent/root/../x", requested_path: "../x", result: "0" };
    expect(compare(mapped(line), [seen(action)], exact).missing.length).toBe(1);
    expect(compare(mapped(line), [seen({ ...action, flags: ["requested_only"] })], exact).missing).toEqual([]);
    expect(compare(mapped(line), [seen({ ...action, path: "/nonexistent/x" })], exact).missing).toEqual([]);
  });
});

describe("mapping", () => {
  const type = (line: string): readonly string[] => mapped(line).map((one) => one.type);
  const open = (flags: string, result = `3<${hex("/nonexistent/root/f")}>`): string =>
    `open(${quoted("f")}, ${flags}, 0600) = ${result}`;

  test.each([
    [open("O_RDONLY"), ["file.read"]],
    [open("O_RDONLY|O_PATH"), ["file.read"]],
    [open("O_RDWR"), ["file.write"]],
    [open("O_WRONLY|O_CREAT"), ["file.create"]],
    [open("O_WRONLY|O_CREAT|O_EXCL", "-1 EEXIST (File exists)"), ["file.write"]],
    [open("O_WRONLY|O_CREAT", "-1 ENOENT (No such file or directory)"), ["file.create"]],
    [open("O_WRONLY|O_TRUNC"), ["file.truncate"]],
    [open("O_RDWR|O_TMPFILE"), ["file.create"]],
    [`unlinkat(AT_FDCWD<${hex("/nonexistent/root")}>, ${quoted("d")}, AT_REMOVEDIR) = 0`, ["file.rmdir"]],
    [`clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0} => {parent_tid=[11]}, 88) = 11`, []],
    [`clone3({flags=CLONE_VM|CLONE_VFORK, exit_signal=SIGCHLD}, 88) = 11`, ["process.fork"]],
    [`vfork() = 11`, ["process.fork"]],
    [`fork() = -1 EAGAIN (Resource temporarily unavailable)`, []],
    [`execve(${quoted("x")}, [${quoted("x")}], []) = -1 ENOENT (No such file or directory)`, ["exec.failed"]],
    [`+++ killed by SIGKILL +++`, ["process.exit"]],
  ])("%#: %s", (line, wanted) => {
    expect(type(line)).toEqual(wanted);
  });

  test("an existing file is written, not created", () => {
    const log = `10 ${open("O_WRONLY|O_CREAT")}\n10 ${open("O_WRONLY|O_CREAT")}\n`;
    const types = expectedActions(parseStrace(log), "/nonexistent/root").expected.map((one) => one.type);
    expect(types).toEqual(["file.create", "file.write"]);
  });

  test("an IPv4 address inside an IPv6 one is IPv4", () => {
    const to = `{sa_family=AF_INET6, sin6_port=htons(9), inet_pton(AF_INET6, ${
      quoted("::ffff:127.0.0.1")
    }, &sin6_addr)}`;
    const [sent] = mapped(`sendto(4<UDPv6:[7]>, ${quoted("x")}, 1, 0, ${to}, 28) = 1`);
    expect(sent).toMatchObject({ type: "net.send", protocol: "udp", address: "127.0.0.1", port: 9 });
  });

  test("an exec by another thread belongs to the process", () => {
    const log = [
      `10 clone3({flags=CLONE_THREAD}, 88) = 11`,
      `11 execve(${quoted("/nonexistent/x")}, [${quoted("x")}], [] <pid changed to 10 ...>`,
      `10 +++ superseded by execve in pid 11 +++`,
      `10 <... execve resumed>) = -1 ENOENT (No such file or directory)`,
      `10 +++ exited with 3 +++`,
    ].join("\n");
    const { expected } = expectedActions(parseStrace(log), "/nonexistent/root");
    expect(expected.map((one) => [one.pid, one.type])).toEqual([[10, "exec.failed"], [10, "process.exit"]]);
  });

  test("a line that nobody understands is an error", () => {
    expect(() => parseStrace("10 what is this\n")).toThrow("not a call");
    expect(() => mapped("getpid() = 10")).toThrow("no row in the table");
  });
});
