/** Retention, erasure and holds: what goes, what stays, and that the record verifies and says so. */
import { Database } from "bun:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { type EntryDraft, errorMessage, formatTime, type SessionId } from "../../../lib/core/mod.ts";
import {
  Keeper,
  type KeepRequest,
  type KeepSettings,
  openRecordReader,
  type RecordWriter,
  type VerifyReport,
} from "../../../lib/record/mod.ts";
import { HandTimers } from "../record_export/sink_support.ts";
import { TempDir, waitUntil } from "../../support/mod.ts";
import {
  decision,
  KeptLog,
  observation,
  openWriter,
  recordFile,
  rewriteText,
  session,
  START_US,
  tamper,
  TestClock,
} from "./support.ts";

const DAY_US = 86_400_000_000;
const UNLIMITED: KeepSettings = { keep_ms: undefined, max_bytes: undefined, keep_sessions: undefined };

let dir: TempDir;
let clock: TestClock;
let writer: RecordWriter;
let keeper: Keeper;
let log: KeptLog;
let timers: HandTimers;

function open(keep: KeepSettings = UNLIMITED): void {
  writer = openWriter(dir.path, { clock });
  keeper = new Keeper(writer, { clock, timers, log, keep });
}

beforeEach(async () => {
  dir = await TempDir.create();
  clock = new TestClock();
  log = new KeptLog();
  timers = new HandTimers();
  open();
});
afterEach(async () => {
  keeper.close();
  await writer.close();
  await dir[Symbol.asyncDispose]();
});

/** `count` reads of one session and principal, from a time on. */
async function reads(count: number, who: string, from_us: number = START_US): Promise<void> {
  for (let n = 0; n < count; n++) {
    writer.append(observation(n, { time_us: from_us + n, session_id: session(who), principal: `user-${who}` }));
  }
  await writer.flush();
}

function verify(): VerifyReport {
  using reader = openRecordReader(dir.path);
  return reader.verify({ structure: true });
}

function texts(): string[] {
  using reader = openRecordReader(dir.path);
  return [...reader.query()].map(({ line }) => line);
}

function count(who: string): number {
  using reader = openRecordReader(dir.path);
  return reader.count({ session_id: session(who) });
}

const prune = (more: Partial<KeepSettings> & { readonly dry_run?: boolean }): KeepRequest => ({
  op: "prune",
  dry_run: false,
  ...UNLIMITED,
  ...more,
});
const erase = (terms: Extract<KeepRequest, { op: "erase" }>["terms"], reason?: string): KeepRequest => ({
  op: "erase",
  terms,
  reason,
  dry_run: false,
});
const hold = (name: string, terms: object): KeepRequest => ({
  op: "hold.add",
  terms: { name, ...terms },
  reason: undefined,
});

/** Number of times that the text stands in the files of the record. */
async function traces(text: string): Promise<number> {
  let found = 0;
  for (const suffix of ["", "-wal"]) {
    const bytes = await readFile(recordFile(dir.path) + suffix).catch(() => Buffer.alloc(0));
    for (let at = bytes.indexOf(text); at >= 0; at = bytes.indexOf(text, at + 1)) found++;
  }
  return found;
}

