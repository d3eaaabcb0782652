/** OCSF events, literally: classes, members, what has no place, the chain of 1.9. */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { canonicalJson, type Entry } from "../../../lib/core/mod.ts";
import { DECISION_ID, DENIED, entry, ENTRY_ID, json, lines, SESSION_ID, unknownAction } from "./support.ts";

const PROCESS = {
  pid: 42,
  uid: "b/42/99",
  name: "bash",
  file: { name: "bash", path: "/usr/bin/bash", type_id: 1, type: "Regular File" },
  user: { uid: "1000" },
  parent_process: { pid: 1 },
};
const ACTOR = { process: PROCESS, user: { name: "ops", uid: "ops" }, session: { uid: SESSION_ID } };
const ORIGIN = { prev: "0".repeat(64), boot_id: "b" };
const POLICY = { name: "p", uid: "d1", version: "2" };

function metadata(event_code: string, profiles: readonly string[], correlation_uid?: string): object {
  return {
    version: "1.8.0",
    product: { name: "agentguard", vendor_name: "agentguard", version: "1.2.3" },
    profiles,
    uid: ENTRY_ID,
    sequence: 7,
    event_code,
    original_time: "2026-01-02T03:04:05.678901Z",
    ...(correlation_uid === undefined ? {} : { correlation_uid }),
  };
}

const COMMON = { time: 1_767_323_045_678, device: { hostname: "h1", type_id: 0, type: "Unknown" } };
const INFO = { severity_id: 1, severity: "Informational" };
const MEDIUM = { severity_id: 3, severity: "Medium" };

function classOf(
  uid: number,
  name: string,
  category: readonly [number, string],
  activity: readonly [number, string],
): object {
  return {
    activity_id: activity[0],
    activity_name: activity[1],
    category_uid: category[0],
    category_name: category[1],
    class_uid: uid,
    class_name: name,
    type_uid: uid * 100 + activity[0],
    type_name: `${name}: ${activity[1]}`,
  };
}

