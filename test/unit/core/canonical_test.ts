import { expect, test } from "bun:test";
import { CANONICAL_DEPTH_MAX, CANONICAL_NODES_MAX, canonicalJson } from "../../../lib/core/mod.ts";

const EURO = String.fromCharCode(0x20ac);

test("the example of RFC 8785 section 3.2.2 gives the bytes of section 3.2.4", () => {
  const value: unknown = JSON.parse(`{
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
    "literals": [null, true, false]
  }`);
  const bytes =
    "7b 22 6c 69 74 65 72 61 6c 73 22 3a 5b 6e 75 6c 6c 2c 74 72 75 65 2c 66 61 6c 73 65 5d 2c 22 6e 75 6d 62 65 72 " +
    "73 22 3a 5b 33 33 33 33 33 33 33 33 33 2e 33 33 33 33 33 33 33 2c 31 65 2b 33 30 2c 34 2e 35 2c 30 2e 30 30 32 " +
    "2c 31 65 2d 32 37 5d 2c 22 73 74 72 69 6e 67 22 3a 22 e2 82 ac 24 5c 75 30 30 30 66 5c 6e 41 27 42 5c 22 5c 5c " +
    "5c 5c 5c 22 2f 22 7d";
  const text = canonicalJson(value);
  expect(Buffer.from(text, "utf8").toString("hex")).toBe(bytes.replaceAll(" ", ""));
  expect(text).toContain(EURO);
});

test("keys are sorted by UTF-16 code units: RFC 8785 section 3.2.3", () => {
  const value: unknown = JSON.parse(
    '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One",' +
      '"\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control","\\u00f6":"Latin Small Letter O With Diaeresis"}',
  );
  const parsed: unknown = JSON.parse(canonicalJson(value));
  const order = [...canonicalJson(value).matchAll(/:"([^"]*)"/g)].map((match) => match[1]);
  expect(order).toEqual([
    "Carriage Return",
    "One",
    "Control",
    "Latin Small Letter O With Diaeresis",
    "Euro Sign",
    "Emoji: Grinning Face",
    "Hebrew Letter Dalet With Dagesh",
  ]);
  expect(parsed).toEqual(value);
});

// RFC 8785 appendix B: the bits of a double and its text.
test.each([
  ["0000000000000000", "0"],
  ["8000000000000000", "0"],
  ["0000000000000001", "5e-324"],
  ["8000000000000001", "-5e-324"],
  ["7fefffffffffffff", "1.7976931348623157e+308"],
  ["4340000000000000", "9007199254740992"],
  ["4430000000000000", "295147905179352830000"],
  ["44b52d02c7e14af5", "9.999999999999997e+22"],
  ["44b52d02c7e14af6", "1e+23"],
  ["444b1ae4d6e2ef4e", "999999999999999700000"],
  ["444b1ae4d6e2ef50", "1e+21"],
  ["3eb0c6f7a0b5ed8d", "0.000001"],
  ["41b3de4355555555", "333333333.3333333"],
  ["7fffffffffffffff", "null"],
  ["7ff0000000000000", "null"],
])("the double %s is written as %s", (bits, text) => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(`0x${bits}`));
  expect(canonicalJson(view.getFloat64(0))).toBe(text);
  expect(canonicalJson({ 1: view.getFloat64(0) })).toBe(`{"1":${text}}`);
});

test.each<[string, unknown, string]>([
  ["integer keys by their text, not their number", { 10: 1, 9: 2, "": 3 }, '{"":3,"10":1,"9":2}'],
  ["a key named __proto__", JSON.parse('{"b":1,"__proto__":{"x":2},"a":3}'), '{"__proto__":{"x":2},"a":3,"b":1}'],
  ["nested objects in arrays", [{ b: 1, a: [{ d: 1, c: 2 }] }], '[{"a":[{"c":2,"d":1}],"b":1}]'],
  ["undefined members left out", { b: undefined, a: 1, c: undefined }, '{"a":1}'],
  ["functions and symbols left out", { a: () => 1, b: Symbol("x"), c: 2 }, '{"c":2}'],
  ["undefined in an array", [undefined, () => 1, 2], "[null,null,2]"],
  ["a bigint", { a: 12345678901234567890n }, '{"a":"12345678901234567890"}'],
  ["a lone surrogate", { a: "x\ud800y" }, '{"a":"x\ufffdy"}'],
  ["an escaped backslash before ud", { a: "\\ud800" }, '{"a":"\\\\ud800"}'],
  ["a pair of surrogates", "\ud83d\ude00", '"\ud83d\ude00"'],
  ["keys that become one", JSON.parse('{"\\ud800":1,"\\ufffd":2}'), '{"\ufffd":2}'],
  ["toJSON is data", { toJSON: "x", a: 1 }, '{"a":1,"toJSON":"x"}'],
  ["toJSON is not called", { a: { toJSON: () => "no", b: 1 } }, '{"a":{"b":1}}'],
  ["a date has no members", { a: new Date(0) }, '{"a":{}}'],
  ["control characters", "\u0000\b\t\n\f\r\u001f\u007f", '"\\u0000\\b\\t\\n\\f\\r\\u001f\u007f"'],
  ["nothing", undefined, "null"],
])("%s", (_name, value, text) => {
  expect(canonicalJson(value)).toBe(text);
});

test("nesting is cut at its bound, and a cycle with it", () => {
  let deep: unknown = "bottom";
  for (let depth = 0; depth < CANONICAL_DEPTH_MAX; depth++) deep = [deep];
  expect(canonicalJson(deep)).toContain("bottom");
  const cut = canonicalJson([deep]);
  expect(cut).toBe(`${"[".repeat(CANONICAL_DEPTH_MAX)}"[too deep]"${"]".repeat(CANONICAL_DEPTH_MAX)}`);
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  expect(canonicalJson(cycle)).toContain("[too deep]");
});

test("a cycle that branches ends at the bound of values", () => {
  const cycle: unknown[] = [];
  cycle.push(cycle, cycle);
  const text = canonicalJson(cycle);
  expect(text).toContain("[too large]");
  expect(text.length).toBeLessThan(CANONICAL_NODES_MAX * 16);
  expect(() => JSON.parse(text)).not.toThrow();
});
