/**
 * The kept corpus: files of every form, each loaded as it is and with every byte changed, cut out or cut off after it.
 * A file that once broke something is put beside them.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Diagnostic, formatDiagnostic, loadPolicy, lower, parseSuite } from "../../../lib/decide/mod.ts";

const TIMEOUT_MS = 120_000;
const DIRECTORY = join(import.meta.dir, "corpus");
const NAMES = readdirSync(DIRECTORY).sort();
/** Files that are a policy as they stand. */
const GOOD: readonly string[] = [
  "network.toml",
  "past.toml",
  "programs.toml",
  "rules.toml",
  "sdk.toml",
  "unicode.toml",
];
/** What each byte is changed to: ends of everything, and bytes that no text has. */
const BYTES: readonly number[] = [0x00, 0x0a, 0x22, 0x27, 0x2a, 0x5b, 0x5d, 0x7b, 0x80, 0xff];

function read(name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(DIRECTORY, name)));
}

/** What every reader promises: findings with a place, on one line each, or something to work with. */
function readAnything(bytes: Uint8Array): "loaded" | "refused" {
  const suite = parseSuite({ file: "c.toml", bytes });
  if (!suite.ok) checkFindings(suite.error);
  const loaded = loadPolicy([{ file: "c.toml", bytes }], { generation: 1 });
  if (!loaded.ok) {
    checkFindings(loaded.error);
    return "refused";
  }
  checkFindings(loaded.value.warnings, "warning");
  expect(lower(loaded.value, {}).report).toHaveLength(loaded.value.rules.length);
  expect(loaded.value.evaluate({ time_us: 0, action: { type: "exec", path: "/a", argv: ["a"] } }).reason).not.toBe("");
  return "loaded";
}

function checkFindings(findings: readonly Diagnostic[], severity = "error"): void {
  if (severity === "error") expect(findings.some((finding) => finding.severity === "error")).toBe(true);
  for (const finding of findings) {
    expect(formatDiagnostic(finding)).toMatch(/^c\.toml:[1-9]\d*:[1-9]\d*: (?:error|warning): \S[^\n]*$/);
  }
}

test("the corpus is there", () => expect(NAMES.length).toBeGreaterThanOrEqual(11));

describe.each([...NAMES])("%s", (name) => {
  const bytes = read(name);

  test("as it is", () => {
    expect(readAnything(bytes)).toBe(GOOD.includes(name) || name === "bom.toml" ? "loaded" : "refused");
  });

  test("with every byte changed, cut out, and cut off after it", () => {
    for (let at = 0; at < bytes.length; at++) {
      for (const byte of BYTES) {
        const changed = bytes.slice();
        changed[at] = byte;
        readAnything(changed);
      }
      readAnything(Uint8Array.of(...bytes.slice(0, at), ...bytes.slice(at + 1)));
      readAnything(bytes.slice(0, at));
    }
  }, TIMEOUT_MS);
});
