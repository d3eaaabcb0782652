/** Replay and diff: exactly the actions on which two answers differ. */
import { describe, expect, test } from "bun:test";
import type { Entry } from "../../../lib/core/mod.ts";
import {
  compareDiff,
  compareReplay,
  type Comparison,
  diffRules,
  EventRebuilder,
  showPolicy,
} from "../../../lib/decide/mod.ts";
import { connect, entryOf, exec, policyOf, read, recording, SESSION } from "./support.ts";

const DENY_B = `version = 1
[[rules]]
name = "b"
action = "file.read"
path = "/w/b"
verdict = "deny"
`;

function differences(comparison: Comparison, entries: readonly Entry[]): readonly string[] {
  return entries.flatMap((entry) => {
    const found = comparison.next(entry);
    return found === undefined ? [] : [`${found.seq} ${found.before.verdict} ${found.after.verdict}`];
  });
}

describe("replay", () => {
  test("exactly what differs, with the sums", () => {
    const entries = recording(read("/w/a"), read("/w/b"), [read("/w/c"), { decision: { verdict: "deny", rule: "c" } }]);
    const comparison = compareReplay(policyOf(DENY_B));
    expect(differences(comparison, entries)).toEqual(["2 allow deny", "3 deny allow"]);
    expect(comparison.summary()).toMatchObject({
      entries: 3,
      actions: 3,
      differences: 2,
      changes: { "allow -> deny": 1, "deny -> allow": 1 },
      after: { allow: 2, deny: 1 },
    });
  });

  test("the policy of the recording gives no difference, also where it only observed or could not ask", () => {
    const asking = policyOf(DENY_B.replace('"deny"', '"ask"'));
    const ruling = asking.evaluate({ time_us: 0, action: read("/w/b") });
    const decision = {
      ...ruling,
      verdict: "deny" as const,
      reason: `nobody can approve yet, so denied: ${ruling.reason}`,
    };
    expect(differences(compareReplay(asking), recording([read("/w/b"), { decision }]))).toEqual([]);
    const observing = policyOf(`mode = "observe"\n${DENY_B}`);
    const seen = observing.evaluate({ time_us: 0, action: read("/w/b") });
    expect(differences(compareReplay(observing), recording([read("/w/b"), { decision: seen }]))).toEqual([]);
    expect(differences(compareReplay(policyOf(DENY_B)), recording([read("/w/b"), { decision: seen }]))).toEqual([
      "1 allow deny",
    ]);
  });

  test("outcomes, gaps and the guard's own entries are no actions", () => {
    const entries = [
      entryOf(read("/w/b"), 1, { kind: "outcome" }),
      entryOf({ type: "guard.start", detail: "" }, 2, { kind: "guard" }),
      entryOf(read("/w/b"), 3),
    ];
    const comparison = compareReplay(policyOf(DENY_B));
    expect(differences(comparison, entries)).toEqual(["3 allow deny"]);
    expect(comparison.summary()).toMatchObject({ entries: 3, actions: 1 });
  });
});

