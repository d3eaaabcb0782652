/** What loading does, and what it leaves for later. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { loadPolicy, lower } from "../../../lib/decide/mod.ts";
import { parsePathGlob, parseTextGlob } from "../../../lib/decide/glob.ts";
import { SourceMap, SourcePath } from "../../../lib/decide/source_path.ts";
import { enforcing, event, exec, read, rule } from "./support.ts";

const source = (text: string): { readonly file: string; readonly bytes: Uint8Array } => ({
  file: "p.toml",
  bytes: new TextEncoder().encode(text),
});

describe("a load for one part", () => {
  const good = enforcing(rule("r", 'action = "file.read"\npath = "/s/**"\nverdict = "deny"'));
  const failing = `${good}\nmatch = [{ path = "/other" }]`;

  test("only the checks: the findings are those of a whole load, and it decides when it is asked", () => {
    const whole = loadPolicy([source(failing)], { generation: 1 });
    const check = loadPolicy([source(failing)], { generation: 1, only: "check" });
    if (whole.ok || check.ok) throw new Error("the policy loads");
    expect(check.error).toEqual(whole.error);
    const late = loadPolicy([source(good)], { generation: 1, only: "check" });
    const early = loadPolicy([source(good)], { generation: 1 });
    if (!late.ok || !early.ok) throw new Error("the policy does not load");
    expect(lower(late.value, {}).report).toEqual(lower(early.value, {}).report);
    for (const action of [read("/s/a"), read("/t"), exec("/bin/x")]) {
      expect(late.value.evaluate(event(action))).toEqual(early.value.evaluate(event(action)));
    }
    expect([late.value.has_state, late.value.ref]).toEqual([early.value.has_state, early.value.ref]);
  });
});

describe("a place that is looked up late", () => {
  const path = new SourcePath(new SourceMap("p.toml", 'a = 1\n[[rules]]\nname = "x"\npath = ["/a",\n "/b"]'));
  const at = ({ file, line, column }: SourcePath): string => `${file}:${line}:${column}`;

  test("keys and elements", () => {
    expect(at(path)).toBe("p.toml:1:1");
    expect(at(path.below("rules").below(0).below("path"))).toBe("p.toml:4:1");
    expect(at(path.below("rules").below(0).below("path").below(1))).toBe("p.toml:5:2");
  });

  test("what has no place is where it lies in", () => {
    expect(at(path.below("none"))).toBe("p.toml:1:1");
    expect(at(path.below("rules").below(0).below("none").below(3))).toBe("p.toml:2:3");
    expect(at(path.below("rules").below(7))).toBe("p.toml:2:3");
  });
});

describe("plain patterns have a short way", () => {
  /** A text with an escape in it goes the long way, and means the same. */
  const escaped = (text: string): string => text.replace(/([a-z])/, "\\$1");
  const segment = fc.constantFrom(
    "a",
    "b.c",
    "usr",
    ".",
    "..",
    "",
    "**",
    "*",
    "x*",
    "~",
    "@a",
    "{a,b}",
    "[x]",
    "ü😀",
    "a,b",
  );

  test("a path by the short way is the path by the long way", () => {
    let short = 0;
    fc.assert(
      fc.property(fc.constantFrom("/", "~/", "**/", "", "@"), fc.array(segment, { maxLength: 5 }), (start, parts) => {
        const text = start + parts.join("/");
        const long = escaped(text);
        fc.pre(long !== text);
        const found = parsePathGlob(text);
        const expected = parsePathGlob(long);
        expect(found.ok).toBe(expected.ok);
        if (!found.ok || !expected.ok) return;
        short++;
        expect(found.value).toEqual(expected.value);
      }),
      { numRuns: 3_000 },
    );
    expect(short).toBeGreaterThan(500);
  });

  test("a text by the short way is the text by the long way", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (rest) => {
        const found = parseTextGlob(`a${rest}`);
        const expected = parseTextGlob(`\\a${rest}`);
        expect(found).toEqual(expected);
      }),
      { numRuns: 1_000 },
    );
  });
});