describe("by age", () => {
  test("what is older goes, its hashes stay, the record verifies and says what was pruned", async () => {
    await reads(600, "A");
    clock.now_us += 40 * DAY_US;
    await reads(100, "B", clock.now_us);
    const before = verify();
    const report = await keeper.request(prune({ keep_ms: 30 * 86_400_000 }));
    expect(report).toMatchObject({ entries: 600, held_back: 0, statements: [701], traces: false });
    expect([count("A"), count("B")]).toEqual([0, 100]);
    const after = verify();
    expect(after).toMatchObject({
      ok: true,
      entries: 701,
      pruned: {
        entries: 600,
        ranges: [[1, 600]],
        statements: [{
          seq: 701,
          lost: false,
          detail: `600 entries pruned: from before ${formatTime(clock.now_us - 30 * DAY_US)}`,
        }],
      },
    });
    expect(before.ok && after.ok).toBe(true);
    expect(texts().at(-1)).toContain('"ranges":[[1,600]]');
    expect(await keeper.request(prune({ keep_ms: 30 * 86_400_000 }))).toMatchObject({ entries: 0, statements: [] });
  });

  test("only the older part of a block goes; what is never pruned stays in the middle of it", async () => {
    await reads(10, "A");
    await keeper.request(hold("case-1", { principal: "nobody" }));
    await reads(10, "A");
    clock.now_us += DAY_US;
    await reads(5, "A", clock.now_us);
    await keeper.request(prune({ keep_ms: 3_600_000 }));
    expect(verify()).toMatchObject({ ok: true, pruned: { entries: 20, ranges: [[1, 10], [12, 21]] } });
    expect(texts()).toHaveLength(7);
  });

  test("a dry run counts and changes nothing", async () => {
    await reads(20, "A");
    clock.now_us += DAY_US;
    const report = await keeper.request(prune({ keep_ms: 1_000, dry_run: true }));
    expect(report).toMatchObject({ entries: 20, statements: [] });
    expect(report.bytes).toBeGreaterThan(20 * 100);
    expect(texts()).toHaveLength(20);
  });

  test("other bounds count from when they are set, and none again", async () => {
    keeper.start();
    expect(timers.waiting).toBe(0);
    await reads(20, "A", START_US - DAY_US);
    keeper.configure({ ...UNLIMITED, keep_ms: 1_000 });
    keeper.configure({ ...UNLIMITED, keep_ms: 2_000 });
    expect(timers.waiting).toBe(1);
    timers.fire();
    await waitUntil("the next pass", () => timers.waiting > 0);
    using reader = openRecordReader(dir.path);
    expect([...reader.query({ type: "file.read" })]).toHaveLength(0);
    keeper.configure(UNLIMITED);
    expect(timers.waiting).toBe(0);
  });

  test("by itself, and again, where the settings say so", async () => {
    keeper.close();
    keeper = new Keeper(writer, { clock, timers, log, keep: { ...UNLIMITED, keep_ms: 1_000 } });
    await reads(300, "A");
    keeper.start();
    clock.now_us += DAY_US;
    for (const part of ["A", "B"]) {
      await waitUntil("the next pass", () => timers.waiting > 0);
      timers.fire();
      await waitUntil("the pass", () => count(part) === 0);
      await reads(10, "B", clock.now_us);
      clock.now_us += DAY_US;
    }
    expect(verify()).toMatchObject({ ok: true });
    expect(log.lines).toEqual([]);
  });
});

test("a clock that jumped ahead prunes nothing by age, and says so", async () => {
  await reads(20, "A");
  const jumping = { wallUs: () => clock.now_us, monotonicUs: () => 0 };
  using other = new Keeper(writer, { clock: jumping, timers, log, keep: UNLIMITED });
  clock.now_us += 400 * DAY_US;
  expect(await other.request(prune({ keep_ms: 1_000 }))).toMatchObject({ entries: 0 });
  expect(count("A")).toBe(20);
  expect(log.lines).toEqual([
    "the record was not pruned by age: the clock jumped ahead by 9600 h since the guard started",
  ]);
});

describe("by size", () => {
  test("the oldest blocks go until the rest fits, and no more of them", async () => {
    await reads(256 * 40, "A");
    const used = (): number => {
      using database = new Database(recordFile(dir.path));
      const pragma = (name: string): number => Number(Object.values(database.query(`PRAGMA ${name}`).get() ?? {})[0]);
      return (pragma("page_count") - pragma("freelist_count")) * pragma("page_size");
    };
    const before = used();
    const max_bytes = Math.round(before * 0.7);
    const report = await keeper.request(prune({ max_bytes }));
    expect(used()).toBeLessThanOrEqual(max_bytes);
    expect(used()).toBeGreaterThan(max_bytes * 0.75);
    expect(report.entries).toBeLessThan(256 * 30);
    expect(verify()).toMatchObject({ ok: true, pruned: { ranges: [[1, report.entries]] } });
  });

  test("a bound that hashes alone exceed is told once, and the newest block stays", async () => {
    await reads(256 * 3 + 7, "A");
    const request = prune({ max_bytes: 1 });
    await keeper.request(request);
    await keeper.request(request);
    expect(count("A")).toBe(7);
    expect(log.lines).toHaveLength(1);
    expect(log.lines[0]).toContain("nothing left to prune");
  });
});

