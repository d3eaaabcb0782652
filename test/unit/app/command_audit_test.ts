/** `audit query` and `audit verify` on real records. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { parseCommandLine } from "../../../lib/app/cli.ts";
import { commandAuditQuery, commandAuditVerify } from "../../../lib/app/command_audit.ts";
import {
  type Clock,
  type Decision,
  type DecisionId,
  type EntryDraft,
  IdGenerator,
  silentLog,
  systemClock,
} from "../../../lib/core/mod.ts";
import { openRecordWriter } from "../../../lib/record/mod.ts";
import { systemTimers } from "../../../lib/task/mod.ts";
import { type MemoryIo, memoryIo, MemoryWriter, NOW_US, SESSION, TempDir } from "./support.ts";

const denied: Decision = {
  decision_id: "01JABCDEFGHJKMNPQRSTVWXYZ3" as DecisionId,
  verdict: "deny",
  rule: "no-test-net",
  reason: "no",
  mode: "enforce",
  policy: { name: "p", digest: "d", generation: 1 },
};
const clock: Clock = { wallUs: () => NOW_US, monotonicUs: () => 0 };
const HOUR_US = 3_600_000_000;

const DRAFTS: readonly EntryDraft[] = [
  {
    time_us: NOW_US - 3 * HOUR_US,
    kind: "session",
    session_id: SESSION,
    action: { type: "session.start", agent: "x" },
  },
  {
    time_us: NOW_US - 2 * HOUR_US,
    kind: "observation",
    session_id: SESSION,
    process: { pid: 7, start: "1" },
    action: { type: "file.read", path: "/etc/\x1b[2Jpasswd", result: "0" },
  },
  {
    time_us: NOW_US - HOUR_US,
    kind: "decision",
    process: { pid: 8, start: "1" },
    action: { type: "net.connect", protocol: "tcp", address: "192.0.2.1", port: 443 },
    decision: denied,
  },
  { time_us: NOW_US, kind: "gap", gap: { source: "telemetry", type: "record", count: 3 } },
];

async function record(directory: string, drafts: readonly EntryDraft[] = DRAFTS): Promise<void> {
  await using writer = openRecordWriter(directory, {
    boot_id: "boot",
    clock,
    ids: new IdGenerator(clock),
    log: silentLog,
    timers: systemTimers,
  });
  for (const draft of drafts) writer.append(draft);
  await writer.flush();
}

async function carryOut(line: string, io: MemoryIo): Promise<number> {
  const parsed = parseCommandLine(line.split(" "));
  if (!parsed.ok) throw new Error(parsed.error.message);
  if (parsed.value.kind === "audit.query") return await commandAuditQuery(parsed.value, io);
  if (parsed.value.kind === "audit.verify") return await commandAuditVerify(parsed.value, io);
  throw new Error(`not an audit command: ${parsed.value.kind}`);
}

async function seqs(directory: string, options: string): Promise<readonly number[]> {
  const io = memoryIo({ env: { AGENTGUARD_STATE: directory } });
  expect(await carryOut(`audit query --json ${options}`.trim(), io)).toBe(0);
  expect(io.stderr.text).toBe("");
  return io.stdout.lines().map((line) => {
    const parsed: unknown = JSON.parse(line);
    return typeof parsed === "object" && parsed !== null && "seq" in parsed ? Number(parsed.seq) : Number.NaN;
  });
}

describe("audit query", () => {
  const cases: readonly (readonly [string, readonly number[]])[] = [
    ["", [1, 2, 3, 4]],
    ["--newest", [4, 3, 2, 1]],
    ["--newest --limit 1", [4]],
    ["--limit 2", [1, 2]],
    ["--after-seq 2", [3, 4]],
    [`--session ${SESSION}`, [1, 2]],
    ["--type file.*", [2]],
    ["--type net.connect", [3]],
    ["--kind gap", [4]],
    ["--verdict deny", [3]],
    ["--rule no-test-net", [3]],
    ["--rule other", []],
    ["--text 192.0.2.1", [3]],
    ["--pid 7", [2]],
    ["--since 150m", [2, 3, 4]],
    ["--since 2026-01-02T02:00:00Z", [3, 4]],
    ["--until 2026-01-02T02:00:00Z", [1, 2]],
    ["--since 150m --until 30m", [2, 3]],
    ["--since 150m --verdict deny --pid 7", []],
  ];
  test.each([...cases])("%s", async (options, expected) => {
    using dir = new TempDir();
    await record(dir.path);
    expect(await seqs(dir.path, options)).toEqual([...expected]);
  });

  test("for people: one safe line each", async () => {
    using dir = new TempDir();
    await record(dir.path);
    const io = memoryIo();
    expect(await carryOut(`audit query --state ${dir.path}`, io)).toBe(0);
    expect(io.stdout.lines()).toHaveLength(4);
    expect(io.stdout.text).not.toContain("\x1b");
    expect(io.stdout.lines()[2]).toContain("connect 192.0.2.1:443 tcp  DENIED by no-test-net");
  });

  test("while a writer holds the record", async () => {
    using dir = new TempDir();
    await using writer = openRecordWriter(dir.path, {
      boot_id: "boot",
      clock: systemClock,
      ids: new IdGenerator(systemClock),
      log: silentLog,
      timers: systemTimers,
    });
    for (const draft of DRAFTS) writer.append(draft);
    await writer.flush();
    expect(await seqs(dir.path, "")).toEqual([1, 2, 3, 4]);
  });

  test("a reader that goes away ends it quietly with 0", async () => {
    using dir = new TempDir();
    const drafts = Array.from({ length: 3_000 }, () => DRAFTS[1] ?? { time_us: 0, kind: "gap" as const });
    await record(dir.path, drafts);
    const io = memoryIo({ stdout: new MemoryWriter(1) });
    expect(await carryOut(`audit query --json --state ${dir.path}`, io)).toBe(0);
    expect(io.stderr.text).toBe("");
    expect(io.stdout.lines().length).toBeLessThan(3_000);
  });

  test.each(["query", "verify"])("%s without a record: one line, exit 1, nothing made", async (verb) => {
    using dir = new TempDir();
    const io = memoryIo();
    expect(await carryOut(`audit ${verb} --state ${dir.path}/none`, io)).toBe(1);
    expect(io.stdout.text).toBe("");
    expect(io.stderr.lines()).toHaveLength(1);
    expect(io.stderr.text).toContain(`${dir.path}/none/record.db`);
    expect(await Bun.file(`${dir.path}/none/record.db`).exists()).toBe(false);
  });

  test.each(["query", "verify"])("%s on what is no record: exit 1", async (verb) => {
    using dir = new TempDir();
    await Bun.write(`${dir.path}/record.db`, "this is not a database, whatever its name may say".repeat(100));
    const io = memoryIo();
    expect(await carryOut(`audit ${verb} --state ${dir.path}`, io)).toBe(1);
    expect(io.stderr.text + io.stdout.text).toContain("record.db");
  });
});

describe("audit verify", () => {
  test("all is well", async () => {
    using dir = new TempDir();
    await record(dir.path);
    const io = memoryIo();
    expect(await carryOut(`audit verify --state ${dir.path}`, io)).toBe(0);
    expect(io.stdout.text).toMatch(/^ok: 4 entries of .*record\.db verify, head 4 [0-9a-f]{64}\n$/);
    const json = memoryIo();
    expect(await carryOut(`audit verify --json --state ${dir.path}`, json)).toBe(0);
    expect(JSON.parse(json.stdout.text)).toMatchObject({ ok: true, entries: 4, head_seq: 4 });
  });

  const changes: readonly (readonly [string, string, number])[] = [
    ["an edited entry", "UPDATE entries SET body = replace(body, '192.0.2.1', '192.0.2.9') WHERE seq = 3", 3],
    ["a removed entry", "DELETE FROM entries WHERE seq = 2", 2],
    ["a removed end", "DELETE FROM entries WHERE seq = 4", 4],
    ["a changed column", "UPDATE entries SET verdict = 'allow' WHERE seq = 3", 3],
  ];
  test.each([...changes])("%s: exit 1 and the place", async (_name, sql, seq) => {
    using dir = new TempDir();
    await record(dir.path);
    {
      using database = new Database(`${dir.path}/record.db`);
      for (
        const { name } of database.query<{ name: string }, []>("SELECT name FROM sqlite_master WHERE type = 'trigger'")
          .all()
      ) {
        database.run(`DROP TRIGGER "${name}"`);
      }
      database.run(sql);
    }
    const io = memoryIo();
    expect(await carryOut(`audit verify --state ${dir.path}`, io)).toBe(1);
    expect(io.stdout.text).toContain("TAMPERED");
    expect(io.stdout.text).toContain(`entry ${seq} does not verify`);
    const json = memoryIo();
    expect(await carryOut(`audit verify --json --state ${dir.path}`, json)).toBe(1);
    expect(JSON.parse(json.stdout.text)).toMatchObject({ ok: false, seq });
  });
});
