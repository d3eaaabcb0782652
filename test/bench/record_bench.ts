/**
 * How fast the record takes, gives, verifies and proves entries. Prints figures and a ratio to bare SQLite in the same
 * run; asserts nothing about time. `bun test/bench/record_bench.ts [ENTRIES]`, 200,000 entries by default.
 */
import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import {
  canonicalJson,
  type EntryDraft,
  IdGenerator,
  LIMITS,
  type RecordSink,
  silentLog,
  systemClock,
} from "../../lib/core/mod.ts";
import {
  checkProof,
  createRedactor,
  entryOf,
  leafHash,
  messagePort,
  openRecordReader,
  openRecordWriter,
  ProofChecker,
  proveEntry,
  RECORD_FILE,
  RecordWriter,
  RemoteSink,
  serveRecorder,
} from "../../lib/record/mod.ts";
import { verifyInclusion } from "../../lib/record/tree_proof.ts";
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
  const waits: number[] = [];
  for (let n = 0; n < 200; n++) {
    const from = performance.now();
    database.exec("BEGIN IMMEDIATE");
    insert.run(ENTRIES + n, body);
    database.exec("COMMIT");
    waits.push(performance.now() - from);
  }
  waits.sort((a, b) => a - b);
  const at = (share: number): string => (waits[Math.floor(waits.length * share)] ?? 0).toFixed(2);
  process.stdout.write(`baseline: one row, one commit: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms\n`);
  insert.finalize();
  database.close(true);
  show("baseline: bare SQLite, same bytes, same groups", ENTRIES, ms);
  return ms;
}

/** Opens a writer as the guard does. */
function open(directory: string, redact: boolean): RecordWriter {
  return openRecordWriter(directory, {
    boot_id: "00000000-0000-4000-8000-000000000000",
    clock: systemClock,
    ids,
    log: silentLog,
    timers: systemTimers,
    ...(redact ? { redact: createRedactor({ key: new Uint8Array(32) }) } : undefined),
  });
}

/** Appends everything in groups; making a group is not timed. */
async function appendGroups(name: string, sink: RecordSink, baseline_ms: number): Promise<void> {
  const group = LIMITS.commit_entries_max * 8;
  const each_ms: number[] = [];
  let ms = 0;
  for (let n = 0; n < ENTRIES; n += group) {
    const drafts = Array.from({ length: Math.min(group, ENTRIES - n) }, (_, i) => draft(n + i));
    const from = performance.now();
    for (const one of drafts) sink.append(one);
    await sink.flush();
    const took = performance.now() - from;
    ms += took;
    each_ms.push(took / drafts.length);
  }
  const first = Math.round(1_000 / (each_ms[0] ?? 1)).toLocaleString("en-US");
  each_ms.sort((a, b) => a - b);
  const rate = (share: number): string =>
    Math.round(1_000 / (each_ms[Math.floor(each_ms.length * share)] ?? 1)).toLocaleString("en-US");
  const ratio = `${(ms / baseline_ms).toFixed(2)} x baseline`;
  const spread = `median ${rate(0.5)}/s, p99 ${rate(0.99)}/s, best ${rate(0)}/s`;
  show(name, ENTRIES, ms, `${ratio}; ${each_ms.length} groups of ${group}: ${spread}; first group ${first}/s`);
}

async function append(directory: string, redact: boolean, baseline_ms: number): Promise<void> {
  await using writer = open(directory, redact);
  await appendGroups(`append, durable, signed, indexed${redact ? ", redacted" : ""}`, writer, baseline_ms);
}

