/** A record of which entries were pruned: every byte of what is left, changed once, is found all the same. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { formatTime, silentLog } from "../../lib/core/mod.ts";
import { Keeper, RECORD_FILE } from "../../lib/record/mod.ts";
import { RECORD_SCHEMA } from "../../lib/record/schema.ts";
import { verifyStore } from "../../lib/record/verify.ts";
import { openStore, type Store } from "../../lib/store/mod.ts";
import { systemTimers } from "../../lib/task/mod.ts";
import { TempDir } from "../support/mod.ts";
import { decision, observation, openWriter, START_US, TestClock } from "../unit/record/support.ts";

let dir: TempDir;
let store: Store;

beforeAll(async () => {
  dir = await TempDir.create();
  const clock = new TestClock();
  {
    await using writer = openWriter(dir.path, { clock });
    for (let n = 1; n <= 4; n++) writer.append(n % 2 === 0 ? decision(n) : observation(n));
    const keep = { keep_ms: undefined, max_bytes: undefined, keep_sessions: undefined };
    using keeper = new Keeper(writer, { clock, timers: systemTimers, log: silentLog, keep });
    const terms = { since: formatTime(START_US + 2), until: formatTime(START_US + 3) };
    await keeper.request({ op: "erase", terms, reason: undefined, dry_run: false });
  }
  store = openStore(dir.join(RECORD_FILE), { mode: "write", schema: RECORD_SCHEMA });
});
afterAll(async () => {
  store.close();
  await dir[Symbol.asyncDispose]();
});

class Undo extends Error {}

/** True if verification finds fault after a change, which is then undone. */
function isFound(sql: string, ...parameters: (number | Uint8Array)[]): boolean {
  let found = false;
  try {
    store.transaction(() => {
      expect(store.prepare(sql).run(...parameters)).toBe(1);
      found = !verifyStore(store, {}).ok;
      throw new Undo();
    });
  } catch (thrown) {
    if (!(thrown instanceof Undo)) throw thrown;
  }
  return found;
}

test("untouched, it verifies and says what was pruned", () => {
  const report = verifyStore(store, { structure: true });
  expect(report).toMatchObject({ ok: true, entries: 5, pruned: { entries: 2, lost: 0, ranges: [[2, 3]] } });
});

test.each([["texts", "data", "first_seq"], ["tiles", "data", "id"], ["checkpoints", "root", "size"]])(
  "every bit of %s, changed once, is found",
  (table, column, key) => {
    let changes = 0;
    for (const row of store.prepare(`SELECT ${key}, ${column} FROM ${table}`).all()) {
      const [place, data] = [row[key], row[column]];
      if (typeof place !== "number" || !(data instanceof Uint8Array)) throw new Error("another form");
      for (let bit = 0; bit < data.length * 8; bit++) {
        const changed = Uint8Array.from(data);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit % 8));
        const sql = `UPDATE ${table} SET ${column} = ? WHERE ${key} = ?`;
        if (!isFound(sql, changed, place)) throw new Error(`bit ${bit} of ${column} ${place} was not found`);
        changes++;
      }
    }
    expect(changes).toBeGreaterThan(200);
  },
  120_000,
);

test("a text that is put in a pruned place, or taken out of another, is found", () => {
  const row = store.prepare("SELECT first_seq, data FROM texts ORDER BY first_seq LIMIT 1").get();
  const [first, data] = [row?.["first_seq"], row?.["data"]];
  if (typeof first !== "number" || !(data instanceof Uint8Array)) throw new Error("another form");
  const texts = Buffer.from(data).toString().split("\n").slice(0, -1);
  const sql = "UPDATE texts SET data = ? WHERE first_seq = ?";
  for (const at of texts.keys()) {
    const changed = texts.with(at, texts[at] === "" ? texts[0] ?? "" : "");
    const bytes = Buffer.from(changed.map((text) => `${text}\n`).join(""));
    expect(isFound(sql, bytes, first)).toBe(true);
    const shorter = Buffer.from(texts.toSpliced(at, 1).map((text) => `${text}\n`).join(""));
    expect(isFound(sql, shorter, first)).toBe(true);
  }
});
