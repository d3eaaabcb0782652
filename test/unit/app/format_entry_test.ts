import { describe, expect, test } from "bun:test";
import { formatEntry } from "../../../lib/app/format_entry.ts";
import { painter } from "../../../lib/app/format_text.ts";
import {
  type Action,
  ACTION_TYPES,
  type Decision,
  type DecisionId,
  type Entry,
  type Outcome,
} from "../../../lib/core/mod.ts";
import { entry } from "./support.ts";

const PLAIN = { paint: painter({ isTty: false, env: {} }), columns: 0 };
const DECISION_ID = "01JABCDEFGHJKMNPQRSTVWXYZ3" as DecisionId;
const PREFIX = "2026-01-02 03:04:05.678     1234  ";

const denied: Decision = {
  decision_id: DECISION_ID,
  verdict: "deny",
  rule: "no-test-net",
  reason: "no",
  mode: "enforce",
  policy: { name: "p", digest: "d", generation: 1 },
};
const prevented: Outcome = { decision_id: DECISION_ID, label: "prevented", mechanism: "cgroup" };
const connect: Action = { type: "net.connect", protocol: "tcp", address: "192.0.2.1", port: 443 };

function shown(more: Partial<Entry>): string {
  return formatEntry(entry({ process: { pid: 1234, start: "5" }, ...more }), PLAIN);
}

describe("actions", () => {
  const cases: readonly (readonly [Action, string])[] = [
    [{ type: "exec", path: "/usr/bin/git", argv: ["git", "push", "--force"] }, "exec /usr/bin/git push --force"],
    [
      { type: "exec", path: "/w/a b.sh", argv: ["x"], interpreter: "/bin/sh", flags: ["script", "memfd"] },
      "exec '/w/a b.sh' (by /bin/sh) [script memfd]",
    ],
    [{ type: "exec.failed", requested_path: "nope", errno: "ENOENT" }, "exec failed nope ENOENT"],
    [{ type: "exec.failed", errno: "EFAULT" }, "exec failed '?' EFAULT"],
    [{ type: "process.fork", child: { pid: 9, start: "1" } }, "fork 9"],
    [{ type: "process.exit", exit_code: 3 }, "exit 3"],
    [{ type: "process.exit", signal: 9 }, "exit by signal 9"],
    [{ type: "file.read", path: "/a", result: "0" }, "read /a"],
    [{ type: "file.write", path: "/a", result: "EACCES", count: 3 }, "write /a EACCES (3 times)"],
    [{ type: "file.chmod", path: "/a", mode: "0644", result: "0" }, "chmod /a 0644"],
    [{ type: "file.chown", path: "/a", owner: "0:-1", result: "EPERM" }, "chown /a 0:-1 EPERM"],
    [{ type: "file.rename", path: "/a", new_path: "/b c", result: "0" }, "rename /a -> '/b c'"],
    [connect, "connect 192.0.2.1:443 tcp"],
    [
      { ...connect, address: "2001:db8::1", host: "h.example", result: "ECONNREFUSED" },
      "connect [2001:db8::1]:443 tcp (h.example) ECONNREFUSED",
    ],
    [{ type: "unix.connect", path: "@x", result: "0" }, "connect unix:@x"],
    [{ type: "tool.call", tool: "Bash", source: "mcp", server: "s", args: { a: 1 } }, 'tool Bash on s {"a":1}'],
    [{ type: "guard.degraded", detail: "no cgroup" }, "guard.degraded: no cgroup"],
    [{ type: "operator.kill", target: "s1", by: "root" }, "operator.kill s1 by root"],
    [{ type: "session.start", agent: "claude" }, "session started: claude"],
    [{ type: "session.end", agent: "claude", exit_code: 0 }, "session ended: claude with 0"],
    [{ type: "session.end", agent: "claude", signal: 15 }, "session ended: claude by signal 15"],
  ];
  test.each([...cases])("%j", (action, summary) => {
    expect(shown({ action })).toBe(`${PREFIX}   ${summary}`);
  });

  test("an action type of a newer version is shown as it is", () => {
    const action: Action = JSON.parse('{"type":"quantum.leap","x":"\\u001b[2J"}');
    expect(shown({ action })).toContain('{"type":"quantum.leap","x":"\\\\u001b[2J"}');
  });
});

