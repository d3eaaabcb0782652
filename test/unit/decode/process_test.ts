import { describe, expect, test } from "bun:test";
import { AgExecFlag, AgFlag, AgScopeKind, AgVerdict } from "../../../probes/abi.gen.ts";
import { actionOf, decodeOne } from "./decode_one.ts";
import { argvBytes, bytesOf, execFailedRecord, execRecord, exitRecord, forkRecord, scopeRecord } from "./records.ts";

describe("exec", () => {
  test("a binary", () => {
    const decoded = decodeOne(execRecord({
      path: "/usr/bin/git",
      cwd: "/w/project",
      requested: "/usr/bin/git",
      cgroup: "agentguard/01ABC",
      argv: argvBytes(["git", "push", "--force"]),
      ppid: 17,
      parent_start_ns: 0xffff_ffff_ffff_fffen,
      uid: 1001,
    }));
    expect(decoded.action).toEqual({
      type: "exec",
      path: "/usr/bin/git",
      argv: ["git", "push", "--force"],
      cwd: "/w/project",
    });
    expect(decoded.facts).toEqual({
      kind: "exec",
      ppid: 17,
      parent_start: "18446744073709551614",
      uid: 1001,
      exe: "/usr/bin/git",
      cgroup: "agentguard/01ABC",
      agent_index: -1,
    });
    expect(decoded.kernel).toBeUndefined();
  });

  test("the requested name is kept where it differs", () => {
    expect(actionOf(execRecord({ path: "/usr/bin/dash", requested: "/bin/sh", argv: argvBytes(["sh"]) }))).toEqual({
      type: "exec",
      path: "/usr/bin/dash",
      requested_path: "/bin/sh",
      argv: ["sh"],
      cwd: "/w",
    });
  });

  test.each([
    ["./run.sh", "/w/run.sh", "./run.sh"],
    ["../run.sh", "/run.sh", "../run.sh"],
    ["/opt/run.sh", "/opt/run.sh", undefined],
  ])("a script started as %s is the action's path, its interpreter beside it", (requested, path, shown) => {
    const action = actionOf(execRecord({
      path: "/usr/bin/dash",
      requested,
      argv: argvBytes(["/bin/sh", requested]),
      exec_flags: AgExecFlag.SCRIPT,
    }));
    expect(action).toEqual({
      type: "exec",
      path,
      ...(shown === undefined ? {} : { requested_path: shown }),
      argv: ["/bin/sh", requested],
      cwd: "/w",
      interpreter: "/usr/bin/dash",
      flags: ["script"],
    });
  });

  test.each(
    [
      [0, AgExecFlag.MEMFD, "memfd"],
      [0, AgExecFlag.DELETED, "deleted"],
      [0, AgExecFlag.SETUID, "setuid"],
      [AgFlag.ARGS_TRUNCATED, 0, "args_truncated"],
      [AgFlag.PATH_TRUNCATED, 0, "path_truncated"],
    ] as const,
  )("header %d and exec flags %d give the flag %s", (flags, exec_flags, name) => {
    expect(actionOf(execRecord({ flags, exec_flags }))).toMatchObject({ flags: [name] });
  });

  test("what could not be had is absent and named", () => {
    expect(actionOf(execRecord({ path: "", cwd: "", requested: "" }))).toEqual({
      type: "exec",
      path: "",
      argv: ["true"],
      missing: ["path", "cwd", "requested_path"],
    });
  });

  test.each([
    [[], []],
    [[""], [""]],
    [["a", "", "b", ""], ["a", "", "b", ""]],
    [["sp ace", "nl\n", "\u00e9\u{1F600}"], ["sp ace", "nl\n", "\u00e9\u{1F600}"]],
  ])("argv %j", (argv, expected) => {
    expect(actionOf(execRecord({ argv: argvBytes(argv) }))).toMatchObject({ argv: expected });
  });

  test("argv that was cut has no final NUL; broken UTF-8 becomes U+FFFD", () => {
    expect(actionOf(execRecord({ argv: bytesOf("one\0tw") }))).toMatchObject({ argv: ["one", "tw"] });
    expect(actionOf(execRecord({ argv: new Uint8Array([0x61, 0xc3, 0, 0xff, 0]) }))).toMatchObject({
      argv: ["a\ufffd", "\ufffd"],
    });
  });

  test.each(
    [
      [AgVerdict.ALLOW, { verdict: "allow", rule_index: -1, generation: 4, effect: "none" }],
      [AgVerdict.DENY, { verdict: "deny", rule_index: -1, generation: 4, effect: "killed" }],
    ] as const,
  )("the kernel's verdict %d", (verdict, expected) => {
    expect(decodeOne(execRecord({ verdict, generation: 4 })).kernel).toEqual(expected);
  });

  test("an agent's index counts only where the kernel began a scope", () => {
    expect(decodeOne(execRecord({ agent_index: 2 })).facts).toMatchObject({ agent_index: -1 });
    expect(decodeOne(execRecord({ agent_index: 2, flags: AgFlag.AGENT_START })).facts).toMatchObject({
      agent_index: 2,
    });
  });
});

describe("exec.failed", () => {
  test.each([[-2, "ENOENT"], [-13, "EACCES"], [-8, "ENOEXEC"], [-999, "errno 999"]])("result %d", (result, errno) => {
    expect(actionOf(execFailedRecord({ result, base: "/w", requested: "tool" }))).toEqual({
      type: "exec.failed",
      requested_path: "tool",
      errno,
    });
  });

  test("a name that could not be read is named as missing", () => {
    expect(actionOf(execFailedRecord({ result: -14, requested: "", flags: AgFlag.REQUESTED_FAULT }))).toEqual({
      type: "exec.failed",
      missing: ["requested_path"],
      errno: "EFAULT",
    });
  });
});

test("fork", () => {
  const decoded = decodeOne(forkRecord({ child_pid: 900, child_start_ns: 9_007_199_254_740_993n, uid: 5 }));
  expect(decoded.action).toEqual({ type: "process.fork", child: { pid: 900, start: "9007199254740993" } });
  expect(decoded.facts).toEqual({ kind: "fork", child_pid: 900, child_start: "9007199254740993", uid: 5 });
});

describe("exit", () => {
  test.each([
    [0, { exit_code: 0 }],
    [1 << 8, { exit_code: 1 }],
    [255 << 8, { exit_code: 255 }],
    [9, { signal: 9 }],
    [15, { signal: 15 }],
    [64, { signal: 64 }],
    [11 | 0x80, { signal: 11 }],
  ])("wait status %d", (wait_status, expected) => {
    expect(actionOf(exitRecord({ wait_status }))).toEqual({ type: "process.exit", ...expected });
  });
});

test.each(
  [
    [AgScopeKind.LEFT_CGROUP, false, "left the session's cgroup for /user.slice"],
    [AgScopeKind.ENTERED_CGROUP, true, "entered the session's cgroup /user.slice from outside"],
  ] as const,
)("scope change %d", (kind, entered, detail) => {
  const decoded = decodeOne(scopeRecord({ kind, path: "/user.slice" }));
  expect(decoded.action).toEqual({ type: "guard.scope", detail });
  expect(decoded.facts).toEqual({ kind: "scope", entered, cgroup: "/user.slice" });
});