describe("by sessions", () => {
  test("ended ones beyond the newest go, a running one stays", async () => {
    const end = (who: string): EntryDraft => ({
      time_us: START_US,
      kind: "session",
      session_id: session(who),
      action: { type: "session.end", agent: "x" },
    });
    for (const who of ["A", "B", "C", "D"]) {
      await reads(50, who);
      if (who !== "B") writer.append(end(who));
    }
    const report = await keeper.request(prune({ keep_sessions: 1 }));
    expect(report.entries).toBe(102);
    expect(["A", "B", "C", "D"].map(count)).toEqual([0, 50, 0, 51]);
    expect(verify()).toMatchObject({ ok: true });
  });
});

describe("erasing a subject's data", () => {
  test("every entry of it goes, from the file and the log beside it, and its session from the index", async () => {
    for (let n = 0; n < 5; n++) {
      await reads(130, "A");
      await reads(130, "B");
    }
    expect(await traces("user-A")).toBeGreaterThan(0);
    const report = await keeper.request(erase({ principal: "user-A" }, "request 17"));
    expect(report).toMatchObject({ entries: 650, traces: false });
    expect(await traces("user-A")).toBe(0);
    expect(await traces(session("A"))).toBe(0);
    expect([count("A"), count("B")]).toEqual([0, 650]);
    const verified = verify();
    expect(verified).toMatchObject({ ok: true, pruned: { entries: 650 } });
    expect(verified.ok && verified.pruned?.statements[0]?.detail).toBe(
      "650 entries pruned: erased on request, entries of one principal: request 17",
    );
    await reads(300, "A");
    expect(count("A")).toBe(300);
    expect(verify()).toMatchObject({ ok: true });
  });

  test("only within the time that is given, also in the block that grows", async () => {
    await reads(20, "A");
    const until = formatTime(START_US + 9);
    await keeper.request(erase({ session_id: session("A"), until }));
    await reads(20, "A");
    expect(count("A")).toBe(30);
    expect(verify()).toMatchObject({ ok: true, pruned: { entries: 10, ranges: [[1, 10]] } });
  });

  test("a reader in the middle of the file does not keep texts alive unsaid", async () => {
    await reads(300, "A");
    using database = new Database(recordFile(dir.path), { readonly: true });
    database.run("BEGIN");
    database.query("SELECT count(*) FROM texts").get();
    expect(await keeper.request(erase({ principal: "user-A" }))).toMatchObject({ entries: 300, traces: true });
    database.run("ROLLBACK");
  });
});

describe("a hold", () => {
  test("keeps what it names from pruning and erasure until it is released", async () => {
    await reads(300, "A");
    await reads(300, "B");
    clock.now_us += DAY_US;
    await keeper.request(hold("case-1", { session_id: session("A") }));
    expect(await keeper.request(prune({ keep_ms: 1_000 }))).toMatchObject({ entries: 300, held_back: 300 });
    expect(await keeper.request(erase({ principal: "user-A" }))).toMatchObject({ entries: 0, held_back: 300 });
    expect([count("A"), count("B")]).toEqual([300, 0]);
    {
      using reader = openRecordReader(dir.path);
      expect(reader.holds()).toMatchObject([{ name: "case-1", session_id: session("A"), detail: "hold case-1 added" }]);
    }
    await keeper.request({ op: "hold.release", name: "case-1", reason: "closed" });
    expect(await keeper.request(prune({ keep_ms: 1_000 }))).toMatchObject({ entries: 300, held_back: 0 });
    expect(verify()).toMatchObject({ ok: true, pruned: { entries: 600 } });
  });

  test("by principal and time, both at once", async () => {
    await reads(20, "A");
    await reads(20, "B");
    const terms = { principal: "user-A", since: formatTime(START_US + 5), until: formatTime(START_US + 9) };
    await keeper.request(hold("h", terms));
    clock.now_us += DAY_US;
    await keeper.request(prune({ keep_ms: 1_000 }));
    expect([count("A"), count("B")]).toEqual([5, 0]);
  });

  test.each<[string, object, string]>([
    ["no name!", { principal: "p" }, "name the hold"],
    ["h", {}, "say what is held"],
    ["h", { since: "yesterday" }, "give times as"],
    ["h", { since: "2026-01-02T00:00:00Z", until: "2026-01-01T00:00:00Z" }, "ends before it begins"],
  ])("%p of %p is refused", async (name, terms, said) => {
    expect(await keeper.request(hold(name, terms)).catch(errorMessage)).toContain(said);
  });

  test("a name is free again once it is released, and only then", async () => {
    const added = hold("h", { principal: "p" });
    await keeper.request(added);
    expect(await keeper.request(added).catch(errorMessage)).toContain("is in force");
    const release: KeepRequest = { op: "hold.release", name: "h", reason: undefined };
    await keeper.request(release);
    expect(await keeper.request(release).catch(errorMessage)).toContain("none of this name");
    await keeper.request(added);
  });

  test("survives a redactor that sees secrets everywhere", async () => {
    const { createRedactor } = await import("../../../lib/record/mod.ts");
    await writer.close();
    writer = openWriter(dir.path, { clock, redact: createRedactor({ key: new Uint8Array(32) }) });
    keeper = new Keeper(writer, { clock, timers, log, keep: UNLIMITED });
    const principal = "AKIAIOSFODNN7EXAMPLE";
    const terms = {
      name: "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
      principal,
      session_id: "01JABCDEFGHJKMNPQRSTVWXYZ0" as SessionId,
    };
    await keeper.request({ op: "hold.add", terms, reason: "password=hunter2hunter2" });
    using reader = openRecordReader(dir.path);
    expect(reader.holds()).toMatchObject([terms]);
    expect(reader.holds()[0]?.detail).not.toContain("hunter2");
  });
});

