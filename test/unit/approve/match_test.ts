/** What standing grants cover, and what they never do. */
import { describe, expect, test } from "bun:test";
import type { Action, ExecAction, NetAction } from "../../../lib/core/mod.ts";
import { covers, describeSubject, grantSubject, matchHint, whyNotStanding } from "../../../lib/approve/match.ts";

const exec = (argv: readonly string[], fields: Partial<ExecAction> = {}): ExecAction => ({
  type: "exec",
  path: "/usr/bin/cargo",
  argv,
  ...fields,
});
const read = (path: string): Action => ({ type: "file.read", path, result: "0" });
const connect = (fields: Partial<NetAction> = {}): NetAction => ({
  type: "net.connect",
  protocol: "tcp",
  address: "192.0.2.7",
  host: "api.example.com",
  port: 443,
  ...fields,
});

/** True if a grant made for `first` with this pattern answers `second`; the error where there is no such grant. */
function answersWith(first: Action, match: string | undefined, second: Action): boolean | string {
  const subject = grantSubject(first, match);
  return subject.ok ? covers(subject.value, second) : subject.error;
}

describe("commands", () => {
  const build = exec(["cargo", "build"]);
  test.each<[string, string | undefined, Action, boolean]>([
    ["the same", undefined, build, true],
    ["the same with another result of the guard's own", undefined, { ...build, missing: ["cwd"] }, true],
    ["one byte more", undefined, exec(["cargo", "build "]), false],
    ["another directory", undefined, { ...build, cwd: "/tmp" }, false],
    ["words, exactly", "build", build, true],
    ["words, and another one", "build", exec(["cargo", "build", "--release"]), false],
    ["a last star: more words", "build *", exec(["cargo", "build", "--release", "-v"]), true],
    ["a last star: no words", "build *", build, true],
    ["a star alone: any words", "*", exec(["cargo"]), true],
    ["a star inside is one word", "* build", exec(["cargo", "+nightly", "build"]), false],
    ["another program of the same name", "build *", exec(["cargo", "build"], { path: "/tmp/cargo" }), false],
    ["the same program by another name", "build *", exec(["rustup", "build"]), false],
    ["behind another interpreter", "build *", exec(["cargo", "build"], { interpreter: "/tmp/sh" }), false],
    ["a program from memory", "build *", exec(["cargo", "build"], { flags: ["memfd"] }), false],
    ["cut arguments", "*", exec(["cargo", "build"], { flags: ["args_truncated"] }), false],
    ["an argument with a slash", "build *", exec(["cargo", "build", "../x"]), true],
  ])("%s", (_name, match, second, expected) => {
    expect(answersWith(match === "* build" ? exec(["cargo", "x", "build"]) : build, match, second)).toBe(
      match === "* build" ? true : expected,
    );
  });

  test.each([";", "&&", "a&b", "||", "|", "$(id)", "`id`", "a\nb", ">f", "<f"])("never with %j", (word) => {
    const risky = exec(["cargo", "build", word]);
    expect(answersWith(build, "build *", risky)).toBe(false);
    expect(answersWith(risky, undefined, risky)).toContain("only once");
    expect(matchHint(risky)).toBeUndefined();
  });

  test("a pattern must cover what is asked about", () => {
    expect(answersWith(build, "test *", build)).toContain("covers the action");
    expect(answersWith(build, "", build)).toContain("1 to 1024");
    expect(answersWith(build, "a\u001b", build)).toContain("control characters");
  });
});

