/** The loader on anything: never throws, never hangs, and refuses with a place. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { LIMITS } from "../../../lib/core/mod.ts";
import { formatDiagnostic, loadPolicy } from "../../../lib/decide/mod.ts";
import { policy, policyText } from "./arbitraries.ts";

const TIMEOUT_MS = 60_000;
const encoder = new TextEncoder();

/** Loads and checks what every load promises. */
function loadAnything(bytes: Uint8Array): "loaded" | "refused" {
  const loaded = loadPolicy([{ file: "fuzz.toml", bytes }], { generation: 1 });
  if (loaded.ok) {
    expect(loaded.value.evaluate({ time_us: 0, action: { type: "file.read", path: "/x", result: "0" } }).reason).not
      .toBe("");
    return "loaded";
  }
  expect(loaded.error.some((finding) => finding.severity === "error")).toBe(true);
  for (const finding of loaded.error) {
    expect(finding.line).toBeGreaterThanOrEqual(1);
    expect(finding.column).toBeGreaterThanOrEqual(1);
    expect(formatDiagnostic(finding)).toMatch(/^fuzz\.toml:\d+:\d+: (?:error|warning): \S[^\n]*$/);
  }
  return "refused";
}

test("arbitrary bytes", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => void loadAnything(bytes)), { numRuns: 1_500 });
}, TIMEOUT_MS);

test("arbitrary text of TOML's own characters", () => {
  const token = fc.constantFrom(
    ..."[]{}=\",.#\n '\\*?-1~/",
    "[[rules]]\n",
    "path = ",
    '"""',
    "'''",
    "\r\n",
    "__proto__",
    "constructor",
    'action = "exec"\n',
    "1979-05-27",
    "\u0000",
    "\ud83d\ude00",
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 60 }), (tokens) => void loadAnything(encoder.encode(tokens.join("")))),
    { numRuns: 2_000 },
  );
}, TIMEOUT_MS);

test("valid files with bytes changed, cut out, doubled and put in", () => {
  const mutation = fc.record({
    kind: fc.constantFrom("set", "cut", "double", "insert"),
    at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    byte: fc.oneof(fc.nat(255), fc.constantFrom(...encoder.encode("[]{}\"'=.,#*~/ \n\n  "))),
  });
  let loaded = 0;
  let refused = 0;
  fc.assert(
    fc.property(policy, fc.array(mutation, { minLength: 1, maxLength: 4 }), (data, mutations) => {
      let bytes: Uint8Array = encoder.encode(policyText(data));
      for (const { kind, at, byte } of mutations) {
        const offset = Math.floor(at * bytes.length);
        const [head, tail] = [bytes.slice(0, offset), bytes.slice(offset)];
        if (kind === "set") bytes[offset] = byte;
        else if (kind === "cut") bytes = joined(head, tail.slice(1 + (byte & 15)));
        else if (kind === "double") bytes = joined(bytes.slice(0, offset + (byte & 31)), tail);
        else bytes = joined(head, Uint8Array.of(byte), tail);
      }
      if (loadAnything(bytes) === "loaded") loaded++;
      else refused++;
    }),
    { numRuns: 1_500 },
  );
  // Both roads were taken, so the mutations are neither harmless nor always fatal at once.
  expect(Math.min(loaded, refused)).toBeGreaterThan(20);
}, TIMEOUT_MS);

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

// Inputs at the size limit that would take minutes or overflow the stack if any step were worse than linear.
const SIZE = LIMITS.policy_bytes_max - 1_000;
const RULE = 'version = 1\n[[rules]]\naction = "file.read"\nverdict = "deny"\n';
const HOSTILE: Readonly<Record<string, () => string>> = {
  "one long key": () => `${"k".repeat(SIZE)} = 1`,
  "many keys": () => Array.from({ length: SIZE / 10 }, (_, i) => `k${i}=1`).join("\n").slice(0, SIZE),
  "deep nesting": () => `version = 1\nx = ${"[".repeat(SIZE / 2)}`,
  "deep nesting of tables": () => `version = 1\nx = ${"{a=".repeat(SIZE / 4)}`,
  "one long dotted key": () => `${"a.".repeat(SIZE / 2)}b = 1`,
  "dotted headers": () => "[a.b.c.d.e.f]\n".repeat(SIZE / 14),
  "an unclosed string": () => `version = 1\nname = "${"x".repeat(SIZE)}`,
  "quotes": () => '"'.repeat(SIZE),
  "comments": () => "#\n".repeat(SIZE / 2),
  "one long pattern": () => `${RULE}path = "/${"*a".repeat(2_000)}"`,
  "a pattern over its limit": () => `${RULE}path = "/${"a".repeat(SIZE)}"`,
  "many wrong patterns": () => `${RULE}path = [${'"relative",'.repeat(20_000)}]`,
  "a list over its limit": () => `${RULE}path = [${'"/a",'.repeat(SIZE / 5)}]`,
  "braces in braces": () => `${RULE}path = "/${"{a,b}".repeat(800)}"`,
  "braces without alternatives": () => `${RULE}path = [${`"/${"{a}".repeat(1_300)}",`.repeat(900)}]`,
  "braces in many patterns": () => `${RULE}path = [${'"/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}",'.repeat(20_000)}]`,
  "open braces": () => `${RULE}path = "/${"{".repeat(4_000)}"`,
  "more rules than allowed": () => `version = 1\n${"[[rules]]\n".repeat(SIZE / 11)}`,
  "rules that might all cover each other": () =>
    `version = 1\n${'[[rules]]\naction="*"\nby="a*"\nverdict="log"\n'.repeat(20_000)}`,
};

for (const [name, text] of Object.entries(HOSTILE)) {
  test(`hostile input of the largest size: ${name}`, () => {
    const bytes = encoder.encode(text());
    expect(bytes.length).toBeLessThanOrEqual(LIMITS.policy_bytes_max);
    loadAnything(bytes);
  }, TIMEOUT_MS);
}