describe("verdicts", () => {
  test("denied", () => {
    expect(shown({ kind: "decision", action: connect, decision: denied, outcome: prevented })).toBe(
      `${PREFIX}x  connect 192.0.2.1:443 tcp  DENIED by no-test-net (prevented, cgroup)`,
    );
  });

  const { rule: _rule, ...by_default } = denied;
  const cases: readonly (readonly [Decision, string, string])[] = [
    [by_default, "x", "DENIED by default"],
    [{ ...denied, verdict: "allow" }, "+", "allowed by no-test-net"],
    [{ ...denied, verdict: "ask" }, "?", "ASKED by no-test-net"],
    [{ ...denied, verdict: "redact" }, "~", "REDACTED by no-test-net"],
    [{ ...denied, verdict: "log" }, "*", "logged by no-test-net"],
    [
      { ...denied, verdict: "allow", would: "deny", mode: "observe" },
      "+",
      "allowed, would be DENIED by no-test-net (observe)",
    ],
  ];
  test.each([...cases])("%j", (decision, mark, words) => {
    expect(shown({ kind: "decision", action: connect, decision })).toBe(
      `${PREFIX}${mark}  connect 192.0.2.1:443 tcp  ${words}`,
    );
  });

  test("an outcome alone names its decision", () => {
    const outcome: Outcome = {
      ...prevented,
      label: "held",
      held_ms: 3,
      by: "a b",
      error: "late",
      bytes_read: 7,
      bytes_written: 8,
    };
    expect(shown({ kind: "outcome", outcome })).toBe(
      `${PREFIX}   outcome of ${DECISION_ID} (held, cgroup, held 3 ms, 7 bytes read, 8 bytes written, by 'a b', late)`,
    );
  });
});

describe("gaps, alarms, bare entries", () => {
  test("gap", () => {
    const gap = { source: "telemetry", type: "record", count: 12, cpu: 1, from: "5", to: "16" };
    const { process: _process, ...line } = entry({ kind: "gap", gap });
    expect(formatEntry(line, PLAIN)).toBe(
      "2026-01-02 03:04:05.678        -  !  GAP in telemetry: 12 record (cpu 1, 5 to 16)",
    );
    expect(shown({ kind: "gap", gap: { source: "coverage", type: "i386", count: 1 } })).toContain(
      "GAP in coverage: 1 i386",
    );
  });

  test("alarms are marked", () => {
    expect(shown({ kind: "guard", action: { type: "guard.tamper", detail: "x" } })).toContain("!  guard.tamper: x");
  });

  test("a look-up with its first answers", () => {
    const dns = (...answers: readonly string[]): Action => ({
      type: "net.dns",
      name: "api.example",
      answers,
      ttl_s: 9,
    });
    const lines = [dns(), dns("192.0.2.1"), dns("a", "b", "c", "d", "e", "f")].map((action) => shown({ action }));
    expect(lines.map((line) => line.slice(line.indexOf("resolve")))).toEqual([
      "resolve api.example -> nothing",
      "resolve api.example -> 192.0.2.1",
      "resolve api.example -> a, b, c, d and 2 more",
    ]);
  });

  test("nothing but a kind", () => {
    expect(shown({ kind: "checkpoint" })).toBe(`${PREFIX}   checkpoint`);
  });
});

describe("hostile text", () => {
  const evil = "\x1b[2J\x1b]0;owned\x07\u202e\n\r\x9bx";
  const texts = {
    path: evil,
    requested_path: evil,
    new_path: evil,
    result: evil,
    argv: [evil, evil, evil],
    interpreter: evil,
    errno: evil,
    mode: evil,
    owner: evil,
    address: evil,
    host: evil,
    name: evil,
    answers: [evil, evil],
    tool: evil,
    server: evil,
    args: { x: evil },
    detail: evil,
    target: evil,
    by: evil,
    agent: evil,
  };
  /** Every action type with every text hostile. */
  const actions = ACTION_TYPES.map((type): Action =>
    JSON.parse(JSON.stringify({ type, ...texts, child: { pid: 1, start: evil }, protocol: "tcp", port: 1 }))
  );
  test.each(actions.map((action) => [action.type, action] as const))("%s", (_type, action) => {
    const line = formatEntry(
      entry({
        action,
        time: evil,
        decision: { ...denied, rule: evil },
        outcome: { ...prevented, by: evil, error: evil, decision_id: evil as DecisionId },
        gap: { source: evil, type: evil, count: 1, from: evil, to: evil },
      }),
      PLAIN,
    );
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  test("with colours, only our own sequences", () => {
    const action: Action = { type: "file.read", path: evil, result: evil };
    const line = formatEntry(entry({ action, decision: denied }), {
      paint: painter({ isTty: true, env: {} }),
      columns: 80,
    });
    const ours = ["31", "32", "33", "39", "2", "22"].map((code) => `\x1b[${code}m`);
    const stripped = ours.reduce((text, sequence) => text.replaceAll(sequence, ""), line);
    expect(stripped).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(line).toContain("\x1b[31mDENIED\x1b[39m");
  });

  test("a command line is cut to the terminal, a path never", () => {
    const argv = Array.from({ length: 1_000 }, () => "argument");
    const exec = formatEntry(entry({ action: { type: "exec", path: "/bin/x", argv } }), { ...PLAIN, columns: 100 });
    expect(exec.length).toBeLessThanOrEqual(100);
    expect(exec).toMatch(/\(\+\d+ more\)$/);
    const path = `/${"p".repeat(4_000)}`;
    expect(formatEntry(entry({ action: { type: "file.read", path, result: "0" } }), { ...PLAIN, columns: 80 }))
      .toContain(path);
  });
});