describe("who takes texts out by hand", () => {
  test("is caught: no entry says that they were pruned", async () => {
    await reads(300, "A");
    await writer.close();
    rewriteText(dir.path, 7, () => "");
    expect(verify()).toMatchObject({ ok: false, seq: 7, why: "missing" });
  });

  test("is caught beside what was pruned", async () => {
    await reads(600, "A");
    clock.now_us += DAY_US;
    await reads(300, "B", clock.now_us);
    await keeper.request(prune({ keep_ms: 1_000 }));
    await writer.close();
    rewriteText(dir.path, 601, () => "");
    expect(verify()).toMatchObject({ ok: false, seq: 601, why: "missing" });
  });

  test("cannot use a statement that came before the entry, or one that he wrote himself", async () => {
    await reads(10, "A");
    writer.append({
      time_us: START_US,
      kind: "guard",
      action: { type: "guard.record.pruned", detail: "", ranges: [[1, 20]] },
    });
    await reads(10, "A");
    await writer.close();
    rewriteText(dir.path, 3, () => "");
    expect(verify()).toMatchObject({ ok: false, seq: 3, why: "missing" });
  });

  test("cannot hide the statement either", async () => {
    await reads(300, "A");
    clock.now_us += DAY_US;
    await keeper.request(prune({ keep_ms: 1_000 }));
    await writer.close();
    tamper(dir.path, "DELETE FROM terms WHERE value = 'guard.record.pruned'");
    expect(verify()).toMatchObject({ ok: false, why: "index" });
    using reader = openRecordReader(dir.path);
    expect(reader.verify()).toMatchObject({ ok: false, seq: 1, why: "missing" });
    tamper(dir.path, "DELETE FROM texts");
    expect(verify()).toMatchObject({ ok: false, why: "missing" });
  });
});

describe("a pruning that was interrupted", () => {
  test("is finished by the next start", async () => {
    await reads(600, "A");
    clock.now_us += DAY_US;
    writer.onCommit(() => keeper.close());
    const pruning = keeper.request(prune({ keep_ms: 1_000 })).catch(errorMessage);
    expect(await pruning).toContain("the recorder is closed");
    expect(count("A")).toBeGreaterThan(0);
    expect(verify()).toMatchObject({ ok: true });
    await writer.close();
    open();
    expect(count("A")).toBe(600);
    keeper.start();
    await waitUntil("the rest to go", () => count("A") === 0);
    expect(verify()).toMatchObject({ ok: true, pruned: { entries: 600 } });
  });

  test("entries go on meanwhile, and each is there afterwards", async () => {
    await reads(256 * 20, "A");
    clock.now_us += DAY_US;
    const pruning = keeper.request(prune({ keep_ms: 1_000 }));
    for (let n = 0; n < 400; n++) {
      writer.append({ ...decision(n), time_us: clock.now_us + n });
      if (n % 10 === 0) await writer.flush();
    }
    await pruning;
    await writer.flush();
    expect(texts()).toHaveLength(401);
    expect(verify()).toMatchObject({ ok: true, pruned: { entries: 256 * 20 } });
    using reader = openRecordReader(dir.path);
    expect(reader.count({ rule: "no-egress" })).toBe(400);
  });
});
