import { expect, test } from "bun:test";
import { isWithin } from "../../../lib/core/mod.ts";

test.each([
  ["/a", "/a", true],
  ["/a/b", "/a", true],
  ["/ab", "/a", false],
  ["/a", "/a/b", false],
  ["/a", "/", true],
  ["/", "/", true],
  ["/", "/a", false],
])("%s is within %s: %s", (path, directory, expected) => {
  expect(isWithin(path, directory)).toBe(expected);
});
