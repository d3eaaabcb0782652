import { expect, test } from "bun:test";
import { AgentguardError, errorMessage, silentLog } from "../../../lib/core/mod.ts";
import { openRecordReader, parseEntry, RecordWriter } from "../../../lib/record/mod.ts";
import { openForWriting } from "../../../lib/record/open.ts";
import type { Store } from "../../../lib/store/mod.ts";
import { systemTimers } from "../../../lib/task/mod.ts";
import { TempDir } from "../../support/mod.ts";
import { decision, TestClock, testIds } from "./support.ts";

/** What a transaction does: works; fails and leaves nothing; or reports failure although it reached the disk. */
type Fate = "works" | "fails" | "lies";

const REASON = "write the record: the disk failed";

/** A writer on a real store whose transactions go as `fates` says, and then work. */
function openFaulty(directory: string, fates: Fate[]): RecordWriter {
  const clock = new TestClock();
  const opened = openForWriting(directory, { boot_id: "boot", clock });
  const { store } = opened;
  const real = store.write.bind(store);
  const write: Store["write"] = (body) => {
    const fate = fates.shift() ?? "works";
    if (fate === "fails") throw new AgentguardError("io", REASON);
    const value = real(body);
    if (fate === "lies") throw new AgentguardError("io", REASON);
    return value;
  };
  Object.defineProperty(store, "write", { value: write });
  const options = { boot_id: "boot", clock, ids: testIds(clock), log: silentLog, timers: systemTimers };
  return new RecordWriter(opened, { ...options, commit_entries_max: 4 });
}

/** A writer on a real store whose syncs fail as often as `failures` says, one way or the other, and then work. */
function openUnsynced(directory: string, failures: number): RecordWriter {
  const clock = new TestClock();
  const opened = openForWriting(directory, { boot_id: "boot", clock });
  const options = { boot_id: "boot", clock, ids: testIds(clock), log: silentLog, timers: systemTimers };
  const writer = new RecordWriter(opened, { ...options, commit_entries_max: 4 });
  const { store } = opened;
  const [sync, syncNow] = [store.sync.bind(store), store.syncNow.bind(store)];
  let left = failures;
  const fail = (): void => {
    if (left-- > 0) throw new AgentguardError("io", REASON);
  };
  const failingSync: Store["sync"] = () => Promise.try(fail).then(sync);
  const failingSyncNow: Store["syncNow"] = () => {
    fail();
    syncNow();
  };
  Object.defineProperty(store, "sync", { value: failingSync });
  Object.defineProperty(store, "syncNow", { value: failingSyncNow });
  return writer;
}

test.each([1, 2, 5])(
  "%p syncs that fail: nothing is told as durable before one works, all of it once after",
  async (n) => {
    await using dir = await TempDir.create();
    const writer = openUnsynced(dir.path, n);
    const committed: number[] = [];
    writer.onCommit((entries) => committed.push(...entries.map((entry) => entry.seq)));
    for (let seq = 1; seq <= 10; seq++) writer.append(decision(seq));
    for (let attempt = 0; attempt < n; attempt++) {
      const told = await writer.flush().then(() => "durable", errorMessage);
      expect(told).toBe(`flush the record: ${REASON}`);
      expect(writer.state()).toEqual({ status: "stalled", reason: REASON });
      expect(writer.pending()).toBe(10);
      expect(writer.head().seq).toBe(0);
      expect(committed).toEqual([]);
    }
    await writer.flush();
    expect(writer.state()).toEqual({ status: "writing" });
    expect(writer.head().seq).toBe(10);
    await writer.close();
    expect(committed).toEqual(Array.from({ length: 10 }, (_, index) => index + 1));
    using reader = openRecordReader(dir.path);
    expect(reader.verify({ structure: true })).toMatchObject({ ok: true, entries: 10 });
  },
);

test("a writer that cannot sync at its end says how many entries are lost", async () => {
  await using dir = await TempDir.create();
  const writer = openUnsynced(dir.path, 1);
  for (let seq = 1; seq <= 3; seq++) writer.append(decision(seq));
  const told = await writer.close().then(() => "closed", errorMessage);
  expect(told).toBe(`close the record: 3 entries could not be written; ${REASON}`);
});

/** Every list of three fates. */
const FATES: readonly Fate[] = ["works", "fails", "lies"];
const LISTS = FATES.flatMap((a) => FATES.flatMap((b) => FATES.map((c) => [a, b, c])));

test.each(LISTS)("commits that go %s, %s, %s: each entry is stored once and in order", async (...fates) => {
  await using dir = await TempDir.create();
  const writer = openFaulty(dir.path, [...fates]);
  const committed: number[] = [];
  writer.onCommit((entries) => committed.push(...entries.map((entry) => entry.seq)));
  let refused = 0;
  for (let n = 1; n <= 20; n++) {
    writer.append(decision(n));
    if (n % 4 !== 0) continue;
    await writer.flush().catch((thrown: unknown) => {
      refused++;
      expect(errorMessage(thrown)).toBe(`flush the record: ${REASON}`);
      expect(writer.state().status).toBe("stalled");
    });
  }
  while (writer.pending() > 0) await writer.flush().catch(() => refused++);
  expect(refused).toBe(fates.filter((fate) => fate !== "works").length);
  expect(writer.state()).toEqual({ status: "writing" });
  await writer.close();
  using reader = openRecordReader(dir.path);
  expect(reader.verify({ structure: true })).toMatchObject({ ok: true, entries: 20 });
  const order = [...reader.query()].map((stored) => parseEntry(stored.line)?.decision?.decision_id);
  expect(order.map(String)).toEqual(Array.from({ length: 20 }, (_, n) => `DECISION${n + 1}`));
  expect(committed).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
});

test("a stalled writer tries again by itself", async () => {
  await using dir = await TempDir.create();
  await using writer = openFaulty(dir.path, ["fails", "fails"]);
  writer.append(decision(1));
  await new Promise<void>((resolve) => writer.whenSettled(resolve));
  expect(writer.head().seq).toBe(1);
});
