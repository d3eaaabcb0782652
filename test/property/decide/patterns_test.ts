/** Matching and normalising, against plain recursion. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { parsePathGlob, parseTextGlob } from "../../../lib/decide/glob.ts";
import { matchPathGlob, matchTextGlobs } from "../../../lib/decide/match.ts";
import { normalName } from "../../../lib/decide/names.ts";
import { normal, pathHolds, textGlobHolds } from "../../../lib/decide/reference_patterns.ts";
import { anchorsOf } from "../../../lib/decide/path_index.ts";
import { pathName, pathPattern } from "./arbitraries.ts";

const NO_EVENT = { time_us: 0, action: { type: "guard.scope" as const, detail: "" } };

test("path globs match what plain recursion matches", () => {
  fc.assert(
    fc.property(pathPattern, pathName, fc.boolean(), (pattern, raw, any_home) => {
      const globs = parsePathGlob(pattern);
      const name = normal(raw);
      if (!globs.ok) throw new Error(globs.error.message);
      const fast = globs.value.some((glob) => matchPathGlob(glob, name, { home: undefined, any_home }));
      expect(fast).toBe(pathHolds(globs.value, name, NO_EVENT, any_home ? "any" : "all"));
    }),
    { numRuns: 3_000 },
  );
});

test("text globs match what plain recursion matches", () => {
  const part = fc.constantFrom("a", "b", "*", "?", "[ab]", "[!a]", "{a,bb}", "\\*", "é", "😀", ".");
  const pattern = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join(""));
  const text = fc.array(fc.constantFrom("a", "b", "*", "é", "😀", "."), { maxLength: 7 }).map((parts) =>
    parts.join("")
  );
  let matched = 0;
  fc.assert(
    fc.property(pattern, text, (source, subject) => {
      const globs = parseTextGlob(source);
      if (!globs.ok) throw new Error(globs.error.message);
      const fast = matchTextGlobs(globs.value, subject);
      if (fast) matched++;
      expect(fast).toBe(globs.value.some((glob) => textGlobHolds(glob, subject)));
    }),
    { numRuns: 5_000 },
  );
  expect(matched).toBeGreaterThan(100);
});

test("every name that a glob matches has each anchor of the glob", () => {
  fc.assert(
    fc.property(pathPattern, pathName, (pattern, raw) => {
      const globs = parsePathGlob(pattern);
      const name = normal(raw);
      if (!globs.ok) throw new Error(globs.error.message);
      for (const glob of globs.value) {
        if (!matchPathGlob(glob, name, { home: "/home/u", any_home: false })) continue;
        const rest = glob.root === "home" ? name.slice("/home/u".length) : name;
        for (const anchor of anchorsOf(glob)) expect(rest).toContain(anchor.text);
      }
    }),
    { numRuns: 3_000 },
  );
});

test("a matching cost stays below the product of the lengths: stars do not multiply", () => {
  // Plain backtracking needs more than 10^20 steps for this; the test ends or times out.
  const pattern = parsePathGlob(`/${"a*".repeat(1_000)}b/**/${"**/a/".repeat(200)}c`);
  if (!pattern.ok) throw new Error(pattern.error.message);
  const name = `/${"a".repeat(4_000)}${"/a".repeat(2_000)}`;
  expect(pattern.value.some((glob) => matchPathGlob(glob, name, { home: undefined, any_home: false }))).toBe(false);
});

test("normalising names is the same as splitting and joining", () => {
  const piece = fc.constantFrom("/", "//", "a", ".", "..", ".a", "a.", "...");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), (pieces) => {
      const name = pieces.join("");
      expect(normalName(name)).toBe(normal(name));
      expect(normalName(normalName(name))).toBe(normalName(name));
    }),
    { numRuns: 2_000 },
  );
});
