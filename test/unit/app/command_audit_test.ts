/** `audit query` and `audit verify` on real records. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { parseCommandLine } from "../../../lib/app/cli.ts";
import { commandAudit } from "../../../lib/app/command_audit.ts";
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
  const command = parsed.value;
  switch (command.kind) {
    case "audit.query":
    case "audit.export":
    case "audit.prune":
    case "audit.erase":
    case "audit.hold.add":
    case "audit.hold.list":
    case "audit.hold.release":
    case "audit.repair":
    case "audit.anchor":
    case "audit.verify":
    case "audit.prove":
    case "audit.check-proof":
    case "audit.consistency":
    case "audit.checkpoint":
    case "audit.rotate-key":
      return await commandAudit(command, io);
    default:
      throw new Error(`not an audit command: ${command.kind}`);
  }
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
    ["--before-seq 3", [1, 2]],
    ["--newest --before-seq 4 --limit 2", [3, 2]],
    ["--before-seq 1", []],
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
    expect(io.stdout.text).toMatch(/^ok: 4 entries of .*record\.db verify, head 4 [0-9a-f]{64}\nsigned: .*\n$/);
    const json = memoryIo();
    expect(await carryOut(`audit verify --json --state ${dir.path}`, json)).toBe(0);
    expect(JSON.parse(json.stdout.text)).toMatchObject({ ok: true, entries: 4, head_seq: 4 });
  });

  const changes: readonly (readonly [string, string, number])[] = [
    ["an edited entry", "UPDATE texts SET data = CAST(replace(data, '192.0.2.1', '192.0.2.9') AS BLOB)", 3],
    ["a removed end", "DELETE FROM texts", 1],
    ["a changed index", "UPDATE terms SET value = 'allow' WHERE value = 'deny'", 1],
    ["a changed hash", "UPDATE tiles SET data = zeroblob(128) WHERE id = 0", 1],
    ["another key", "UPDATE keys SET public = zeroblob(32)", 1],
    ["a changed checkpoint", "UPDATE checkpoints SET root = zeroblob(32) WHERE size = 4", 4],
  ];
  test.each([...changes])("%s: exit 1 and the place", async (_name, sql, seq) => {
    using dir = new TempDir();
    await record(dir.path);
    {
      using database = new Database(`${dir.path}/record.db`);
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

/** Prints what a command prints, which must succeed. */
async function print(line: string): Promise<string> {
  const io = memoryIo();
  expect([await carryOut(line, io), io.stderr.text]).toEqual([0, ""]);
  return io.stdout.text;
}

async function fails(line: string): Promise<string> {
  const io = memoryIo();
  expect(await carryOut(line, io)).toBe(1);
  return io.stdout.text + io.stderr.text;
}

function idOf(line: string): string {
  const entry: unknown = JSON.parse(line);
  return typeof entry === "object" && entry !== null && "entry_id" in entry ? String(entry.entry_id) : "";
}

