import { describe, expect, test } from "bun:test";
import { AgFlag, AgMoveAction, AgPathAction } from "../../../probes/abi.gen.ts";
import { actionOf, decodeOne } from "./decode_one.ts";
import { closeRecord, moveRecord, openRecord, pathRecord } from "./records.ts";

const O_WRONLY = 1;
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
const O_PATH = 0o10000000;
const O_DIRECTORY = 0o200000;
const O_TMPFILE = 0o20000000 | O_DIRECTORY;
const BASE = AgFlag.BASE;

describe("open: what it is", () => {
  test.each([
    ["read only", 0, 3, false, "file.read"],
    ["a directory", O_DIRECTORY, 3, false, "file.read"],
    ["a place only", O_PATH, 3, false, "file.read"],
    ["access mode 3, which only ioctl may use", 3, 3, false, "file.read"],
    ["write only", O_WRONLY, 3, false, "file.write"],
    ["read and write", O_RDWR, 3, false, "file.write"],
    ["append", O_WRONLY | O_APPEND, 3, false, "file.write"],
    ["create, but it was there", O_WRONLY | O_CREAT, 3, false, "file.write"],
    ["create, and it was not there", O_WRONLY | O_CREAT, 3, true, "file.create"],
    ["create and truncate, and it was not there", O_WRONLY | O_CREAT | O_TRUNC, 3, true, "file.create"],
    ["create and truncate, but it was there", O_WRONLY | O_CREAT | O_TRUNC, 3, false, "file.truncate"],
    ["truncate", O_WRONLY | O_TRUNC, 3, false, "file.truncate"],
    ["a file without a name", O_RDWR | O_TMPFILE, 3, false, "file.create"],
    ["create refused", O_WRONLY | O_CREAT, -13, false, "file.create"],
    ["create refused because it was there", O_WRONLY | O_CREAT | O_EXCL, -17, false, "file.write"],
    ["truncate refused", O_WRONLY | O_TRUNC, -13, false, "file.truncate"],
    ["write refused", O_WRONLY, -30, false, "file.write"],
    ["read refused", 0, -13, false, "file.read"],
  ])("%s", (_, open_flags, result, created, type) => {
    const flags = result < 0 ? BASE : 0;
    const path = result < 0 ? "" : "/etc/hosts";
    expect(actionOf(openRecord({ open_flags, result, created, flags, path }))).toMatchObject({
      type,
      path: "/etc/hosts",
      result: result < 0 ? expect.stringMatching(/^E[A-Z]+$/) : "0",
    });
  });
});

