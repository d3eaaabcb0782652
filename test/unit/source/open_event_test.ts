/** Which opens that fanotify shows are decided as reading. */
import { expect, test } from "bun:test";
import { opensForReading } from "../../../lib/source/mod.ts";

test.each([
  ["for reading", 0, true],
  ["for writing", 1, false],
  ["for both", 2, true],
  ["for both, made if it is not there", 0o102, true],
  ["for both, made", 0o302, false],
  ["for both, emptied", 0o1002, false],
  ["with the undefined mode", 3, true],
])("%s", (_how, open_flags, expected) => {
  expect(opensForReading({ open_flags, starts: false })).toBe(expected);
});

test("what cannot be told reads, and what starts does not", () => {
  expect(opensForReading({ starts: false })).toBe(true);
  expect(opensForReading({ open_flags: 0, starts: true })).toBe(false);
});
