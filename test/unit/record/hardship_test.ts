/** What may happen to a record's host, beside power cuts and full disks: a damaged page, a clock that is set back. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { Database } from "bun:sqlite";
import { errorMessage } from "../../../lib/core/mod.ts";
import { openRecordReader, parseEntry } from "../../../lib/record/mod.ts";
import { TempDir } from "../../support/mod.ts";
import { KeptLog, observation, openWriter, recordFile, TestClock } from "./support.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await TempDir.create();
});
afterEach(() => dir[Symbol.asyncDispose]());

async function start(): Promise<string> {
  try {
    await openWriter(dir.path).close();
    return "started";
  } catch (thrown) {
    return errorMessage(thrown);
  }
}

describe("a damaged page", () => {
  test("is found by the next start and by verify, whichever page it is; nothing is written over it", async () => {
    {
      await using writer = openWriter(dir.path);
      for (let n = 0; n < 600; n++) writer.append(observation(n));
    }
    const path = recordFile(dir.path);
    let note_page = 0;
    {
      using database = new Database(path);
      database.run("PRAGMA wal_checkpoint(TRUNCATE)");
      const row = database.query<{ rootpage: number }, []>("SELECT rootpage FROM sqlite_schema WHERE name = 'writer'");
      note_page = row.get()?.rootpage ?? 0;
    }
    const whole = readFileSync(path);
    const bytes = whole.readUInt16BE(16) === 1 ? 65_536 : whole.readUInt16BE(16);
    let refused = 0;
    for (let page = 1; page * bytes < whole.length; page++) {
      const damaged = Buffer.from(whole);
      damaged.fill(0xa5, page * bytes, (page + 1) * bytes);
      for (const suffix of ["-wal", "-shm"]) rmSync(path + suffix, { force: true });
      writeFileSync(path, damaged);
      if (await start() !== "started") {
        // But the note of who opened it, which nothing signs.
        const after = readFileSync(path);
        for (const file of [after, damaged]) file.fill(0, (note_page - 1) * bytes, note_page * bytes);
        expect(after.equals(damaged)).toBe(true);
        refused++;
        continue;
      }
      // A free page, or one that only a whole verification looks at: then that says so.
      using reader = openRecordReader(dir.path);
      const report = reader.verify({ structure: true });
      expect(report.ok ? "free" : report.why).toBeOneOf(["free", "unreadable", "index", "tree", "missing", "edited"]);
    }
    expect(refused).toBeGreaterThan(3);
  });
});

describe("a clock that is set back", () => {
  test("changes no order, is told by the next start, and the record verifies", async () => {
    const clock = new TestClock();
    {
      await using writer = openWriter(dir.path, { clock });
      for (let n = 0; n < 3; n++) writer.append(observation(n));
    }
    const log = new KeptLog();
    clock.now_us -= 3_600_000_000;
    {
      await using writer = openWriter(dir.path, { clock, log });
      writer.append(observation(-3_600_000_000));
    }
    using reader = openRecordReader(dir.path);
    const entries = [...reader.query()].map(({ line }) => parseEntry(line));
    expect(entries.map((entry) => entry?.seq)).toEqual([1, 2, 3, 4, 5]);
    expect(entries[3]?.action).toMatchObject({ type: "guard.degraded" });
    expect(log.lines[0]).toContain("the clock went back: it is 2026-01-02T02:04:05.000006Z");
    expect(reader.verify({ structure: true })).toMatchObject({ ok: true, entries: 5 });
    expect([...reader.query({ until_us: clock.now_us })].map(({ seq }) => seq)).toEqual([4, 5]);
  });

  test("a second is nothing to tell", async () => {
    const clock = new TestClock();
    {
      await using writer = openWriter(dir.path, { clock });
      writer.append(observation(0));
    }
    clock.now_us -= 900_000;
    await openWriter(dir.path, { clock }).close();
    using reader = openRecordReader(dir.path);
    expect(reader.head().seq).toBe(1);
  });
});
