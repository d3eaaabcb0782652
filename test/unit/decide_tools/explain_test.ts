/** Explanations agree with decisions, and the changes that they propose do what they promise. */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Event } from "../../../lib/core/mod.ts";
import {
  type Change,
  eventOfFields,
  explain,
  type Explanation,
  type PolicySnapshot,
  type SaidAction,
} from "../../../lib/decide/mod.ts";
import { holdsIn, viewsOf } from "../../../lib/decide/explain_views.ts";
import { NO_PAST } from "../../../lib/decide/state.ts";
import { event as anyEvent, policy as anyPolicy, policyText } from "../../property/decide/arbitraries.ts";
import { load } from "../../property/decide/load.ts";
import { policyOf } from "./support.ts";

function saidOf(fields: Readonly<Record<string, unknown>>): SaidAction {
  const said = eventOfFields(fields, { texts: true });
  if (!said.ok) throw new Error(said.error.message);
  return said.value;
}

function eventOf(fields: Readonly<Record<string, unknown>>): Event {
  return saidOf(fields).event;
}

const POLICY = `version = 1
name = "p"

[default]
"*" = "allow"
"net.connect" = "deny"

[[rules]]
name = "push"
action = "exec"
exe = "git"
argv = ["push", "..."]
verdict = "ask"

[[rules]]
name = "no-nc"
action = "exec"
exe = ["nc", "ncat"]
verdict = "deny"

[[rules]]
name = "api"
action = "net.connect"
address = "192.0.2.1"
port = 443
verdict = "allow"

[[rules]]
name = "secrets"
action = "file.read"
path = "~/.ssh/**"
except = { path = "~/.ssh/config" }
verdict = "deny"
`;

function explained(fields: Readonly<Record<string, unknown>>, text: string = POLICY): Explanation {
  const { event, past } = saidOf(fields);
  return explain(policyOf(text), event, past);
}

describe("the decider and the others", () => {
  test("a rule with its place, and why the other did not decide", () => {
    const found = explained({ action: "exec", exe: "git", argv: ["push", "--force"] });
    expect(found).toMatchObject({
      says: "ask",
      decided_by: { kind: "rule", rule: "push", file: "p.toml", line: 8, verdict: "ask" },
      candidates: [
        { rule: "push", outcome: "decided" },
        { rule: "no-nc", line: 15, outcome: "fails", predicate: "exe", wanted: ["nc", "ncat"], got: ["/usr/bin/git"] },
      ],
      other_rules: 2,
    });
  });

  test("the first predicate that fails, and an action that has nothing there", () => {
    const found = explained({ action: "exec", exe: "git", argv: ["status"] });
    expect(found.candidates[0]).toMatchObject({
      rule: "push",
      outcome: "fails",
      predicate: "argv",
      wanted: ['["push","..."]'],
      got: ["status"],
    });
    expect(found.changes).toBeUndefined();
    const by = POLICY.replace('exe = ["nc", "ncat"]', 'by = "bash"');
    expect(explained({ action: "exec", exe: "git" }, by).candidates[1]).toMatchObject({ predicate: "by", got: [] });
  });

  test("an exception that holds", () => {
    expect(explained({ action: "file.read", path: "~/.ssh/config" }).candidates[0]).toMatchObject({
      rule: "secrets",
      outcome: "excepted",
      except: { path: ["~/.ssh/config"] },
    });
  });

  test("a default with its file", () => {
    const found = explained({ action: "net.connect", address: "192.0.2.9", port: 80 });
    expect(found).toMatchObject({ says: "deny", decided_by: { kind: "default", verdict: "deny", file: "p.toml" } });
  });

  test("what only observes says so", () => {
    const found = explained(
      { action: "exec", exe: "nc" },
      POLICY.replace('name = "p"', 'name = "p"\nmode = "observe"'),
    );
    expect(found).toMatchObject({ says: "deny", ruling: { verdict: "allow", would: "deny" } });
    expect(found.changes).toHaveLength(1);
  });
});