describe("events from entries", () => {
  const process = { pid: 8, start: "8", uid: 1000, exe: "/usr/bin/git" };

  test("an exec is the act of the caller; later actions have what the exec said; children inherit it", () => {
    const rebuilder = new EventRebuilder({ home: "/home/u" });
    const program = { ...process, argv: ["git", "clone"], cwd: "/w" };
    const start = { type: "session.start", agent: "claude" } as const;
    rebuilder.next(entryOf(start, 1, { kind: "session" }));
    rebuilder.next(entryOf({ type: "exec", path: "/bin/sh", argv: ["sh"], cwd: "/w" }, 2, {
      process: { ...process, exe: "/bin/sh", argv: ["sh"], cwd: "/w" },
    }));
    const exec_git = entryOf({ type: "exec", path: "/usr/bin/git", argv: ["git", "clone"], cwd: "/w" }, 3, {
      process: program,
    });
    expect(rebuilder.next(exec_git)?.event.process?.exe).toBe("/bin/sh");
    const file = rebuilder.next(entryOf(read("/w/x"), 4, { process }))?.event;
    expect(file?.process).toMatchObject({ exe: "/usr/bin/git", cwd: "/w", argv: ["git", "clone"] });
    expect(file?.session).toMatchObject({
      session_id: SESSION,
      agent: "claude",
      home: "/home/u",
      principal: "uid-1000",
    });
    rebuilder.next(entryOf({ type: "process.fork", child: { pid: 9, start: "9" } }, 5, { process }));
    const child = rebuilder.next(entryOf(read("/w/y"), 6, { process: { pid: 9, start: "9" } }))?.event;
    expect(child?.process).toMatchObject({ pid: 9, exe: "/usr/bin/git", cwd: "/w" });
    rebuilder.next(entryOf({ type: "process.exit", exit_code: 0 }, 7, { process: { pid: 9, start: "9" } }));
    const other = rebuilder.next(entryOf(read("/w/y"), 8, { process: { pid: 9, start: "9" } }))?.event;
    expect(other?.process).toEqual({ pid: 9, start: "9" });
  });

  test("a relative name says where the process is", () => {
    const rebuilder = new EventRebuilder();
    rebuilder.next(entryOf(exec("/usr/bin/git"), 1, { process: { ...process, cwd: "/w" } }));
    const first = rebuilder.next(entryOf(read("/w/clone/src/x", { requested_path: "src/x" }), 2, { process }))?.event;
    expect(first?.base).toBe("/w/clone");
    const link = rebuilder.next(entryOf(read("/w/clone/real", { requested_path: "link" }), 3, { process }))?.event;
    expect(link?.base).toBeUndefined();
    expect(link?.process?.cwd).toBe("/w/clone");
  });
});

describe("diff", () => {
  const other = DENY_B.replace("/w/b", "/w/a");

  test("rules and defaults by name", () => {
    const before = policyOf(`version = 1\n[default]\nexec = "allow"\n${DENY_B.slice("version = 1\n".length)}`);
    const after = policyOf(
      `version = 1\n[default]\nexec = "ask"\n${
        other.slice("version = 1\n".length)
      }[[rules]]\nname = "new"\naction = "exec"\nexe = "nc"\nverdict = "deny"\n`,
    );
    const diff = diffRules(before, after);
    expect(diff.added.map(({ rule }) => rule)).toEqual(["new"]);
    expect(diff.removed).toEqual([]);
    expect(diff.changed.map(({ before, after }) => [before.predicates, after.predicates])).toEqual([
      [{ path: ["/w/b"] }, { path: ["/w/a"] }],
    ]);
    expect(diff.defaults).toEqual([{ action: "exec", before: "allow", after: "ask" }]);
    expect(diffRules(before, before)).toEqual({ added: [], removed: [], changed: [], defaults: [] });
  });

  test("actions of a recording, whatever was decided then", () => {
    const entries = recording(
      [read("/w/a"), { decision: { verdict: "deny" } }],
      read("/w/b"),
      connect("192.0.2.1", 1),
    );
    expect(differences(compareDiff(policyOf(DENY_B), policyOf(other)), entries)).toEqual([
      "1 allow deny",
      "2 deny allow",
    ]);
  });
});

test("show names every rule with its origin and its conditions as written", () => {
  const shown = showPolicy(
    policyOf(`${DENY_B}[[rules]]
name = "many"
action = ["exec", "net.connect"]
by = ["bash", "/bin/*"]
user = [0, "7"]
except = [{ action = "exec" }, { by = "sh" }]
verdict = "ask"
`),
  );
  expect(shown.rules).toMatchObject([
    { rule: "b", file: "p.toml", line: 2, layer: 1, predicates: { path: ["/w/b"] }, except: [] },
    {
      rule: "many",
      line: 7,
      verdict: "ask",
      predicates: { by: ["bash", "/bin/*"], user: ["0", "7"] },
      except: [{ action: ["exec"] }, { by: ["sh"] }],
    },
  ]);
});

test("what rules remember is replayed in the order of the recording", () => {
  const policy = policyOf(`version = 1
[[rules]]
name = "secret"
action = "file.read"
path = "/w/secret"
verdict = "log"
[[rules]]
name = "no-egress"
action = "net.connect"
after = { rule = "secret", within = "session" }
verdict = "deny"
`);
  const entries = recording(connect("192.0.2.1", 1), read("/w/secret"), connect("192.0.2.1", 2));
  expect(differences(compareReplay(policy), entries)).toEqual(["2 allow log", "3 allow deny"]);
});