describe("open: names and flags", () => {
  test("a success has the kernel's path, the requested one where it differs, and the file's identity", () => {
    const decoded = decodeOne(openRecord({
      path: "/usr/lib/x",
      requested: "../lib/x",
      base: "/usr/share",
      ino: 0x1f_0000_0001n,
      dev: 0xfd00001,
      result: 4,
    }));
    expect(decoded.action).toEqual({
      type: "file.read",
      path: "/usr/lib/x",
      requested_path: "../lib/x",
      result: "0",
    });
    expect(decoded.facts).toEqual({
      kind: "open",
      dev: 0xfd00001,
      ino: 0x1f_0000_0001,
      opened: true,
      base: "/usr/share",
    });
  });

  test("an equal requested path is not repeated", () => {
    expect(actionOf(openRecord())).toEqual({ type: "file.read", path: "/etc/hosts", result: "0" });
  });

  test("paths of equal length that differ in the last byte are told apart", () => {
    expect(actionOf(openRecord({ path: "/etc/hosta", requested: "/etc/hostb" }))).toMatchObject({
      path: "/etc/hosta",
      requested_path: "/etc/hostb",
    });
  });

  test("a failure has the requested path made absolute", () => {
    const decoded = decodeOne(
      openRecord({ path: "/w/p", requested: "../x/./y", flags: BASE, result: -2, ino: 0n, dev: 0 }),
    );
    expect(decoded.action).toEqual({
      type: "file.read",
      path: "/w/x/y",
      requested_path: "../x/./y",
      result: "ENOENT",
    });
    expect(decoded.facts).toEqual({ kind: "open", dev: 0, ino: 0, opened: false, base: "/w/p" });
  });

  test("a success without a path that could be read keeps the request and says so", () => {
    expect(actionOf(openRecord({ path: "", requested: "/proc/self/fd/3" }))).toEqual({
      type: "file.read",
      path: "/proc/self/fd/3",
      flags: ["requested_only"],
      result: "0",
    });
  });

  test("a requested path that could not be read is named as missing", () => {
    expect(actionOf(openRecord({ requested: "", flags: AgFlag.REQUESTED_FAULT }))).toEqual({
      type: "file.read",
      path: "/etc/hosts",
      missing: ["requested_path"],
      result: "0",
    });
  });

  test.each([
    [O_WRONLY | O_APPEND, 0, ["append"]],
    [O_RDWR, 0, ["reads"]],
    [O_RDWR | O_APPEND, 0, ["append", "reads"]],
    [O_RDWR | O_TMPFILE, AgFlag.UNHASHED, ["tmpfile"]],
    [0, AgFlag.UNHASHED, ["deleted"]],
    [0, AgFlag.PATH_TRUNCATED, ["path_truncated"]],
    [O_WRONLY | O_APPEND, AgFlag.UNHASHED | AgFlag.PATH_TRUNCATED, ["append", "deleted", "path_truncated"]],
  ])("open flags %d with header flags %d", (open_flags, flags, expected) => {
    expect(actionOf(openRecord({ open_flags, flags }))).toMatchObject({ flags: expected });
  });

  test("names that are no UTF-8 are shown with U+FFFD and still compared as bytes", () => {
    const a = new Uint8Array([0x2f, 0xff]);
    const b = new Uint8Array([0x2f, 0xfe]);
    expect(actionOf(openRecord({ path: a, requested: a }))).toEqual({
      type: "file.read",
      path: "/\ufffd",
      result: "0",
    });
    expect(actionOf(openRecord({ path: a, requested: b }))).toMatchObject({ path: "/\ufffd" });
  });
});

test("close: bytes beyond 32 bits are exact", () => {
  const decoded = decodeOne(
    closeRecord({ ino: 1n, dev: 2, fd: 1023, read_bytes: 0x2_0000_0001n, written_bytes: 0x1f_ffff_ffff_ffffn }),
  );
  expect(decoded.action).toBeUndefined();
  expect(decoded.facts).toEqual({
    kind: "close",
    fd: 1023,
    dev: 2,
    ino: 1,
    read_bytes: 0x2_0000_0001,
    written_bytes: Number.MAX_SAFE_INTEGER,
  });
});

describe("one name", () => {
  test.each(
    [
      [AgPathAction.DELETE, "file.delete", {}],
      [AgPathAction.RMDIR, "file.rmdir", {}],
      [AgPathAction.MKDIR, "file.mkdir", { mode: "0755" }],
      [AgPathAction.CHMOD, "file.chmod", { mode: "0755" }],
      [AgPathAction.CHOWN, "file.chown", { owner: "1000:-1" }],
      [AgPathAction.TRUNCATE, "file.truncate", {}],
      [AgPathAction.MKNOD, "file.mknod", { mode: "0755" }],
    ] as const,
  )("action %d is %s", (action, type, more) => {
    const decoded = decodeOne(
      pathRecord({ action, path: "/w", requested: "a/../b", flags: BASE, mode: 0o100755, uid: 1000 }),
    );
    expect(decoded.action).toEqual({
      type,
      path: "/w/b",
      requested_path: "a/../b",
      flags: ["requested_only"],
      result: "0",
      ...more,
    });
    expect(decoded.facts).toEqual({ kind: "names", base: "/w" });
  });

  test("an lchown says that a final link is not followed", () => {
    const decoded = decodeOne(
      pathRecord({ action: AgPathAction.LCHOWN, requested: "/l", flags: BASE, uid: 1, gid: 2 }),
    );
    expect(decoded.action).toMatchObject({ type: "file.chown", path: "/l", owner: "1:2" });
    expect(decoded.facts).toEqual({ kind: "names", nofollow: true });
  });

  test.each([0, 100, 4_294_967_295])("action %d is refused", (action) => {
    expect(() => decodeOne(pathRecord({ action, path: "/w" }))).toThrow("field");
  });

  test.each([[0o4755, "04755"], [0, "00"], [0o7777, "07777"]])("mode %o", (mode, text) => {
    expect(actionOf(pathRecord({ action: AgPathAction.CHMOD, path: "/a", mode }))).toMatchObject({ mode: text });
  });

  test("by descriptor the kernel's path is the object's", () => {
    const decoded = decodeOne(pathRecord({ action: AgPathAction.CHOWN, path: "/w/f", uid: 0, gid: 0 }));
    expect(decoded.action).toEqual({ type: "file.chown", path: "/w/f", result: "0", owner: "0:0" });
    expect(decoded.facts).toEqual({ kind: "plain" });
  });

  test("by descriptor on a file without a name", () => {
    const bytes = pathRecord({ action: AgPathAction.TRUNCATE, path: "/w/f", flags: AgFlag.UNHASHED });
    expect(actionOf(bytes)).toMatchObject({ flags: ["deleted"] });
  });

  test("an absolute request equal to the path is not repeated; results are named", () => {
    const bytes = pathRecord({ action: AgPathAction.DELETE, requested: "/a/b", flags: BASE, result: -39 });
    expect(actionOf(bytes)).toEqual({
      type: "file.delete",
      path: "/a/b",
      flags: ["requested_only"],
      result: "ENOTEMPTY",
    });
  });

  test("a name that could not be read is named as missing", () => {
    const flags = BASE | AgFlag.REQUESTED_FAULT;
    expect(actionOf(pathRecord({ action: AgPathAction.DELETE, path: "/w", flags, result: -14 }))).toMatchObject({
      missing: ["requested_path"],
      result: "EFAULT",
    });
  });
});