describe("the nearest change", () => {
  /** The policy with the change written into it, as a person would. */
  function applied(text: string, { changes = [] }: Explanation): PolicySnapshot {
    let lines = text.split("\n");
    for (const change of changes) {
      if (change.kind === "rule") lines = [...lines, ...change.toml.split("\n")];
      else if (change.kind === "extend") {
        lines = lines.map((line, i) => {
          if (i + 1 !== change.line) return line;
          const [key = "", value = ""] = line.split(" = ");
          return `${key} = [${value.replace(/^\[|\]$/g, "")}, ${change.toml.replace(/^\[|\]$/g, "")}]`;
        });
      } else if (change.listed) {
        lines = lines.map((line) => line.replace(/^except = (.*)$/, (_, old) => `except = [${old}, ${change.toml}]`));
      } else lines = [...lines.slice(0, change.line), change.toml, ...lines.slice(change.line)];
    }
    return policyOf(lines.join("\n"));
  }

  type Fields = Readonly<Record<string, unknown>>;
  const changes: [Change["kind"], Fields, Fields][] = [
    ["except", { action: "exec", exe: "nc", argv: ["-l", "[x]", "..."] }, { exe: "nc", argv: ["-l"] }],
    ["except", { action: "file.read", path: "~/.ssh/id" }, { path: "~/.ssh/id2" }],
    ["extend", { action: "net.connect", address: "192.0.2.1", port: 80 }, { port: 81 }],
    ["extend", { action: "net.connect", address: "192.0.2.7", port: 443 }, { address: "192.0.2.8" }],
    ["rule", { action: "net.connect", address: "192.0.2.7", port: 80 }, { port: 443 }],
  ];

  test.each(changes)("%s for %p: it allows this, and not its neighbour", (kind, fields, neighbour) => {
    const found = explained(fields);
    expect(found.changes?.map((change) => change.kind)).toEqual([kind]);
    const changed = applied(POLICY, found);
    expect(changed.evaluate(eventOf(fields)).verdict).toBe("allow");
    expect(changed.evaluate(eventOf({ ...fields, ...neighbour })).verdict).not.toBe("allow");
  });

  test("everything that stops an action is named", () => {
    const text =
      `${POLICY}\n[[rules]]\nname = "also"\naction = "exec"\nexe = "*"\nargv = ["-l", "..."]\nverdict = "deny"\n`;
    const found = explained({ action: "exec", exe: "nc", argv: ["-l"] }, text);
    expect(found.changes?.map((change) => change.kind === "except" ? change.rule : "")).toEqual(["no-nc", "also"]);
  });

  test("an action of which a name is not certain cannot be allowed by name", () => {
    const event = eventOf({ action: "file.read", path: "~/.ssh/id", requested_path: "id" });
    expect(explain(policyOf(POLICY), event).changes).toEqual([]);
  });
});

test("property: an explanation agrees with the decision and with the rules", () => {
  fc.assert(
    fc.property(
      fc.array(anyPolicy, { minLength: 1, maxLength: 2 }),
      fc.array(anyEvent, { minLength: 5, maxLength: 15 }),
      (layers, events) => {
        const snapshot = load(...layers.map((layer) => policyText(layer)));
        const nodes = snapshot.layers.flatMap((layer) => layer.rules.map((rule) => ({ layer, rule })));
        for (const event of events) {
          const found = explain(snapshot, event);
          const ruling = snapshot.evaluate(event);
          const views = viewsOf(event, { state: NO_PAST, now_us: event.time_us });
          expect(found.ruling).toEqual(ruling);
          const decider = found.candidates.find(({ outcome }) => outcome === "decided");
          expect(decider?.rule_index ?? -1).toBe(ruling.rule_index);
          expect(found.decided_by.kind).toBe(ruling.rule === undefined ? "default" : "rule");
          expect(found.candidates.length + found.other_rules).toBe(nodes.length);
          for (const { rule_index, outcome, predicate } of found.candidates) {
            const node = nodes[rule_index];
            if (node === undefined || outcome === "disabled") continue;
            const holds = views.some((view) => holdsIn(view, node.layer, node.rule));
            expect(holds).toBe(outcome === "decided" || outcome === "holds" || outcome === "shadow");
            expect(predicate !== undefined).toBe(outcome === "fails");
          }
          const stops = [ruling.verdict, ruling.would].some((verdict) => verdict === "deny" || verdict === "ask");
          expect(found.changes !== undefined).toBe(stops);
        }
      },
    ),
    { numRuns: 300 },
  );
}, 60_000);