describe("files", () => {
  test.each<[string, string, boolean | string]>([
    ["/w/src/**", "/w/src/a/b.ts", true],
    ["/w/src/**", "/w/srcs", false],
    ["/w/src/*.ts", "/w/src/a/b.ts", false],
    ["/w/**/*.ts", "/w/x/y/b.ts", true],
    ["/w/**/*.ts", "/w/x/y/b.tsx", false],
    ["/w/../etc/**", "/w/src/a.ts", "use an absolute path without .. as the pattern"],
    ["w/**", "/w/src/a.ts", "use an absolute path without .. as the pattern"],
  ])("%s and %s", (glob, path, expected) => {
    expect(answersWith(read("/w/src/a.ts"), glob, read(path))).toBe(expected);
  });

  test("reading is not writing, writing is not deleting, and .. never matches", () => {
    const subject = grantSubject({ type: "file.write", path: "/w/a", result: "0" }, "/w/**");
    if (!subject.ok) throw new Error(subject.error);
    const types = (["file.read", "file.write", "file.create", "file.truncate"] as const).map((type) =>
      covers(subject.value, { type, path: "/w/b", result: "0" })
    );
    expect(types).toEqual([false, true, true, true]);
    expect(covers(subject.value, { type: "file.delete", path: "/w/b", result: "0" })).toBe(false);
    expect(covers(subject.value, { type: "file.write", path: "/w/../etc/passwd", result: "0" })).toBe(false);
    expect(covers(subject.value, { type: "file.write", path: "/w/b", result: "0", flags: ["path_truncated"] })).toBe(
      false,
    );
    expect(whyNotStanding(read("/w/\u{FFFD}"))).toContain("no text");
    expect(whyNotStanding(read("/w/../x"))).toContain("..");
  });

  test("a pattern of many stars on a long path ends", () => {
    const path = `/${"a".repeat(4_000)}`;
    expect(answersWith(read(path), `/${"a*".repeat(400)}`, read(`${path}b/`))).toBe(false);
  });

  test("a rename can be granted only exactly", () => {
    const rename: Action = { type: "file.rename", path: "/a", new_path: "/b", result: "0" };
    expect(answersWith(rename, undefined, rename)).toBe(true);
    expect(answersWith(rename, "/**", rename)).toContain("without a pattern");
    expect(matchHint(rename)).toBeUndefined();
  });
});

describe("networks and tools", () => {
  test.each<[string, NetAction, boolean | string]>([
    ["api.example.com:443", connect({ address: "192.0.2.8" }), true],
    ["api.example.com", connect({ port: 80 }), false],
    ["api.example.com:*", connect({ port: 80 }), true],
    ["api.example.com:80,443", connect({ port: 80 }), true],
    ["api.example.com:*", connect({ host: "evil.example.com" }), false],
    ["api.example.com:*", connect({ protocol: "udp" }), false],
    ["192.0.2.7:443", connect({ host: "other" }), true],
    ["*.example.com", connect(), "use a whole host or address in the pattern: HOST:PORT, HOST:80,443 or HOST:*"],
  ])("%s", (match, second, expected) => {
    expect(answersWith(connect(), match, second)).toBe(expected);
  });

  test("a tool, and all tools of its server", () => {
    const call = (tool: string, server?: string): Action => ({
      type: "tool.call",
      tool,
      source: "mcp",
      args: { a: tool },
      ...(server === undefined ? {} : { server }),
    });
    expect(answersWith(call("write", "fs"), "write", { ...call("write", "fs"), args: {} } as Action)).toBe(true);
    expect(answersWith(call("write", "fs"), "write", call("read", "fs"))).toBe(false);
    expect(answersWith(call("write", "fs"), "*", call("read", "fs"))).toBe(true);
    expect(answersWith(call("write", "fs"), "*", call("read", "web"))).toBe(false);
  });
});

test("hints are patterns that work, and descriptions are words", () => {
  const actions: readonly Action[] = [
    exec(["cargo", "build"]),
    exec(["cargo"]),
    read("/w/src/a.ts"),
    connect(),
    { type: "tool.call", tool: "write", source: "mcp" },
  ];
  const described = actions.map((action) => {
    const subject = grantSubject(action, matchHint(action));
    if (!subject.ok) throw new Error(subject.error);
    return describeSubject(subject.value);
  });
  expect(described).toEqual([
    "/usr/bin/cargo build *",
    "/usr/bin/cargo *",
    "file.read /w/src/**",
    "net.connect tcp api.example.com:443",
    "tool write (mcp)",
  ]);
});
