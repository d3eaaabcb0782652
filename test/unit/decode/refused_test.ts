import { describe, expect, test } from "bun:test";
import { AgFileAction, AgOp, AgRefused, AgRefusedFlag } from "../../../probes/abi.gen.ts";
import { decodeOne } from "./decode_one.ts";
import { bytesOf, record } from "./records.ts";

interface Fields {
  readonly action: number;
  readonly path?: string;
  readonly second?: string;
  readonly flags?: number;
  readonly detail?: number;
  readonly target?: number;
}

function refused({ action, path = "", second = "", flags = 0, detail = 0, target = 0 }: Fields): Uint8Array {
  return record(AgOp.REFUSED, AgRefused.SIZE, {
    tail: [path, second],
    fill: (view) => {
      view.setUint32(AgRefused.action, action, true);
      view.setInt32(AgRefused.rule_index, 4, true);
      view.setUint32(AgRefused.generation, 9, true);
      view.setUint32(AgRefused.flags, flags, true);
      view.setUint32(AgRefused.detail, detail, true);
      view.setUint32(AgRefused.target, target, true);
      view.setUint16(AgRefused.path_bytes, bytesOf(path).length, true);
      view.setUint16(AgRefused.new_path_bytes, bytesOf(second).length, true);
    },
  });
}

describe("a refusal of a security hook", () => {
  test.each(
    [
      [AgFileAction.READ, { type: "file.read", path: "/a", result: "EPERM" }],
      [AgFileAction.WRITE, { type: "file.write", path: "/a", result: "EPERM" }],
      [AgFileAction.CREATE, { type: "file.create", path: "/a", result: "EPERM" }],
      [AgFileAction.TRUNCATE, { type: "file.truncate", path: "/a", result: "EPERM" }],
      [AgFileAction.DELETE, { type: "file.delete", path: "/a", result: "EPERM" }],
      [AgFileAction.MKDIR, { type: "file.mkdir", path: "/a", result: "EPERM" }],
      [AgFileAction.RMDIR, { type: "file.rmdir", path: "/a", result: "EPERM" }],
      [AgFileAction.CHMOD, { type: "file.chmod", path: "/a", result: "EPERM" }],
      [AgFileAction.CHOWN, { type: "file.chown", path: "/a", result: "EPERM" }],
      [AgFileAction.MKNOD, { type: "file.mknod", path: "/a", result: "EPERM" }],
      [AgFileAction.RENAME, { type: "file.rename", path: "/a", new_path: "/b", result: "EPERM" }],
      [AgFileAction.LINK, { type: "file.link", path: "/a", new_path: "/b", result: "EPERM" }],
      [AgFileAction.SYMLINK, { type: "file.symlink", path: "", new_path: "/a", missing: ["path"], result: "EPERM" }],
      [AgFileAction.UNIX_CONNECT, { type: "unix.connect", path: "/a", result: "EPERM" }],
      [AgFileAction.EXEC, { type: "exec", path: "/a", requested_path: "/b", argv: [], missing: ["argv"] }],
      [AgFileAction.MAP_EXEC, { type: "exec", path: "/a", requested_path: "/b", argv: [], missing: ["argv"] }],
    ] as const,
  )("action %d", (action, expected) => {
    const observed = decodeOne(refused({ action, path: "/a", second: "/b" }));
    expect(observed?.action as unknown).toEqual(expected);
    expect(observed?.kernel).toEqual({
      verdict: "deny",
      rule_index: 4,
      generation: 9,
      effect: "refused",
      mechanism: "lsm",
    });
  });

  test("another name of a rule's object, and a path that nobody can compare, are said", () => {
    const by_object = decodeOne(refused({ action: AgFileAction.READ, path: "/a", flags: AgRefusedFlag.OBJECT }));
    expect(by_object?.kernel).toMatchObject({ by_object: true });
    const undecidable = decodeOne(refused({ action: AgFileAction.READ, path: "/a", flags: AgRefusedFlag.UNDECIDABLE }));
    expect(undecidable?.kernel?.why).toContain("deeper or longer");
  });

  test.each(
    [
      [AgFileAction.SIGNAL, 77, "signal to the guard (pid 77, 9)"],
      [AgFileAction.TRACE, 77, "access to the guard's memory or descriptors (pid 77, 9)"],
      [AgFileAction.BPF, 0, "bpf system call (command 9)"],
      [AgFileAction.CONTROL, 77, "limits, priority or processors of the guard (pid 77, 9)"],
      [AgFileAction.CGROUP, 0, "change of a cgroup (command 9)"],
    ] as const,
  )("action %d is an attack on the guard", (action, target, detail) => {
    const observed = decodeOne(refused({ action, target, detail: 9 }));
    expect(observed?.action).toEqual({ type: "guard.tamper", detail });
    const named = decodeOne(refused({ action, target, detail: 9, path: "/a" }));
    expect(named?.action).toEqual({ type: "guard.tamper", detail: detail.replace(/\(.*/, "(/a)") });
    expect(observed?.kernel?.why).toBe("the guard protects itself");
  });

  test("an unknown action is a decode error", () => {
    expect(() => decodeOne(refused({ action: 99 }))).toThrow("field");
  });
});