describe("command lines and the past", () => {
  test("a command inside a command line decides, and the change is about it", () => {
    const found = explained({ action: "exec", exe: "sh", argv: ["-c", "cd /w && git push --force"] });
    expect(found).toMatchObject({
      says: "ask",
      candidates: [{ rule: "push", outcome: "decided", inside: ["git", "push", "--force"] }, {}],
      changes: [{ kind: "except", rule: "push", toml: 'except = { exe = "git", argv = ["push", "--force"] }' }],
    });
  });

  test("what happened before can be said", () => {
    const text = `${POLICY}
[[rules]]
name = "quiet"
action = "net.connect"
after = { rule = "secrets", within = "session" }
verdict = "deny"
`;
    const fields = { action: "net.connect", address: "192.0.2.1", port: 443 };
    expect(explained(fields, text)).toMatchObject({ says: "allow", decided_by: { rule: "api" } });
    expect(explained({ ...fields, after: "secrets" }, text)).toMatchObject({
      says: "deny",
      decided_by: { rule: "quiet" },
    });
  });
});

test("a change for a tool call is about this call, and allows it", () => {
  const snapshot = policyOf(
    'version = 1\n[[rules]]\nname = "push"\naction = "tool.call"\nexe = "git"\nargv = ["push", "..."]\n' +
      'verdict = "deny"\n',
  );
  const said = saidOf({ action: "tool.call", tool: "Bash", args: '{"command":"git push *","n":3,"x":{"y":1}}' });
  const { changes } = explain(snapshot, said.event, said.past);
  expect(changes?.map(({ toml }) => toml)).toEqual([
    String.raw`except = { tool = "Bash", args = { "$.command" = "git push \\*", "$.n" = "3" } }`,
  ]);
});

test("every kind of action can be said", () => {
  const said: readonly (readonly [Readonly<Record<string, unknown>>, Readonly<Record<string, unknown>>])[] = [
    [{ action: "exec", exe: "git", argv: ["push"] }, { path: "/usr/bin/git", argv: ["/usr/bin/git", "push"] }],
    [{ action: "file.rename", path: "~/a", new_path: "/b" }, { path: "/home/user/a", new_path: "/b" }],
    [{ action: "net.connect", host: "a.b", port: "443" }, { host: "a.b", port: 443, address: "203.0.113.0" }],
    [{ action: "unix.connect", path: "@x" }, { path: "@x" }],
    [{ action: "tool.call", tool: "Bash", args: '{"command":"ls"}' }, { tool: "Bash", args: { command: "ls" } }],
    [{ action: "process.exit" }, { exit_code: 0 }],
    [{ action: "session.start", agent: "claude" }, { agent: "claude" }],
  ];
  for (const [fields, action] of said) {
    expect(eventOf(fields).action).toMatchObject({ type: fields["action"], ...action });
  }
  expect(eventOf({ action: "file.read", path: "/a", by: "bash", user: "7", cwd: "/w" }).process).toEqual({
    pid: 1,
    start: "0",
    uid: 7,
    exe: "/usr/bin/bash",
    cwd: "/w",
  });
});

test("values that make no event are refused by name", () => {
  const problem = (fields: Readonly<Record<string, unknown>>): string => {
    const event = eventOfFields(fields);
    return event.ok ? "" : event.error.message;
  };
  expect(problem({ action: "exe" })).toContain('did you mean "exec"');
  expect(problem({ action: "file.read", path: "/a", argv: ["x"] })).toContain("file.read has no argv");
  expect(problem({ action: "file.read" })).toBe("it needs path");
  expect(problem({ action: "tool.call" })).toBe("it needs tool");
  expect(problem({ action: "net.connect", address: "::1", port: "x" })).toContain("port is not a whole number");
  expect(problem({ action: "net.connect", address: "::1", protocol: "tpc" })).toContain("unknown protocol");
  expect(problem({ pth: "/a" })).toContain('did you mean "path"');
});
