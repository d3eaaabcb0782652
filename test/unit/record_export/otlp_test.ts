/** OTLP/JSON batches, literally, and the stream of lines of every format. */
import { describe, expect, test } from "bun:test";
import { EXPORT_FORMATS, exportLines } from "../../../lib/record/export/mod.ts";
import { DECISION_ID, DENIED, entry, ENTRY_ID, json, lines, SESSION_ID, stored, unknownAction } from "./support.ts";

function text(key: string, stringValue: string): object {
  return { key, value: { stringValue } };
}

function integer(key: string, value: number): object {
  return { key, value: { intValue: `${value}` } };
}

describe("OTLP", () => {
  test("a batch names its resource and scope, a record its time, severity, name, body and attributes", () => {
    const one = entry({
      kind: "decision",
      action: { type: "exec", path: "/bin/ls", argv: ["ls", "-l"] },
      decision: DENIED,
      outcome: { decision_id: DECISION_ID, label: "killed_before_effect", mechanism: "signal" },
    });
    const line = stored(one)[0]?.line ?? "";
    expect(json({ format: "otlp" }, one)).toEqual({
      resourceLogs: [{
        resource: {
          attributes: [text("service.name", "agentguard"), text("service.version", "1.2.3"), text("host.name", "h1")],
        },
        scopeLogs: [{
          scope: { name: "agentguard.record", version: "1.2.3" },
          logRecords: [{
            timeUnixNano: "1767323045678901000",
            severityNumber: 17,
            severityText: "ERROR",
            eventName: "agentguard.exec",
            body: { stringValue: "exec /bin/ls: deny by no-net (killed_before_effect)" },
            attributes: [
              text("log.record.uid", ENTRY_ID),
              integer("agentguard.seq", 7),
              text("agentguard.kind", "decision"),
              text("agentguard.prev", "0".repeat(64)),
              text("host.boot.id", "b"),
              text("session.id", SESSION_ID),
              text("agentguard.principal", "ops"),
              integer("process.pid", 42),
              integer("process.parent_pid", 1),
              text("process.executable.path", "/usr/bin/bash"),
              integer("process.real_user.id", 1000),
              text("agentguard.process.start", "99"),
              text("file.path", "/bin/ls"),
              {
                key: "agentguard.argv",
                value: { arrayValue: { values: [{ stringValue: "ls" }, { stringValue: "-l" }] } },
              },
              text("agentguard.decision.id", DECISION_ID),
              text("agentguard.decision.verdict", "deny"),
              text("agentguard.decision.rule", "no-net"),
              text("agentguard.decision.reason", "rule no-net"),
              text("agentguard.decision.mode", "enforce"),
              text("agentguard.policy.name", "p"),
              text("agentguard.policy.digest", "d1"),
              integer("agentguard.policy.generation", 2),
              text("agentguard.outcome.decision_id", DECISION_ID),
              text("agentguard.outcome.label", "killed_before_effect"),
              text("agentguard.outcome.mechanism", "signal"),
              text("log.record.original", line),
            ],
          }],
        }],
      }],
    });
  });

  test("batches hold so many entries, the last what is left", () => {
    const counts = lines({ format: "otlp", batch_entries: 2 }, entry(), entry({ seq: 8 }), entry({ seq: 9 })).map((
      line,
    ) => JSON.parse(line).resourceLogs[0].scopeLogs[0].logRecords.length);
    expect(counts).toEqual([2, 1]);
    expect(lines({ format: "otlp" })).toEqual([]);
    expect(() => lines({ format: "otlp", batch_entries: 0 }, entry())).toThrow("batches");
  });

  test("long entries end a batch early", () => {
    const long = entry({ action: { type: "tool.call", tool: "t", source: "s", args: "x".repeat(600_000) } });
    expect(lines({ format: "otlp" }, long, long, long)).toHaveLength(2);
  });

  test("an entry of a newer version is a record all the same", () => {
    const one = entry({ action: unknownAction("quantum.leap", { far: 1 }) });
    expect(lines({ format: "otlp" }, one)[0]).toContain('"eventName":"agentguard.quantum.leap"');
    expect(lines({ format: "otlp" }, one)[0]).toContain('\\"far\\":1');
  });
});

describe("every format", () => {
  test("JSON lines are the stored text", () => {
    expect(lines({ format: "jsonl" }, entry())).toEqual(stored(entry()).map(({ line }) => line));
  });

  test.each(EXPORT_FORMATS)("%s takes entries one by one and gives lines as soon as it can", (format) => {
    let taken = 0;
    function* source(): Generator<{ seq: number; line: string }> {
      for (let n = 0; n < 5; n++) {
        taken++;
        yield { seq: n, line: stored(entry())[0]?.line ?? "" };
      }
    }
    const made = exportLines(source(), { format, product_version: "1", host: "h", batch_entries: 1 });
    expect(made.next().done).toBe(false);
    expect(taken).toBe(1);
  });

  test.each(["ocsf", "cef", "otlp"] as const)("%s refuses a text that is no entry, naming it", (format) => {
    const bad = [{ seq: 12, line: '{"seq":12}' }];
    expect(() => [...exportLines(bad, { format, product_version: "1", host: "h" })]).toThrow("entry 12");
  });
});
