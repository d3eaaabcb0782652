/** Which mechanism a host takes for each part of a rule, and what is said of what is left. */
import { describe, expect, test } from "bun:test";
import {
  type ChosenEnforcement,
  ENFORCEMENT_MECHANISMS,
  type EnforcementMechanism,
  lower,
  type RuleEnforcement,
} from "../../../lib/decide/mod.ts";
import { enforcing, load, rule } from "./support.ts";

const ALL: readonly EnforcementMechanism[] = ENFORCEMENT_MECHANISMS;
const NONE: readonly EnforcementMechanism[] = [];

function report(
  body: string,
  available: readonly EnforcementMechanism[],
  options: { readonly found_running?: boolean } = {},
): RuleEnforcement {
  const snapshot = load(enforcing(rule("r", body)));
  const [first] = lower(snapshot, { home: "/home/u", host: { available: new Set(available), ...options } }).report;
  if (first === undefined) throw new Error("the policy has no rule");
  return first;
}

function without(...lacking: readonly EnforcementMechanism[]): readonly EnforcementMechanism[] {
  return ALL.filter((mechanism) => !lacking.includes(mechanism));
}

/** `action action: mechanism label`, per part. */
function shown(parts: readonly ChosenEnforcement[]): readonly string[] {
  return parts.map(({ actions, mechanism, label }) => `${actions.join(" ")}: ${mechanism} ${label}`);
}

describe("the first mechanism that the host has and that prevents all", () => {
  test.each<[string, readonly EnforcementMechanism[], EnforcementMechanism, string, boolean]>([
    // A read.
    ['action = "file.read"\npath = "/s/**"\nverdict = "deny"', ALL, "lsm", "prevented", true],
    ['action = "file.read"\npath = "/s/**"\nverdict = "deny"', without("lsm"), "fanotify", "prevented", true],
    [
      'action = "file.read"\npath = "/s/**"\nverdict = "deny"',
      without("lsm", "fanotify"),
      "seccomp",
      "prevented",
      true,
    ],
    [
      'action = "file.read"\npath = "/s/**"\nverdict = "deny"',
      without("lsm", "seccomp", "fanotify"),
      "kill_after",
      "killed_after_effect",
      false,
    ],
    ['action = "file.read"\npath = "/s/**"\nverdict = "deny"', NONE, "observe_only", "unenforceable", false],
    // A pattern that no kernel program compares: what user space decides is stronger than half a rule.
    ['action = "file.read"\npath = ["/s/**", "/t/*.key"]\nverdict = "deny"', ALL, "fanotify", "prevented", true],
    ['action = "file.read"\npath = ["/s/**", "/t/*.key"]\nverdict = "deny"', ["lsm"], "lsm", "prevented", false],
    // A change by name.
    ['action = "file.delete"\npath = "/s/**"\nverdict = "deny"', ALL, "lsm", "prevented", true],
    ['action = "file.delete"\npath = "/s/*.key"\nverdict = "deny"', ALL, "seccomp", "prevented", true],
    [
      'action = "file.delete"\npath = "/s/*.key"\nverdict = "deny"',
      ["fanotify"],
      "observe_only",
      "unenforceable",
      false,
    ],
    // Questions go to what can hold.
    ['action = "file.read"\npath = "/s/**"\nverdict = "ask"', ALL, "fanotify", "held", true],
    ['action = "file.delete"\npath = "/s/**"\nverdict = "ask"', ALL, "seccomp", "held", true],
    ['action = "file.delete"\npath = "/s/**"\nverdict = "ask"', ["lsm"], "lsm", "prevented", true],
    ['action = "exec"\nexe = "git"\nverdict = "ask"', ALL, "seccomp", "held", true],
    ['action = "exec"\nexe = "git"\nverdict = "ask"', ["fanotify"], "observe_only", "unenforceable", false],
    ['action = "exec"\nexe = "git"\nverdict = "ask"', ["exec_kill"], "exec_kill", "killed_before_effect", true],
    ['action = "net.connect"\nport = 25\nverdict = "ask"', ALL, "seccomp", "held", true],
    // Programs and their arguments.
    ['action = "exec"\nexe = "nc"\nverdict = "deny"', ALL, "lsm", "prevented", true],
    ['action = "exec"\nexe = "nc"\nverdict = "deny"', without("lsm"), "seccomp", "prevented", true],
    ['action = "exec"\nexe = "nc"\nverdict = "deny"', ["exec_kill"], "exec_kill", "killed_before_effect", true],
    ['action = "exec"\nexe = "git"\nargv = ["push", "..."]\nverdict = "deny"', ALL, "seccomp", "prevented", true],
    [
      'action = "exec"\nexe = "git"\nargv = ["push", "..."]\nverdict = "deny"',
      without("seccomp"),
      "kill_after",
      "killed_after_effect",
      false,
    ],
    [
      'action = "exec"\nopaque = true\nverdict = "deny"',
      ["fanotify", "kill_after"],
      "kill_after",
      "killed_after_effect",
      false,
    ],
    // Network and sockets.
    ['action = "net.connect"\nport = 25\nverdict = "deny"', ALL, "cgroup", "prevented", true],
    ['action = "net.connect"\nhost = "x.example"\nverdict = "deny"', ALL, "seccomp", "prevented", false],
    ['action = "net.connect"\nby = "curl"\nverdict = "deny"', ALL, "seccomp", "prevented", true],
    // The program of a cgroup compares what is let go.
    [
      'action = "net.connect"\nby = "curl"\nverdict = "deny"',
      without("cgroup"),
      "kill_after",
      "killed_after_effect",
      false,
    ],
    ['action = "net.listen"\nverdict = "deny"', ALL, "kill_after", "killed_after_effect", false],
    ['action = "unix.connect"\npath = "/run/docker.sock"\nverdict = "deny"', ALL, "lsm", "prevented", true],
    // What nothing prevents.
    ['action = "tool.call"\nverdict = "deny"', ALL, "observe_only", "unenforceable", false],
    ['action = "exec.failed"\nverdict = "deny"', ALL, "observe_only", "unenforceable", false],
  ])("%j with %j: %s %s, complete %j", (body, available, mechanism, label, complete) => {
    const found = report(body, available);
    expect([found.mechanism, found.parts[0]?.label, found.complete]).toEqual([mechanism, label as "held", complete]);
    // Each candidate stands once, and the last needs nothing of the host.
    for (const { candidates } of found.parts) {
      const names = candidates.map((candidate) => candidate.mechanism);
      expect(new Set(names).size).toBe(names.length);
      expect(names.at(-1)).toBe("observe_only");
    }
  });
});

