import { afterAll, beforeAll, expect, test } from "bun:test";
import { AgentguardError, type EntryDraft } from "../../../lib/core/mod.ts";
import { type EntryFilter, entryOf, type EntryQuery, openRecordReader, RecordReader } from "../../../lib/record/mod.ts";
import { TempDir } from "../../support/mod.ts";
import {
  decision,
  decisionId,
  observation,
  openWriter,
  session,
  START_US,
  tamper,
  TestClock,
  testIds,
} from "./support.ts";

const ENTRIES = 1_500;
let dir: TempDir;
let reader: RecordReader;

/**
 * Every tenth entry is a decision, every fiftieth of those has another rule and another session; the clock once goes
 * back.
 */
function draft(n: number): EntryDraft {
  if (n % 100 === 50) return { ...decision(n, "other"), session_id: session("B") };
  if (n % 10 === 0) return decision(n);
  if (n === 777) return observation(5);
  if (n === 778) return observation(n, { principal: "alice" });
  if (n === 333) {
    const action = { type: "exec", path: "/bin/[odd]", argv: ['say "h\u00e9"', "100%_x"] } as const;
    return observation(n, { action });
  }
  return observation(n);
}

beforeAll(async () => {
  dir = await TempDir.create();
  await using writer = openWriter(dir.path);
  for (let n = 1; n <= ENTRIES; n++) writer.append(draft(n));
  await writer.flush();
  await writer.close();
  reader = openRecordReader(dir.path);
});

afterAll(async () => {
  reader.close();
  await dir[Symbol.asyncDispose]();
});

function seqs(query: EntryQuery): number[] {
  return [...reader.query(query)].map((stored) => stored.seq);
}

/** Numbers 1 to ENTRIES for which `pick` holds. */
function where(pick: (n: number) => boolean): number[] {
  return Array.from({ length: ENTRIES }, (_, index) => index + 1).filter(pick);
}

const tenth = (n: number): boolean => n % 10 === 0;
const other = (n: number): boolean => n % 100 === 50;
const plain = (n: number): boolean => !tenth(n);

test.each<[string, EntryFilter, (n: number) => boolean]>([
  ["everything", {}, () => true],
  ["after a number", { after_seq: 1_400 }, (n) => n > 1_400],
  ["before a number", { before_seq: 258 }, (n) => n < 258],
  ["between two numbers", { after_seq: 255, before_seq: 258 }, (n) => n > 255 && n < 258],
  ["a session", { session_id: "SESSIONB" }, other],
  ["a rule", { rule: "no-egress" }, (n) => tenth(n) && !other(n)],
  ["a rule and a session that never meet", { rule: "other", session_id: "SESSIONA" }, () => false],
  ["a decision", { decision_id: decisionId(700) }, (n) => n === 700],
  ["a type", { type: "net.connect" }, tenth],
  ["a pattern", { type: "file.*" }, (n) => plain(n) && n !== 333],
  ["a pattern of single characters", { type: "ex?c" }, (n) => n === 333],
  ["brackets are no pattern", { type: "[en]*" }, () => false],
  ["a kind", { kind: "decision" }, tenth],
  ["a principal", { principal: "alice" }, (n) => n === 778],
  ["a part of a principal", { principal: "alic" }, () => false],
  ["a verdict", { verdict: "deny" }, tenth],
  ["a pid", { pid: 103 }, (n) => n % 10 === 3],
  ["a pid, a rule and a time", { pid: 100, rule: "other", since_us: START_US + 900 }, (n) => other(n) && n >= 900],
  ["a text in the JSON as it is", { text: '"/w/12"' }, (n) => n === 12],
  ["a text as it reads", { text: 'say "h\u00e9"' }, (n) => n === 333],
  ["a text is no pattern", { text: "%_x" }, (n) => n === 333],
  ["from a time", { since_us: START_US + 1_490 }, (n) => n >= 1_490],
  ["until a time", { until_us: START_US + 10 }, (n) => n <= 10 || n === 777],
  [
    "between times, the clock gone back",
    { since_us: START_US + 5, until_us: START_US + 5 },
    (n) => n === 5 || n === 777,
  ],
  ["a time when nothing happened", { since_us: START_US + 10_000 }, () => false],
])("query and count by %s", (_name, filter, pick) => {
  const expected = where(pick);
  expect(seqs(filter)).toEqual(expected);
  expect(reader.count(filter)).toBe(expected.length);
  expect(seqs({ ...filter, newest: true })).toEqual(expected.toReversed());
  expect(seqs({ ...filter, limit: 3 })).toEqual(expected.slice(0, 3));
  expect(seqs({ ...filter, limit: 3, newest: true })).toEqual(expected.toReversed().slice(0, 3));
});

