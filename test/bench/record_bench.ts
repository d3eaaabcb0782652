/**
 * How fast the record takes, gives and verifies entries. Prints figures and a ratio to bare SQLite in the same run;
 * asserts nothing about time. `bun test/bench/record_bench.ts [ENTRIES]`, 200,000 entries by default.
 */
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { type EntryDraft, IdGenerator, LIMITS, silentLog, systemClock } from "../../lib/core/mod.ts";
import {
  canonicalJson,
  leafHash,
  messagePort,
  openRecordReader,
  openRecordWriter,
  RECORD_FILE,
  RemoteSink,
  serveRecorder,
} from "../../lib/record/mod.ts";
import { systemTimers } from "../../lib/task/mod.ts";

const ENTRIES = Number(process.argv[2] ?? 200_000);
const ids = new IdGenerator(systemClock);
const session_id = ids.session();

/** An entry of about 440 canonical bytes with its chain fields; about 325 without them. */
function draft(n: number): EntryDraft {
  const process = { pid: 1_000 + (n % 100), start: "123456789", ppid: 1, uid: 1_000, exe: "/usr/bin/bash" };
  if (n % 10 === 0) {
    const policy = { name: "p", digest: "0123abcd", generation: 1 };
    const decision_id = ids.decision();
    const decision = { decision_id, verdict: "deny", rule: "no-egress", reason: "r", mode: "enforce", policy } as const;
    const action = { type: "net.connect", protocol: "tcp", address: "192.0.2.1", port: n % 65_536 } as const;
    return { time_us: systemClock.wallUs(), kind: "decision", session_id, process, action, decision };
  }
  const action = { type: "file.read", path: `/home/user/project/src/file_${n % 5_000}.ts`, result: "0" } as const;
  return { time_us: systemClock.wallUs(), kind: "observation", session_id, process, action };
}

function show(name: string, count: number, ms: number, more = ""): void {
  const rate = Math.round(count / ms * 1_000).toLocaleString("en-US");
  process.stdout.write(
    `${name.padEnd(44)} ${rate.padStart(12)}/s  ${(ms * 1_000 / count).toFixed(2)} us each  ${more}\n`,
  );
}

/** The same bytes into the same file system by SQLite alone, without index, hash or JSON: the baseline. */
function baseline(directory: string, bytes: number): number {
  const database = new Database(join(directory, "baseline.db"), { create: true });
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n INTEGER PRIMARY KEY, b BLOB)");
  const insert = database.prepare("INSERT INTO t VALUES (?, ?)");
  const body = new Uint8Array(bytes).fill(65);
  const start = performance.now();
  for (let n = 0; n < ENTRIES;) {
    database.exec("BEGIN IMMEDIATE");
    for (const end = Math.min(n + LIMITS.commit_entries_max, ENTRIES); n < end; n++) insert.run(n, body);
    database.exec("COMMIT");
  }
  const ms = performance.now() - start;
  insert.finalize();
  database.close(true);
  show("baseline: bare SQLite, same bytes, same groups", ENTRIES, ms);
  return ms;
}

async function append(directory: string, baseline_ms: number): Promise<void> {
  await using writer = openRecordWriter(directory, {
    boot_id: "bench",
    clock: systemClock,
    ids,
    log: silentLog,
    timers: systemTimers,
  });
  const drafts = Array.from({ length: ENTRIES }, (_, n) => draft(n));
  const start = performance.now();
  for (let n = 0; n < ENTRIES; n += LIMITS.commit_entries_max * 8) {
    for (const one of drafts.slice(n, n + LIMITS.commit_entries_max * 8)) writer.append(one);
    await writer.flush();
  }
  const ms = performance.now() - start;
  show("append, durable, all indexes", ENTRIES, ms, `${(ms / baseline_ms).toFixed(2)} x baseline`);
  const waits: number[] = [];
  for (let n = 0; n < 500; n++) {
    const from = performance.now();
    for (let k = 0; k < 10; k++) writer.append(draft(n * 10 + k));
    await writer.flush();
    waits.push(performance.now() - from);
  }
  waits.sort((a, b) => a - b);
  const at = (share: number): string => (waits[Math.floor(waits.length * share)] ?? 0).toFixed(2);
  process.stdout.write(`flush after 10 appends: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, n=${waits.length}\n`);
}

async function appendByChannel(directory: string): Promise<void> {
  await using writer = openRecordWriter(directory, {
    boot_id: "bench",
    clock: systemClock,
    ids,
    log: silentLog,
    timers: systemTimers,
  });
  const channel = new MessageChannel();
  using _served = serveRecorder(messagePort(channel.port2), writer, { log: silentLog });
  using sink = new RemoteSink(messagePort(channel.port1));
  const drafts = Array.from({ length: ENTRIES }, (_, n) => draft(n));
  const start = performance.now();
  for (let n = 0; n < ENTRIES; n += LIMITS.commit_entries_max * 8) {
    for (const one of drafts.slice(n, n + LIMITS.commit_entries_max * 8)) sink.append(one);
    await sink.flush();
  }
  show("append by channel, both ends in one thread", ENTRIES, performance.now() - start);
  channel.port1.close();
}

function read(directory: string): void {
  using reader = openRecordReader(directory);
  const bytes = statSync(join(directory, RECORD_FILE)).size;
  let start = performance.now();
  const report = reader.verify();
  show("verify", report.entries, performance.now() - start, report.ok ? "" : `FAILED at ${report.seq}`);
  process.stdout.write(`size: ${(bytes / report.entries).toFixed(0)} bytes an entry, all in\n`);
  start = performance.now();
  let count = 0;
  for (const _ of reader.query()) count++;
  show("query everything", count, performance.now() - start);
  start = performance.now();
  count = 0;
  for (const _ of reader.query({ rule: "no-egress" })) count++;
  show("query by rule", count, performance.now() - start);
}

function parts(): void {
  const value = { boot_id: "b", prev: "0".repeat(64), seq: 1, ...draft(1) };
  const line = canonicalJson(value);
  const n = 500_000;
  const each: readonly (readonly [string, () => unknown])[] = [
    ["JSON.stringify", () => JSON.stringify(value)],
    ["canonicalJson", () => canonicalJson(value)],
    ["leafHash", () => leafHash(line)],
  ];
  for (const [name, work] of each) {
    const start = performance.now();
    for (let i = 0; i < n; i++) work();
    show(`${name}, ${line.length} characters`, n, performance.now() - start);
  }
}

const directory = mkdtempSync(join(tmpdir(), "agentguard-bench-"));
try {
  process.stdout.write(`${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores, n=${ENTRIES}\n`);
  parts();
  const baseline_ms = baseline(directory, 440);
  await append(join(directory, "local"), baseline_ms);
  read(join(directory, "local"));
  await appendByChannel(join(directory, "channel"));
} finally {
  rmSync(directory, { recursive: true });
}
