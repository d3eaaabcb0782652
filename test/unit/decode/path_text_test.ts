import { describe, expect, test } from "bun:test";
import { joinPath, normalPath } from "../../../lib/decode/mod.ts";

describe("joinPath", () => {
  test.each([
    ["/w", "a", "/w/a"],
    ["/w", "./a", "/w/a"],
    ["/w", "../a", "/a"],
    ["/w", "../../../a", "/a"],
    ["/w", "a/b/../c", "/w/a/c"],
    ["/w", "a//b", "/w/a/b"],
    ["/w", "a/", "/w/a"],
    ["/w", ".", "/w"],
    ["/w", "..", "/"],
    ["/w", "", "/w"],
    ["/", "a", "/a"],
    ["/w", "/x/../y", "/y"],
    ["", "/abs", "/abs"],
    ["", "rel", "rel"],
    ["", "", ""],
    ["/w", ".hidden", "/w/.hidden"],
    ["/w", "...", "/w/..."],
    ["/w/.git", "x", "/w/.git/x"],
    ["/w", "a..b", "/w/a..b"],
  ])("%j and %j give %j", (base, name, path) => {
    expect(joinPath(base, name)).toBe(path);
  });
});

describe("normalPath", () => {
  test.each([
    ["/", "/"],
    ["//", "/"],
    ["/.", "/"],
    ["/..", "/"],
    ["/a/", "/a"],
    ["/a/./b/", "/a/b"],
    ["/a/.b", "/a/.b"],
    ["/a/..b", "/a/..b"],
    ["/a/b../c", "/a/b../c"],
    ["/a/b/..", "/a"],
    ["///a///b", "/a/b"],
  ])("%j is %j", (path, normal) => {
    expect(normalPath(path)).toBe(normal);
  });
});