test("limits at and around the size of a page", () => {
  for (const limit of [0, 1, 511, 512, 513, 1_024, 1_025, ENTRIES, ENTRIES + 1]) {
    expect(seqs({ limit })).toEqual(where((n) => n <= limit));
  }
});

test("an entry is found by its id", () => {
  const [first] = reader.query({ after_seq: 41 });
  if (first === undefined) throw new Error("no entry 42");
  const entry = entryOf(first);
  expect(entry.seq).toBe(42);
  expect(reader.get(entry.entry_id)).toEqual(first);
  expect(reader.get("01KDYAK3480000000000000ZZZ")).toBeUndefined();
});

test("a query ends between pages when it is cancelled", () => {
  const controller = new AbortController();
  let seen = 0;
  expect(() => {
    for (const _ of reader.query({ signal: controller.signal })) if (++seen === 1) controller.abort();
  }).toThrow("query the record: cancelled");
  expect(seen).toBeLessThan(ENTRIES);
});

test("a reader beside a live writer sees each commit, and holds nobody up", async () => {
  await using live = await TempDir.create();
  await using writer = openWriter(live.path);
  writer.append(observation(1));
  await writer.flush();
  using beside = openRecordReader(live.path);
  const iterator = beside.query();
  expect(iterator.next().value?.seq).toBe(1);
  for (let n = 2; n <= 3_000; n++) writer.append(observation(n));
  await writer.flush();
  expect(beside.count()).toBe(3_000);
  expect(beside.head()).toEqual(writer.head());
  expect(beside.verify()).toMatchObject({ ok: true, entries: 3_000 });
});

test("a missing record says where it was looked for", () => {
  const thrown = catchError(() => openRecordReader(dir.join("nowhere")));
  expect(thrown?.code).toBe("not_found");
  expect(thrown?.message).toContain(dir.join("nowhere", "record.db"));
});

test("a text that is no entry is told with its number", async () => {
  await using broken = await TempDir.create();
  const writer = openWriter(broken.path);
  writer.append(observation(1));
  await writer.close();
  tamper(broken.path, "UPDATE texts SET data = x'7b7d0a'");
  using opened = openRecordReader(broken.path);
  const [stored] = opened.query();
  expect(catchError(() => stored === undefined ? undefined : entryOf(stored))?.message).toContain("entry 1");
});

function catchError(body: () => unknown): AgentguardError | undefined {
  try {
    body();
  } catch (thrown) {
    if (thrown instanceof AgentguardError) return thrown;
    throw thrown;
  }
  return undefined;
}

test("an entry is found by its id, wherever the clock was when it was written", async () => {
  await using own = await TempDir.create();
  for (const offset_us of [0, -3_600_000_000, 7_200_000_000]) {
    const clock = new TestClock();
    clock.now_us += offset_us;
    await using writer = openWriter(own.path, { clock, ids: testIds(clock) });
    for (let n = 0; n < 700; n++) {
      clock.now_us += 500;
      writer.append(observation(n));
      if (n % 50 === 0) await writer.flush();
    }
  }
  using found = openRecordReader(own.path);
  for (let seq = 1; seq <= found.head().seq; seq += 37) {
    const stored = found.at(seq);
    if (stored === undefined) throw new Error(`entry ${seq} is missing`);
    expect(found.get(entryOf(stored).entry_id)).toEqual(stored);
  }
  expect(found.get("01KDYAK3480000000000000ZZZ")).toBeUndefined();
});
