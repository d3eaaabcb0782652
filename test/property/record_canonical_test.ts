import { expect, test } from "bun:test";
import fc from "fast-check";
import { canonicalJson, formatTime, parseTime } from "../../lib/core/mod.ts";
import { FIRST_PREV, parseEntry } from "../../lib/record/mod.ts";
import { Sealer } from "../../lib/record/entry.ts";
import { testIds } from "../unit/record/support.ts";

const key = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("__proto__", "toJSON", "10", "9", "a", "b", ""));
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    fc.string({ unit: "binary" }),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 5 }),
    fc.array(fc.tuple(key, tie("value")), { maxLength: 6 }).map((members) => Object.fromEntries(members)),
  ),
})).value;

/** The same value with the keys of every object in another order of insertion. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).reverse().map(([name, member]) => [name, reversed(member)]));
}

/** RFC 8785 in its simplest words. */
function reference(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(reference).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${reference(member)}`).join(",")}}`;
}

test("canonical text does not depend on key order, reads back as the value, and is a fixed point", () => {
  fc.assert(fc.property(json, (value) => {
    const text = canonicalJson(value);
    expect(text).toBe(reference(value));
    expect(canonicalJson(reversed(value))).toBe(text);
    const back: unknown = JSON.parse(text);
    expect(canonicalJson(back)).toBe(text);
    expect(back).toEqual(JSON.parse(JSON.stringify(value)));
  }));
});

test("text with lone surrogates is well-formed and a fixed point", () => {
  const unit = fc.integer({ min: 0xd7f0, max: 0xe010 }).map((code) => String.fromCharCode(code));
  const wild = fc.string({ unit });
  fc.assert(fc.property(fc.dictionary(wild, fc.array(wild)), (value) => {
    const text = canonicalJson(value);
    expect(text.isWellFormed()).toBe(true);
    expect(canonicalJson(JSON.parse(text))).toBe(text);
  }));
});

test("any value of any type gives JSON", () => {
  fc.assert(fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true }), (value) => {
    const text = canonicalJson(value);
    expect(canonicalJson(JSON.parse(text))).toBe(text);
  }));
});

test("every time that an entry can carry reads back from its text", () => {
  const ids = testIds();
  fc.assert(fc.property(fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }), (time_us) => {
    expect(parseTime(formatTime(time_us))).toBe(time_us);
    const place = { seq: 1, entry_id: ids.entry(), boot_id: "b", prev: FIRST_PREV, now_us: 0 };
    const sealed = new Sealer().seal({ time_us, kind: "guard" }, place);
    expect(parseEntry(sealed.line)?.time).toBe(formatTime(time_us));
  }));
});