test("a rule about several classes has a mechanism for each", () => {
  const found = report('action = ["file.read", "file.delete", "net.connect"]\nverdict = "deny"', without("lsm"));
  expect(shown(found.parts)).toEqual([
    "file.read: fanotify prevented",
    "file.delete: seccomp prevented",
    "net.connect: cgroup prevented",
  ]);
  expect([found.mechanism, found.mechanisms, found.complete]).toEqual([
    "cgroup",
    ["cgroup", "fanotify", "seccomp"],
    true,
  ]);
});

test("a session that was found running has what needs no start", () => {
  const started = report('action = "exec"\nexe = "git"\nargv = ["push"]\nverdict = "deny"', without("lsm"));
  expect(started.parts.map(({ mechanism, found_running }) => [mechanism, found_running])).toEqual([
    ["seccomp", "kill_after"],
  ]);
  const found = report('action = "exec"\nexe = "git"\nargv = ["push"]\nverdict = "deny"', without("lsm"), {
    found_running: true,
  });
  expect([found.mechanism, found.complete]).toEqual(["kill_after", false]);
  expect(found.note).toBe(
    "predicate argv is decided in user space; ended after the effect; seccomp would prevent it",
  );
  // The kernel's own programs are for every session.
  expect(report('action = "net.connect"\nport = 25\nverdict = "deny"', ALL, { found_running: true }).complete).toBe(
    true,
  );
});

test("a question that nothing can hold says that it is refused", () => {
  expect(report('action = "net.connect"\nport = 25\nverdict = "ask"', ALL).note).toBe("");
  expect(report('action = "net.connect"\nport = 25\nverdict = "ask"', ["cgroup"]).note).toBe(
    "cgroup cannot hold: refused without asking",
  );
  expect(report('action = "file.read"\npath = "/s/**"\nverdict = "ask"', ["fanotify"]).note).toBe(
    "compared by resolved names",
  );
});

test("what a default refuses has its mechanisms too", () => {
  const defaults = (lines: readonly string[], available: readonly EnforcementMechanism[]): readonly string[] =>
    lower(load(enforcing(...lines)), { host: { available: new Set(available) } }).defaults.flatMap(
      ({ verdict, parts, complete }) => [`${verdict} ${complete}`, ...shown(parts)],
    );
  expect(defaults(["[default]", '"*" = "allow"'], ALL)).toEqual([]);
  expect(defaults(["[default]", 'net = "deny"'], ALL)).toEqual([
    "deny false",
    "net.connect net.send: cgroup prevented",
    "net.bind: cgroup prevented",
    "net.listen: kill_after killed_after_effect",
  ]);
  expect(defaults(["[default]", 'exec = "deny"', '"file.read" = "ask"'], without("lsm"))).toEqual([
    "deny true",
    "exec: seccomp prevented",
    "ask true",
    "file.read: fanotify held",
  ]);
  expect(defaults(["[default]", 'exec = "deny"'], ["exec_kill"])).toEqual([
    "deny true",
    "exec: exec_kill killed_before_effect",
  ]);
  // An allow that the kernel cannot hold opens its default.
  const host = rule("h", 'action = "net.connect"\nhost = "x.example"\nverdict = "allow"');
  expect(defaults(["[default]", '"net.connect" = "deny"', host], ALL)).toEqual([
    "deny true",
    "net.connect: seccomp prevented",
  ]);
  // A file that observes refuses nothing.
  expect(defaults(['mode = "observe"', "[default]", '"*" = "deny"'], ALL)).toEqual([]);
});
