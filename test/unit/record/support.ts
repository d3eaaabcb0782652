/** What the tests of the record share. */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import {
  type Clock,
  type DecisionId,
  type EntryDraft,
  IdGenerator,
  type Log,
  type SessionId,
  silentLog,
  type WallUs,
} from "../../../lib/core/mod.ts";
import { openRecordWriter, RECORD_FILE, type RecordWriter, type RecordWriterOptions } from "../../../lib/record/mod.ts";
import { systemTimers } from "../../../lib/task/mod.ts";

/** 2026-01-02T03:04:05.000006Z */
export const START_US: WallUs = 1_767_323_045_000_006;

/** A clock that stands still until it is set. */
export class TestClock implements Clock {
  now_us: WallUs = START_US;

  wallUs(): WallUs {
    return this.now_us;
  }

  monotonicUs(): number {
    return this.now_us - START_US;
  }
}

/** Ids that count up from zero. */
export function testIds(clock: Clock = new TestClock()): IdGenerator {
  return new IdGenerator(clock, (bytes) => bytes.fill(0));
}

/** Opens a writer with fixed ids and clock. */
export function openWriter(directory: string, options: Partial<RecordWriterOptions> = {}): RecordWriter {
  const clock = new TestClock();
  return openRecordWriter(directory, {
    boot_id: "boot",
    clock,
    ids: testIds(clock),
    log: silentLog,
    timers: systemTimers,
    ...options,
  });
}

/** An observation of a read, `n` microseconds after the start. */
export function observation(n: number, more: Partial<EntryDraft> = {}): EntryDraft {
  return {
    time_us: START_US + n,
    kind: "observation",
    process: { pid: 100 + (n % 10), start: "1" },
    action: { type: "file.read", path: `/w/${n}`, result: "0" },
    ...more,
  };
}

/** A refused connection, `n` microseconds after the start. */
export function decision(n: number, rule: string = "no-egress"): EntryDraft {
  return {
    time_us: START_US + n,
    kind: "decision",
    session_id: session("A"),
    process: { pid: 100 + (n % 10), start: "1" },
    action: { type: "net.connect", protocol: "tcp", address: "192.0.2.1", port: 443 },
    decision: {
      decision_id: decisionId(n),
      verdict: "deny",
      rule,
      reason: "not this way",
      mode: "enforce",
      policy: { name: "p", digest: "00", generation: 1 },
    },
  };
}

/** A session id that is easy to tell apart. */
export function session(name: string): SessionId {
  return `SESSION${name}` as SessionId;
}

/** A decision id that is easy to tell apart. */
export function decisionId(n: number): DecisionId {
  return `DECISION${n}` as DecisionId;
}

/** The record's file below `directory`. */
export function recordFile(directory: string): string {
  return join(directory, RECORD_FILE);
}

/** Changes the record behind its back. The record must not be open in this process. */
export function tamper(directory: string, sql: string, ...parameters: (string | number | Uint8Array | null)[]): void {
  const database = new Database(recordFile(directory));
  database.run(sql, parameters);
  database.close(true);
}

/**
 * Changes the stored text of one entry; `undefined` takes it out of its row. The record must not be open in this
 * process.
 */
export function rewriteText(directory: string, seq: number, change: (stored: string) => string | undefined): void {
  using database = new Database(recordFile(directory));
  const rows = database.query<{ first_seq: number; data: Uint8Array }, []>("SELECT first_seq, data FROM texts").all();
  const row = rows.findLast(({ first_seq }) => first_seq <= seq);
  if (row === undefined) throw new Error(`no row holds entry ${seq}`);
  const stored = Buffer.from(row.data).toString().split("\n").slice(0, -1);
  const text = stored[seq - row.first_seq];
  if (text === undefined) throw new Error(`no row holds entry ${seq}`);
  const changed = change(text);
  stored.splice(seq - row.first_seq, 1, ...(changed === undefined ? [] : [changed]));
  const data = Buffer.from(stored.map((line) => `${line}\n`).join(""));
  if (stored.length === 0) database.run("DELETE FROM texts WHERE first_seq = ?", [row.first_seq]);
  else database.run("UPDATE texts SET data = ? WHERE first_seq = ?", [data, row.first_seq]);
}

/** The stored text of one entry. */
export function storedTextOf(directory: string, seq: number): string {
  let found = "";
  rewriteText(directory, seq, (stored) => {
    found = stored;
    return stored;
  });
  return found;
}

/** A log that keeps what it is told. */
export class KeptLog implements Log {
  readonly lines: string[] = [];

  debug(message: string): void {
    this.lines.push(message);
  }

  info(message: string): void {
    this.lines.push(message);
  }

  warn(message: string): void {
    this.lines.push(message);
  }

  error(message: string): void {
    this.lines.push(message);
  }
}
