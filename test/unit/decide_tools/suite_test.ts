/** Suites: what is expected, what came out, which rules were touched. */
import { describe, expect, test } from "bun:test";
import { formatDiagnostic, parseSuite, runSuite, type SuiteReport } from "../../../lib/decide/mod.ts";
import { policyOf } from "./support.ts";

const POLICY = `version = 1
[default]
exec = "ask"
[[rules]]
name = "no-nc"
action = "exec"
exe = "nc"
verdict = "deny"
[[rules]]
name = "listen"
action = "exec"
exe = "nc"
argv = ["-l", "..."]
verdict = "ask"
[[rules]]
name = "unused"
action = "file.read"
path = "/never"
verdict = "deny"
`;

function bytes(text: string): { readonly file: string; readonly bytes: Uint8Array } {
  return { file: "s.toml", bytes: new TextEncoder().encode(text) };
}

function run(cases: string): SuiteReport {
  const suite = parseSuite(bytes(`policy = "p.toml"\n${cases}`));
  if (!suite.ok) throw new Error(suite.error.map((finding) => formatDiagnostic(finding)).join("\n"));
  return runSuite(policyOf(POLICY), suite.value);
}

function findings(text: string): readonly string[] {
  const suite = parseSuite(bytes(text));
  return suite.ok ? [] : suite.error.map((finding) => formatDiagnostic(finding));
}

describe("results", () => {
  test("passes by verdict, rule and default", () => {
    const report = run(`[[case]]
name = "denied"
action = "exec"
exe = "nc"
expect = "deny"
rule = "no-nc"
[[case]]
name = "asked"
action = "exec"
exe = "git"
expect = "ask"
rule = "[default]"
`);
    expect(report).toMatchObject({ passed: 2, failed: 0 });
    expect(report.cases.map(({ name, line }) => [name, line])).toEqual([["denied", 2], ["asked", 8]]);
  });

  test.each([
    ["another verdict", 'expect = "allow"'],
    ["another rule", 'expect = "deny"\nrule = "listen"'],
    ["no rule", 'expect = "deny"\nrule = "[default]"'],
    ["a shadow where there is none", 'expect = "deny"\nwould = "deny"'],
  ])("fails by %s, with what came out", (_what, expectation) => {
    const report = run(`[[case]]\nname = "x"\naction = "exec"\nexe = "nc"\n${expectation}\n`);
    expect(report).toMatchObject({
      passed: 0,
      failed: 1,
      cases: [{ ok: false, got: { verdict: "deny", rule: "no-nc" } }],
    });
  });

  test("coverage: what matched, what decided, what nothing touched", () => {
    const report = run(`[[case]]\nname = "x"\naction = "exec"\nexe = "nc"\nargv = ["-l"]\nexpect = "deny"\n`);
    expect(report.rules.map(({ rule, matched, decided }) => [rule, matched, decided])).toEqual([
      ["no-nc", 1, 1],
      ["listen", 1, 0],
      ["unused", 0, 0],
    ]);
  });
});

describe("bad suites are refused, with the place", () => {
  test.each([
    [
      "no policy",
      '[[case]]\naction = "exec"\nexe = "nc"\nexpect = "deny"\n',
      "s.toml:1:1: error: the suite names no policy",
    ],
    ["no case", 'policy = "p.toml"\n', "it would test nothing"],
    [
      "an unknown key",
      'policy = "p.toml"\n[[case]]\nactoin = "exec"\nexpect = "deny"\n',
      's.toml:3:1: error: unknown key "actoin"',
    ],
    [
      "an unknown action",
      'policy = "p.toml"\n[[case]]\naction = "exce"\nexpect = "deny"\n',
      's.toml:3:1: error: case "case 1": unknown action "exce"',
    ],
    ["nothing expected", 'policy = "p.toml"\n[[case]]\naction = "exec"\nexe = "nc"\n', "expects nothing"],
    [
      "an unknown verdict",
      'policy = "p.toml"\n[[case]]\naction = "exec"\nexe = "nc"\nexpect = "denied"\n',
      "s.toml:5:1: error: expect",
    ],
    [
      "two cases of one name",
      `policy = "p.toml"\n${'[[case]]\nname = "a"\naction = "exec"\nexe = "nc"\nexpect = "deny"\n'.repeat(2)}`,
      'two cases are called "a"',
    ],
    ["no TOML", "policy = ", "s.toml:1:"],
  ])("%s", (_what, text, expected) => {
    expect(findings(text).join("\n")).toContain(expected);
  });

  test("bytes that are no text, and too many of them", () => {
    expect(parseSuite({ file: "s", bytes: new Uint8Array([0xff, 0xfe]) }).ok).toBe(false);
    expect(parseSuite({ file: "s", bytes: new Uint8Array(5_000_000) }).ok).toBe(false);
  });
});