describe("proofs and checkpoints", () => {
  test("a proof is checked with the key alone, and not with another one or changed", async () => {
    using dir = new TempDir();
    await record(dir.path);
    const key = (await print(`audit checkpoint --show-key --state ${dir.path}`)).trimEnd().split("\n").at(-1) ?? "";
    const lines = (await print(`audit query --json --state ${dir.path}`)).trimEnd().split("\n");
    const proof = await print(`audit prove ${idOf(lines[2] ?? "")} --state ${dir.path}`);
    const file = `${dir.path}/proof.json`;
    await Bun.write(file, proof);
    const said = await print(`audit check-proof ${file} --key ${key}`);
    expect(said).toContain("ok: entry 3 of 4 in agentguard/");
    expect(said).toContain("connect 192.0.2.1:443");
    await Bun.write(`${dir.path}/key`, `# the key\n${key}\n`);
    expect(await print(`audit check-proof ${file} --key ${dir.path}/key --json`)).toContain('"ok":true,"seq":3');
    expect(await fails(`audit check-proof ${file} --key ${"00".repeat(32)}`)).toContain("FALSE");
    const both = (await print(`audit check-proof ${file} ${file} --key ${key} --json`)).trim().split("\n");
    expect(both.map((line) => JSON.parse(line))).toMatchObject([{ ok: true, file, seq: 3 }, {
      ok: true,
      file,
      seq: 3,
    }]);
    await Bun.write(file, proof.replace("192.0.2.1", "192.0.2.9"));
    expect(await fails(`audit check-proof ${file} --key ${key}`)).toContain("does not lead to the signed root");
    expect(await fails(`audit prove 01JABCDEFGHJKMNPQRSTVWXYZ9 --state ${dir.path}`)).toContain("no such entry");
  });

  test("a checkpoint is a beginning to verify from, and finds a cut and another record", async () => {
    using dir = new TempDir();
    await record(dir.path);
    const [first, second] = [`${dir.path}/first`, `${dir.path}/second`];
    await Bun.write(first, await print(`audit checkpoint --show-key --state ${dir.path}`));
    await record(dir.path);
    await Bun.write(second, await print(`audit checkpoint --state ${dir.path}`));
    expect(await print(`audit verify --from ${first} --state ${dir.path}`)).toContain("ok: 4 entries");
    expect(await print(`audit consistency ${first} ${second} --state ${dir.path}`)).toContain("first 4 of 8 entries");
    expect(await fails(`audit consistency ${second} ${first} --state ${dir.path}`)).toContain("INCONSISTENT");
    {
      using database = new Database(`${dir.path}/record.db`);
      for (const sql of CUT_TO_FOUR) database.run(sql);
    }
    // Without a checkpoint from elsewhere nothing is wrong with it.
    expect(await print(`audit verify --state ${dir.path}`)).toContain("ok: 4 entries");
    expect(await fails(`audit verify --from ${second} --state ${dir.path}`)).toContain("entry 5 does not verify: cut");
    expect(await fails(`audit consistency ${first} ${second} --state ${dir.path}`)).toContain("cut");
    using other = new TempDir();
    await record(other.path);
    expect(await fails(`audit verify --from ${first} --state ${other.path}`)).toContain("not signed by key");
  });

  test("a rotated key: the old one and the new one both verify the record", async () => {
    using dir = new TempDir();
    await record(dir.path);
    const key = async (): Promise<string> =>
      (await print(`audit checkpoint --show-key --state ${dir.path}`)).trimEnd().split("\n").at(-1) ?? "";
    const old_key = await key();
    const said = await print(`audit rotate-key --state ${dir.path}`);
    const new_key = await key();
    expect(new_key).not.toBe(old_key);
    expect(said).toEndWith(`${new_key}\n`);
    await record(dir.path);
    for (const trusted of [old_key, new_key]) {
      expect(await print(`audit verify --key ${trusted} --state ${dir.path}`)).toContain("ok: 9 entries");
    }
    expect(await fails(`audit verify --key ${"11".repeat(32)} --state ${dir.path}`)).toContain("foreign_key");
    expect(await print(`audit query --type guard.key.rotated --state ${dir.path}`)).toContain(
      "guard.key.rotated: old ",
    );
  });

  test("a key is not rotated while a writer holds the record, nor where there is none", async () => {
    using dir = new TempDir();
    expect(await fails(`audit rotate-key --state ${dir.path}`)).toContain("no such file");
    await using writer = openRecordWriter(dir.path, {
      boot_id: "boot",
      clock: systemClock,
      ids: new IdGenerator(systemClock),
      log: silentLog,
      timers: systemTimers,
    });
    await writer.flush();
    expect(await fails(`audit rotate-key --state ${dir.path}`)).toContain("another guard writes it");
  });
});

/** A cut as one who knows the tables makes it: back to the state after the first four entries. */
const CUT_TO_FOUR: readonly string[] = [
  "DELETE FROM checkpoints WHERE size > 4",
  "DELETE FROM texts WHERE first_seq > 4",
  "UPDATE tiles SET data = CAST(substr(data, 1, 128) AS BLOB) WHERE id = 0",
];