/** Decisions among 10,000 entries a second: from the append of one to the end of its flush. */
async function latency(directory: string): Promise<void> {
  await using writer = open(directory, false);
  const waits: number[] = [];
  const waiting: Promise<unknown>[] = [];
  const seconds = 4;
  const start = performance.now();
  for (let n = 0; n < seconds * 10_000;) {
    const due = Math.min(seconds * 10_000, (performance.now() - start) * 10);
    for (; n < due; n++) {
      writer.append(draft(n));
      if (n % 10 !== 0) continue;
      const from = performance.now();
      waiting.push(writer.flush().then(() => waits.push(performance.now() - from)));
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(waiting);
  waits.sort((a, b) => a - b);
  const at = (share: number): string => (waits[Math.floor(waits.length * share)] ?? 0).toFixed(2);
  process.stdout.write(
    `decision to durable at 10,000/s: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, n=${waits.length}\n`,
  );
}

async function appendByChannel(directory: string, baseline_ms: number): Promise<void> {
  await using writer = open(directory, false);
  const channel = new MessageChannel();
  using _served = serveRecorder(messagePort(channel.port2), writer, { log: silentLog });
  using sink = new RemoteSink(messagePort(channel.port1));
  await appendGroups("append by channel, both ends in one thread", sink, baseline_ms);
  channel.port1.close();
}

function read(directory: string): void {
  using reader = openRecordReader(directory);
  for (const structure of [false, true]) {
    const start = performance.now();
    const report = reader.verify({ structure });
    const name = structure ? "verify, with pages, forms and index" : "verify";
    show(name, report.entries, performance.now() - start, report.ok ? "" : `FAILED at ${report.seq}`);
  }
  for (const [name, query] of [["everything", {}], ["by rule", { rule: "no-egress" }]] as const) {
    const start = performance.now();
    let count = 0;
    for (const _ of reader.query(query)) count++;
    show(`query ${name}`, count, performance.now() - start);
  }
}

/** What the files take, and what they would take if the texts were compressed. */
function sizes(directory: string): void {
  using database = new Database(join(directory, RECORD_FILE), { readonly: true });
  const bytes = statSync(join(directory, RECORD_FILE)).size;
  const entries = database.query<{ n: number }, []>("SELECT max(size) AS n FROM checkpoints").get()?.n ?? 1;
  let [plain, packed] = [0, 0];
  for (
    const { data } of database.query<{ data: Uint8Array<ArrayBuffer> }, []>("SELECT data FROM texts LIMIT 100").all()
  ) {
    plain += data.length;
    packed += Bun.zstdCompressSync(data, { level: 3 }).length;
  }
  const each = bytes / entries;
  const texts = database.query<{ n: number }, []>("SELECT sum(length(data)) AS n FROM texts").get()?.n ?? 0;
  const compressed = (bytes - texts * (1 - packed / plain)) / entries;
  process.stdout.write(
    `size: ${each.toFixed(0)} bytes an entry, all in; ${
      compressed.toFixed(0)
    } if texts were compressed (zstd, a block each)\n`,
  );
}

function proofs(directory: string): void {
  using reader = openRecordReader(directory);
  const state = reader.state();
  const key = state?.keys[0]?.key;
  if (state === undefined || key === undefined) throw new Error("nothing was signed");
  const [made, checked, hashed]: [number[], number[], number[]] = [[], [], []];
  const checker = new ProofChecker(key);
  const again: number[] = [];
  const { origin, size, root } = { origin: state.origin, ...state.newest };
  for (let n = 0; n < 300; n++) {
    const stored = reader.at(1 + Math.floor(size * n / 300));
    if (stored === undefined) throw new Error("no entry");
    const { entry_id } = entryOf(stored);
    let start = performance.now();
    const proof = proveEntry(reader, entry_id);
    made.push(performance.now() - start);
    start = performance.now();
    if (!checkProof(proof, key).ok) throw new Error(`proof of ${origin} does not hold`);
    checked.push(performance.now() - start);
    start = performance.now();
    if (!checker.check(proof).ok) throw new Error(`proof of ${origin} does not hold`);
    again.push(performance.now() - start);
    const path = proof.inclusion_path.map((hash) => Uint8Array.fromBase64(hash));
    const claim = { leaf: leafHash(proof.entry), index: proof.leaf_index, size, root };
    start = performance.now();
    if (!verifyInclusion(claim, path)) throw new Error("path does not hold");
    hashed.push(performance.now() - start);
  }
  const at = (all: number[], share: number): string => {
    all.sort((a, b) => a - b);
    return `${((all[Math.floor(all.length * share)] ?? 0) * 1_000).toFixed(0)} us`;
  };
  process.stdout.write(
    `proof from ${size.toLocaleString("en-US")} entries: p50 ${at(made, 0.5)}, p99 ${at(made, 0.99)}; path checked: ` +
      `p50 ${at(hashed, 0.5)}, p99 ${at(hashed, 0.99)}; a proof of a checkpoint seen before: p50 ${
        at(again, 0.5)
      }, p99 ` +
      `${at(again, 0.99)}; with the signature: p50 ${at(checked, 0.5)}, p99 ${at(checked, 0.99)}; n=300\n`,
  );
}

function parts(): void {
  const value = { boot_id: "b", prev: "0".repeat(64), seq: 1, ...draft(1) };
  const line = canonicalJson(value);
  const bytes = Buffer.from(line);
  const digest = new Uint8Array(32);
  const n = 500_000;
  const each: readonly (readonly [string, () => unknown])[] = [
    ["JSON.stringify", () => JSON.stringify(value)],
    ["canonicalJson", () => canonicalJson(value)],
    ["leafHash", () => leafHash(line)],
    ["baseline: bare SHA-256 of the same bytes", () => Bun.SHA256.hash(bytes, digest)],
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
  await append(join(directory, "local"), false, baseline_ms);
  sizes(join(directory, "local"));
  read(join(directory, "local"));
  proofs(join(directory, "local"));
  await append(join(directory, "redacted"), true, baseline_ms);
  await latency(join(directory, "latency"));
  await appendByChannel(join(directory, "channel"), baseline_ms);
} finally {
  rmSync(directory, { recursive: true });
}