describe("OCSF 1.8", () => {
  test("a program start is Process Activity", () => {
    const one = entry({
      action: { type: "exec", path: "/usr/bin/git", argv: ["git", "a b"], cwd: "/w", flags: ["script"] },
    });
    expect(json({ format: "ocsf" }, one)).toEqual({
      ...classOf(1007, "Process Activity", [1, "System Activity"], [1, "Launch"]),
      ...COMMON,
      ...INFO,
      message: "exec /usr/bin/git",
      metadata: metadata("exec", ["host"]),
      actor: ACTOR,
      process: {
        ...PROCESS,
        name: "git",
        file: { name: "git", path: "/usr/bin/git", type_id: 1, type: "Regular File" },
        cmd_line: "git 'a b'",
        working_directory: "/w",
      },
      launch_type_id: 3,
      launch_type: "Exec",
      unmapped: { kind: "observation", ...ORIGIN, action: { flags: ["script"] } },
    });
  });

  test("a read is File System Activity with the control's action", () => {
    const decision = { ...DENIED, verdict: "allow" } as const;
    const one = entry({ action: { type: "file.read", path: "/etc/passwd", result: "0" }, decision });
    expect(json({ format: "ocsf" }, one)).toEqual({
      ...classOf(1001, "File System Activity", [1, "System Activity"], [2, "Read"]),
      ...COMMON,
      ...INFO,
      status_id: 1,
      status: "Success",
      message: "file.read /etc/passwd: allow by no-net",
      metadata: metadata("file.read", ["host", "security_control"], DECISION_ID),
      action_id: 1,
      action: "Allowed",
      disposition_id: 1,
      disposition: "Allowed",
      policy: POLICY,
      actor: ACTOR,
      file: { name: "passwd", path: "/etc/passwd", type_id: 0, type: "Unknown" },
      unmapped: { kind: "observation", ...ORIGIN, decision },
    });
  });

  test("a decision that stands in the way is a Detection Finding", () => {
    const action = {
      type: "net.connect",
      protocol: "tcp",
      address: "2001:db8::1",
      port: 443,
      host: "e.example",
    } as const;
    expect(json({ format: "ocsf" }, entry({ kind: "decision", action, decision: DENIED }))).toEqual({
      ...classOf(2004, "Detection Finding", [2, "Findings"], [1, "Create"]),
      ...COMMON,
      ...MEDIUM,
      status_id: 1,
      status: "New",
      message: "net.connect [2001:db8::1]:443: deny by no-net",
      metadata: metadata("net.connect", ["host", "security_control"], DECISION_ID),
      action_id: 2,
      action: "Denied",
      disposition_id: 2,
      disposition: "Blocked",
      policy: POLICY,
      is_alert: true,
      finding_info: {
        uid: DECISION_ID,
        title: "net.connect [2001:db8::1]:443: deny by no-net",
        desc: "rule no-net",
        types: ["net.connect"],
        created_time: COMMON.time,
        analytic: { name: "no-net", type_id: 1, type: "Rule" },
      },
      evidences: [{
        name: "net.connect",
        actor: ACTOR,
        process: PROCESS,
        connection_info: {
          direction_id: 2,
          direction: "Outbound",
          protocol_name: "tcp",
          protocol_num: 6,
          protocol_ver_id: 6,
        },
        dst_endpoint: { ip: "2001:db8::1", port: 443, hostname: "e.example" },
      }],
      unmapped: {
        kind: "decision",
        ...ORIGIN,
        action: { protocol: "tcp", address: "2001:db8::1", port: 443, host: "e.example" },
        decision: DENIED,
      },
    });
  });

  test("its outcome is the Network Activity that was denied", () => {
    const outcome = { decision_id: DECISION_ID, label: "prevented", mechanism: "cgroup" } as const;
    const action = { type: "net.connect", protocol: "tcp", address: "192.0.2.1", port: 443 } as const;
    expect(json({ format: "ocsf" }, entry({ kind: "outcome", action, outcome }))).toEqual({
      ...classOf(4001, "Network Activity", [4, "Network Activity"], [1, "Open"]),
      ...COMMON,
      ...MEDIUM,
      status_id: 2,
      status: "Failure",
      message: "net.connect 192.0.2.1:443 (prevented)",
      metadata: metadata("net.connect", ["host", "security_control"], DECISION_ID),
      action_id: 2,
      action: "Denied",
      disposition_id: 2,
      disposition: "Blocked",
      actor: ACTOR,
      connection_info: {
        direction_id: 2,
        direction: "Outbound",
        protocol_name: "tcp",
        protocol_num: 6,
        protocol_ver_id: 4,
      },
      dst_endpoint: { ip: "192.0.2.1", port: 443 },
      unmapped: { kind: "outcome", ...ORIGIN, outcome },
    });
  });

  const CLASSES: readonly (readonly [string, Partial<Entry>, number])[] = [
    ["exec.failed", { action: { type: "exec.failed", requested_path: "/x", errno: "ENOENT" } }, 100_701],
    ["process.fork", { action: { type: "process.fork", child: { pid: 5, start: "1" } } }, 100_701],
    ["process.exit", { action: { type: "process.exit", exit_code: 0 } }, 100_702],
    ["file.create", { action: { type: "file.create", path: "/x", result: "0" } }, 100_101],
    ["file.write", { action: { type: "file.write", path: "/x", result: "0" } }, 100_103],
    ["file.delete", { action: { type: "file.delete", path: "/x", result: "0" } }, 100_104],
    ["file.rename", { action: { type: "file.rename", path: "/x", new_path: "/y", result: "0" } }, 100_105],
    ["file.chmod", { action: { type: "file.chmod", path: "/x", mode: "0644", result: "0" } }, 100_107],
    ["net.listen", { action: { type: "net.listen", protocol: "tcp", address: "::", port: 1 } }, 400_107],
    ["net.bind", { action: { type: "net.bind", protocol: "tcp", address: "::", port: 1 } }, 400_199],
    ["refused", {
      action: { type: "net.connect", protocol: "tcp", address: "::1", port: 1, result: "ECONNREFUSED" },
    }, 400_105],
    ["failed", { action: { type: "unix.connect", path: "/run/x", result: "ENOENT" } }, 400_104],
    ["session.start", { action: { type: "session.start", agent: "claude" } }, 600_203],
    ["guard.ready", { action: { type: "guard.ready", detail: "x" } }, 600_299],
    ["guard.tamper", { action: { type: "guard.tamper", detail: "x" } }, 200_401],
    ["operator.kill", { action: { type: "operator.kill", target: "s", by: "o" } }, 600_399],
    ["tool.call", { action: { type: "tool.call", tool: "t", source: "mcp", server: "s" } }, 600_399],
    ["would be denied", {
      kind: "decision",
      action: { type: "file.read", path: "/x", result: "0" },
      decision: { ...DENIED, verdict: "allow", would: "deny", mode: "observe" },
    }, 200_401],
    ["outcome alone", { outcome: { decision_id: DECISION_ID, label: "prevented", mechanism: "lsm" } }, 200_402],
    ["bytes", { outcome: { decision_id: DECISION_ID, label: "observed", mechanism: "none", bytes_read: 1 } }, 99],
    ["gap", { kind: "gap", gap: { source: "s", type: "t", count: 1 } }, 99],
    ["a newer type of a family", { action: unknownAction("file.teleport", { path: "/x" }) }, 100_199],
    ["a newer type that lacks what its class requires", { action: unknownAction("file.teleport") }, 99],
    ["a newer type", { action: unknownAction("quantum.leap", { far: 1 }) }, 99],
  ];

  test.each(CLASSES)("%s has its class", (_name, more, type_uid) => {
    const event = json({ format: "ocsf" }, entry(more));
    expect(event).toMatchObject({ type_uid, class_uid: Math.floor(type_uid / 100), activity_id: type_uid % 100 });
  });

  test("what has no place goes to unmapped whole", () => {
    const action = unknownAction("quantum.leap", { far: [1, { deep: true }] });
    expect(json({ format: "ocsf" }, entry({ action }))).toMatchObject({
      activity_name: "quantum.leap",
      unmapped: { action: { type: "quantum.leap", far: [1, { deep: true }] } },
    });
  });

  test("a line is inert on a terminal and says the same", () => {
    const path = "/\u001b[2J\u202e\u2028x";
    const one = entry({ action: { type: "file.read", path, result: "0" } });
    expect(lines({ format: "ocsf" }, one)[0]).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u);
    expect(json({ format: "ocsf" }, one)).toMatchObject({ file: { path } });
  });
});

