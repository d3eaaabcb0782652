/** Records of the first form, one row per entry, are brought up to date when a writer opens them. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { AgentguardError, type EntryDraft } from "../../../lib/core/mod.ts";
import { FIRST_PREV, leafHash, openRecordReader, RECORD_FILE } from "../../../lib/record/mod.ts";
import { Sealer } from "../../../lib/record/entry.ts";
import { RECORD_SCHEMA } from "../../../lib/record/schema.ts";
import { openStore } from "../../../lib/store/mod.ts";
import { TempDir } from "../../support/mod.ts";
import { decision, observation, openWriter, START_US, tamper, testIds } from "./support.ts";

let dir: TempDir;
beforeEach(async () => {
  dir = await TempDir.create();
});
afterEach(() => dir[Symbol.asyncDispose]());

/** Writes a record of the first form; gives its lines. */
function writeOld(count: number): string[] {
  const [first = []] = RECORD_SCHEMA.migrations;
  using store = openStore(dir.join(RECORD_FILE), { mode: "write", schema: { ...RECORD_SCHEMA, migrations: [first] } });
  const insert = store.prepare(
    "INSERT INTO entries (seq, entry_id, time_us, kind, body, hash) VALUES (?, ?, ?, ?, ?, ?)",
  );
  const ids = testIds();
  const sealer = new Sealer();
  const lines: string[] = [];
  let prev = FIRST_PREV;
  store.transaction(() => {
    for (let seq = 1; seq <= count; seq++) {
      const draft: EntryDraft = seq % 3 === 0 ? decision(seq) : observation(seq, { principal: "p" });
      const sealed = sealer.seal(draft, { seq, entry_id: ids.entry(), boot_id: "old", prev, now_us: START_US });
      insert.run(seq, sealed.entry_id, draft.time_us, draft.kind, Buffer.from(sealed.line), sealer.hash.slice());
      lines.push(sealed.line);
      prev = sealed.hash;
    }
    if (count > 0) {
      store.prepare("INSERT INTO head (id, seq, hash) VALUES (1, ?, ?)").run(count, Uint8Array.fromHex(prev));
    }
  });
  return lines;
}

test.each([0, 1, 255, 256, 257, 3_000])(
  "a record of %p entries keeps every byte, and goes on signed",
  async (count) => {
    const lines = writeOld(count);
    expect(() => openRecordReader(dir.path)).toThrow("start the guard on it once to bring it up to date");
    const writer = openWriter(dir.path);
    expect(writer.head()).toEqual({
      seq: count,
      hash: count === 0 ? FIRST_PREV : leafHash(lines.at(-1) ?? "").toHex(),
    });
    writer.append(observation(count + 1));
    await writer.close();
    using reader = openRecordReader(dir.path);
    expect([...reader.query({ limit: count })].map((stored) => stored.line)).toEqual(lines);
    expect(reader.verify({ structure: true })).toMatchObject({ ok: true, entries: count + 1 });
    expect(reader.count({ rule: "no-egress" })).toBe(Math.floor(count / 3));
  },
);

test.each<[string, string, number]>([
  ["edited", "UPDATE entries SET body = CAST(replace(body, '/w/2', '/w/9') AS BLOB) WHERE seq = 2", 2],
  ["missing in the middle", "DELETE FROM entries WHERE seq = 2", 2],
  ["missing at the end", "DELETE FROM entries WHERE seq = 5", 5],
  ["put before the first", "UPDATE entries SET seq = 0 WHERE seq = 1", 1],
  ["without its head", "DELETE FROM head", 6],
])("a record with an entry %s is not brought up to date, and stays as it is", (_name, sql, seq) => {
  writeOld(5);
  tamper(dir.path, sql);
  for (let round = 0; round < 2; round++) {
    let thrown: unknown;
    try {
      openWriter(dir.path);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(AgentguardError);
    expect(thrown).toMatchObject({ code: "tamper", message: expect.stringContaining(`entry ${seq} does not verify`) });
  }
});
