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
  const real = store.transaction.bind(store);
  const transaction: Store["transaction"] = (body) => {
    const fate = fates.shift() ?? "works";
    if (fate === "fails") throw new AgentguardError("io", REASON);
    const value = real(body);
    if (fate === "lies") throw new AgentguardError("io", REASON);
    return value;
  };
  Object.defineProperty(store, "transaction", { value: transaction });
  const options = { boot_id: "boot", clock, ids: testIds(clock), log: silentLog, timers: systemTimers };
  return new RecordWriter(opened, { ...options, commit_entries_max: 4 });
}

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