describe("OCSF 1.9", () => {
  const FIRST = entry({ action: { type: "session.start", agent: "claude" } });
  const SECOND = entry({ seq: 8, action: { type: "file.read", path: "/x", result: "0" } });
  const events = lines({ format: "ocsf", profile: "1.9" }, FIRST, SECOND).map((line) => JSON.parse(line));

  test("names the agent by its session", () => {
    for (const event of events) {
      expect(event).toMatchObject({
        ai_agent: { uid: "claude", instance_uid: SESSION_ID, name: "claude", type_id: 0, type: "Unknown" },
        metadata: { version: "1.9.0", profiles: ["host", "ai_operation", "record_integrity"] },
      });
    }
  });

  test("chains the events by fingerprints of their canonical JSON without the fingerprint", () => {
    let before: unknown;
    for (const event of events) {
      const { fingerprint, ...attestation } = event.attestation_list[0];
      const text = canonicalJson({ ...event, attestation_list: [attestation] });
      expect(fingerprint).toEqual({
        algorithm_id: 3,
        algorithm: "SHA-256",
        encoding_id: 1,
        encoding: "Hex",
        value: createHash("sha256").update(text).digest("hex"),
      });
      expect(attestation).toEqual({
        uid: ENTRY_ID,
        authority_uid: "h1",
        chain_uid: `h1/${ENTRY_ID}`,
        ...(before === undefined ? {} : { prev_event: before }),
      });
      before = { uid: ENTRY_ID, type_uid: event.type_uid, fingerprint };
    }
  });

  test("an edited event breaks the chain", () => {
    const [first] = events;
    const { fingerprint, ...attestation } = first.attestation_list[0];
    const text = canonicalJson({ ...first, message: "other", attestation_list: [attestation] });
    expect(createHash("sha256").update(text).digest("hex")).not.toBe(fingerprint.value);
  });
});
