/** What came before an action, in suites and for explain: earlier actions that are decided first. */
import { describe, expect, test } from "bun:test";
import {
  eventOfFields,
  formatDiagnostic,
  givenActions,
  parseSuite,
  pastAfter,
  runSuite,
} from "../../../lib/decide/mod.ts";
import { policyOf } from "./support.ts";

const POLICY = `version = 1
[[rules]]
name = "secrets-read"
action = "file.read"
path = "/secrets/**"
verdict = "log"
label = "tainted"
[[rules]]
name = "no-egress-after-secrets"
action = "net.connect"
after = { label = "tainted", within = "10m" }
verdict = "deny"
[[rules]]
name = "few-writes"
action = "file.write"
rate = { count = 3, per = "1m" }
verdict = "deny"
`;

function verdicts(cases: string): readonly string[] {
  const bytes = new TextEncoder().encode(`policy = "p.toml"\n${cases}`);
  const suite = parseSuite({ file: "s.toml", bytes });
  if (!suite.ok) return suite.error.map((finding) => formatDiagnostic(finding));
  return runSuite(policyOf(POLICY), suite.value).cases.map(({ got }) => `${got.verdict} ${got.rule}`);
}

const connect = 'action = "net.connect"\naddress = "192.0.2.1"\nexpect = "allow"';
const write = 'action = "file.write"\npath = "/w"\nexpect = "allow"';

describe("a case that says what came before", () => {
  test("a label is set by the action that sets it, and only by it", () => {
    expect(verdicts(`[[case]]\n${connect}`)).toEqual(["allow [default]"]);
    expect(verdicts(`[[case]]\n${connect}\ngiven = { action = "file.read", path = "/secrets/a" }`)).toEqual([
      "deny no-egress-after-secrets",
    ]);
    expect(verdicts(`[[case]]\n${connect}\ngiven = [{ action = "file.read", path = "/public/a" }]`)).toEqual([
      "allow [default]",
    ]);
  });

  test("time passes between them", () => {
    const at = (time: string): string =>
      `[[case]]\n${connect}\nat = "${time}"\n` +
      'given = [{ action = "file.read", path = "/secrets/a", at = "2026-01-01T00:00:00Z" }]';
    expect(verdicts(at("2026-01-01T00:09:59Z"))).toEqual(["deny no-egress-after-secrets"]);
    expect(verdicts(at("2026-01-01T00:10:01Z"))).toEqual(["allow [default]"]);
  });

  test("actions are counted as often as they are done", () => {
    const after = (times: number): string =>
      `[[case]]\n${write}\ngiven = [{ action = "file.write", path = "/w", times = ${times} }]`;
    expect(verdicts(after(2))).toEqual(["allow [default]"]);
    expect(verdicts(after(3))).toEqual(["deny few-writes"]);
    expect(verdicts(`[[case]]\n${write}\nearlier = 1\n${after(2).split("\n").at(-1)}`)).toEqual(["deny few-writes"]);
  });

  test("cases do not see each other", () => {
    expect(verdicts(`[[case]]\nname = "a"\n${connect}\ngiven = { action = "file.read", path = "/secrets/a" }
[[case]]\nname = "b"\n${connect}`)).toEqual(["deny no-egress-after-secrets", "allow [default]"]);
  });

  test.each([
    ["given = 3", "s.toml:6:1: error: given is a number, not a table or a list of tables"],
    ['given = [{ action = "file.raed" }]', 'given unknown action "file.raed"'],
    ['given = [{ action = "file.read", path = "/a", times = 0 }]', "given times is not a whole number from 1 to 10000"],
    [
      'given = [{ action = "file.read", path = "/a", label = "x" }]',
      "given action has label: give the action that led to it",
    ],
    ['given = [{ action = "file.read" }]', "given it needs path"],
  ])("%s is refused", (line, expected) => {
    expect(verdicts(`[[case]]\n${connect}\n${line}`).join("\n")).toContain(expected);
  });
});

test("a past by actions and a past by names add up", () => {
  const snapshot = policyOf(POLICY);
  const said = eventOfFields({ action: "file.write", path: "/w", earlier: 2, label: ["tainted"] });
  const given = givenActions({ action: "file.write", path: "/w", times: 2 }, {});
  if (!said.ok || !given.ok) throw new Error("the values make no event");
  expect(said.value.assumed).toEqual({
    at: "2024-01-01T12:00:00.000000Z",
    labels: ["tainted"],
    rules: [],
    earlier: 2,
    actions: 0,
  });
  const decide = (past: { readonly state: Parameters<typeof snapshot.evaluate>[1]; readonly now_us: number }): string =>
    snapshot.evaluate(said.value.event, past.state, past.now_us).verdict;
  expect(decide(said.value.past)).toBe("allow");
  expect(decide(pastAfter(snapshot, said.value, []))).toBe("allow");
  expect(decide(pastAfter(snapshot, said.value, [given.value]))).toBe("deny");
});
