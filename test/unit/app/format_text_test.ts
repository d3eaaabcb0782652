import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  escapeMessage,
  escapeText,
  formatArgv,
  formatDuration,
  formatTable,
  formatWord,
  painter,
} from "../../../lib/app/format_text.ts";

/** Everything that may move the cursor, colour, reorder, hide or end a line. */
const ACTIVE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Variation_Selector}]/u;

describe("escapeText", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["plain /usr/bin/git", "plain /usr/bin/git"],
    ["umlaut ä, 漢字, 😀", "umlaut ä, 漢字, 😀"],
    ["a\nb\r\tc", "a\\nb\\r\\tc"],
    ["\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"],
    ["\x1b]0;title\x07", "\\x1b]0;title\\x07"],
    ["\x9b2J", "\\x9b2J"],
    ["\0\x7f", "\\x00\\x7f"],
    ["\u202egnp.exe", "\\u{202e}gnp.exe"],
    ["\u2066\u2069\u200f", "\\u{2066}\\u{2069}\\u{200f}"],
    ["zero\u200bwidth\ufeff", "zero\\u{200b}width\\u{feff}"],
    ["\u2028\u2029", "\\u{2028}\\u{2029}"],
    ["\ud800", "\\u{d800}"],
    ["\u{e0041}", "\\u{e0041}"],
    ["back\\slash", "back\\\\slash"],
    ["\\x1b", "\\\\x1b"],
  ];
  test.each([...cases])("%j", (text, shown) => {
    expect(escapeText(text)).toBe(shown);
  });

  test("cuts, and says so", () => {
    expect(escapeText("abcdefghij", 10)).toBe("abcdefghij");
    expect(escapeText("abcdefghijk", 10)).toBe("abcdefg...");
    expect(escapeText("😀".repeat(10), 10).isWellFormed()).toBe(true);
  });

  test("for any text: nothing active, bounded, different texts stay different", () => {
    const text = fc.string({ unit: "binary" });
    fc.assert(fc.property(text, (any) => {
      expect(escapeText(any)).not.toMatch(ACTIVE);
      expect(escapeText(any, 20).length).toBeLessThanOrEqual(20);
      expect(escapeMessage(any)).not.toMatch(ACTIVE);
      expect(formatWord(any)).not.toMatch(ACTIVE);
    }));
    fc.assert(fc.property(text, text, (a, b) => a === b || escapeText(a) !== escapeText(b)));
  });
});

test("escapeMessage leaves backslashes", () => {
  expect(escapeMessage('"a\\nb" \x1b')).toBe('"a\\nb" \\x1b');
});

describe("formatWord", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["--force", "--force"],
    ["a b", "'a b'"],
    ["", "''"],
    ["it's", "'it\\'s'"],
    ["$(x)", "'$(x)'"],
    ["a\nb", "'a\\nb'"],
  ];
  test.each([...cases])("%j", (word, shown) => {
    expect(formatWord(word)).toBe(shown);
  });
});

describe("formatArgv", () => {
  test("fits", () => {
    expect(formatArgv(["git", "push", "a b"], 40)).toBe("git push 'a b'");
    expect(formatArgv([], 40)).toBe("");
  });

  test("counts what does not fit", () => {
    expect(formatArgv(["git", "push", "origin", "main"], 10)).toBe("git push (+2 more)");
    expect(formatArgv(["x".repeat(100), "y"], 20)).toBe(`${"x".repeat(17)}... (+1 more)`);
  });

  test("is bounded for any command line", () => {
    fc.assert(fc.property(fc.array(fc.string({ maxLength: 300 }), { maxLength: 50 }), (argv) => {
      expect(formatArgv(argv, 60).length).toBeLessThanOrEqual(60 + " (+50 more)".length);
    }));
  });
});

describe("formatDuration", () => {
  const cases: readonly (readonly [number, string])[] = [
    [0, "0.000s"],
    [250, "0.250s"],
    [1_000, "1s"],
    [61_000, "1m 1s"],
    [3_600_000, "1h 0m"],
    [90_061_000, "1d 1h"],
  ];
  test.each([...cases])("%i ms", (duration_ms, shown) => {
    expect(formatDuration(duration_ms)).toBe(shown);
  });
});

describe("painter", () => {
  test("colours only on a terminal without NO_COLOR", () => {
    expect(painter({ isTty: true, env: {} })("red", "x")).toBe("\x1b[31mx\x1b[39m");
    expect(painter({ isTty: true, env: { NO_COLOR: "" } })("red", "x")).toBe("\x1b[31mx\x1b[39m");
    expect(painter({ isTty: true, env: { NO_COLOR: "1" } })("red", "x")).toBe("x");
    expect(painter({ isTty: true, env: { TERM: "dumb" } })("red", "x")).toBe("x");
    expect(painter({ isTty: false, env: {} })("red", "x")).toBe("x");
  });
});

test("formatTable aligns and leaves no spaces at the end", () => {
  expect(formatTable([["a", "bb"], ["ccc", ""]])).toEqual(["a    bb", "ccc"]);
});