describe("two names", () => {
  const BOTH = BASE | AgFlag.BASE2;

  test.each(
    [
      [AgMoveAction.RENAME, "file.rename"],
      [AgMoveAction.LINK, "file.link"],
    ] as const,
  )("action %d is %s, both names joined to their own base", (action, type) => {
    const decoded = decodeOne(
      moveRecord({ action, path: "/a", requested: "x", new_path: "/b/c", new_requested: "../y", flags: BOTH }),
    );
    expect(decoded.action).toEqual({
      type,
      path: "/a/x",
      new_path: "/b/y",
      requested_path: "x",
      requested_new_path: "../y",
      flags: ["requested_only"],
      result: "0",
    });
    expect(decoded.facts).toEqual({ kind: "names", base: "/a", new_base: "/b/c" });
  });

  test("absolute names need no base and are not repeated", () => {
    const bytes = moveRecord({ action: 1, requested: "/a/x", new_requested: "/b/y", flags: BOTH, result: -18 });
    expect(actionOf(bytes)).toEqual({
      type: "file.rename",
      path: "/a/x",
      new_path: "/b/y",
      flags: ["requested_only"],
      result: "EXDEV",
    });
  });

  test("the target of a symbolic link is text, not a name", () => {
    const bytes = moveRecord({
      action: AgMoveAction.SYMLINK,
      requested: "../../etc/./passwd",
      new_path: "/w",
      new_requested: "l",
      flags: BOTH,
    });
    expect(actionOf(bytes)).toEqual({
      type: "file.symlink",
      path: "../../etc/./passwd",
      new_path: "/w/l",
      requested_new_path: "l",
      flags: ["requested_only"],
      result: "0",
    });
  });

  test("a link made from a descriptor has the kernel's path", () => {
    const bytes = moveRecord({
      action: AgMoveAction.LINK,
      path: "/w/open",
      new_requested: "/w/new",
      flags: AgFlag.BASE2 | AgFlag.UNHASHED,
    });
    expect(actionOf(bytes)).toMatchObject({ type: "file.link", path: "/w/open", new_path: "/w/new" });
    expect(actionOf(bytes)).not.toHaveProperty("requested_path");
  });

  test.each([0, 4])("action %d is refused", (action) => {
    expect(() => decodeOne(moveRecord({ action }))).toThrow("field");
  });

  test("lengths beyond the record are cut", () => {
    const bytes = moveRecord({ action: 1, requested: "/a", new_requested: "/b", flags: BOTH });
    new DataView(bytes.buffer).setUint16(62, 60_000, true);
    expect(actionOf(bytes)).toMatchObject({ path: "/a", new_path: "/b" });
  });
});
