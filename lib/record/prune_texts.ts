/** Taking the texts of entries out of the database, and out of the index what only they had. */
import { parseTime } from "../core/mod.ts";
import type { Store } from "../store/mod.ts";
import { parseEntry } from "./entry.ts";
import { firstOf } from "./layout.ts";
import { leafHex } from "./log_state.ts";
import { type Span, widen } from "./spans.ts";
import { PRUNED_TEXT } from "./pruned.ts";
import { ENTRY_END, lineAt, partsOf } from "./stored_text.ts";
import { idKey, indexedOf, TERM_FIELDS } from "./terms.ts";
import { TextReader } from "./text_reader.ts";

const LF = ENTRY_END.charCodeAt(0);

/**
 * Empties the texts of one block's entries that `goes` names, inside the caller's transaction; gives how many had one.
 * Their hashes and their places stay. Doing it twice is harmless. Throws what the store throws.
 */
export function emptyTexts(store: Store, block: number, goes: (seq: number) => boolean): number {
  const rows = store.prepare("SELECT first_seq, data FROM texts WHERE first_seq >= ? AND first_seq < ?")
    .all(firstOf(block), firstOf(block + 1));
  let emptied = 0;
  for (const { first_seq, data } of rows) {
    if (typeof first_seq !== "number" || !(data instanceof Uint8Array)) continue;
    const kept = withoutTexts(data, first_seq, goes);
    if (kept.emptied === 0) continue;
    store.prepare("UPDATE texts SET data = ? WHERE first_seq = ?").run(kept.data, first_seq);
    emptied += kept.emptied;
  }
  if (emptied > 0) rebuildIndex(store, block);
  return emptied;
}

function withoutTexts(
  data: Uint8Array,
  first_seq: number,
  goes: (seq: number) => boolean,
): { readonly data: Uint8Array; readonly emptied: number } {
  const parts: Uint8Array[] = [];
  let emptied = 0;
  let at = 0;
  for (let seq = first_seq; at < data.length; seq++) {
    const end = data.indexOf(LF, at);
    const to = end < 0 ? data.length : end + 1;
    const has_text = to - at > 1;
    if (has_text && goes(seq)) {
      emptied++;
      parts.push(data.subarray(to - 1, to));
    } else parts.push(data.subarray(at, to));
    at = to;
  }
  return { data: Buffer.concat(parts), emptied };
}

/** Makes the index of a block again from what it still holds. Whoever remembers terms must forget them after it. */
function rebuildIndex(store: Store, block: number): void {
  const before = store.prepare("SELECT term FROM postings WHERE block = ?").all(block);
  store.prepare("DELETE FROM postings WHERE block = ?").run(block);
  store.prepare("DELETE FROM decisions WHERE block = ?").run(block);
  store.prepare("DELETE FROM spans WHERE block = ?").run(block);
  const span = postEntries(store, block);
  if (span !== undefined) {
    const { time_min, time_max, id_min, id_max } = span;
    store.prepare("INSERT INTO spans VALUES (?, ?, ?, ?, ?)").run(block, time_min, time_max, id_min, id_max);
  }
  // A term may be what was to be forgotten: a session, a rule.
  const forget = store.prepare(
    "DELETE FROM terms WHERE id = ? AND NOT EXISTS (SELECT 1 FROM postings WHERE term = terms.id)",
  );
  for (const { term } of before) if (typeof term === "number") forget.run(term);
}

/** Posts every entry of the block that has a text; gives their span. */
function postEntries(store: Store, block: number): Span | undefined {
  const put_posting = store.prepare("INSERT OR IGNORE INTO postings (term, block) VALUES (?, ?)");
  const put_decision = store.prepare("INSERT OR IGNORE INTO decisions (key, block) VALUES (?, ?)");
  let span: Span | undefined;
  for (const { first_seq, entries } of new TextReader(store).block(block)) {
    for (const [index, stored] of entries.entries()) {
      if (stored === undefined || stored === PRUNED_TEXT) continue;
      const seq = first_seq + index;
      const entry = parseEntry(lineAt(partsOf(stored), { seq, prev: leafHex(store, seq - 1) }));
      if (entry === undefined) continue;
      span = widen(span, { block, time_us: parseTime(entry.time) ?? 0, id: idKey(entry.entry_id) });
      const { terms, decision_key } = indexedOf(entry);
      for (const [field, value] of terms) {
        const term = termId(store, TERM_FIELDS[field], value);
        if (term !== undefined) put_posting.run(term, block);
      }
      if (decision_key !== undefined) put_decision.run(decision_key, block);
    }
  }
  return span;
}

/** The number of a term, which its entry had when it was written. */
function termId(store: Store, field: number, value: string): number | undefined {
  const id = store.prepare("SELECT id FROM terms WHERE field = ? AND value = ?").get(field, value)?.["id"];
  return typeof id === "number" ? id : undefined;
}

/**
 * Overwrites what the file keeps of rows that were deleted before: its free pages. The log beside the file must be
 * folded in and cut afterwards. Throws what the store throws.
 */
export function wipeFreePages(store: Store): void {
  const [page_bytes, pages] = [store.integer("PRAGMA page_size"), store.integer("PRAGMA freelist_count")];
  // Rows of whole pages, in several transactions: the log beside the file must not grow by the size of the file.
  const rows_pages = 256;
  store.transaction(() => store.exec("CREATE TABLE IF NOT EXISTS wipe (data BLOB NOT NULL)"));
  for (let left = pages; left > 0; left -= rows_pages) {
    store.transaction(() => {
      store.prepare("INSERT INTO wipe (data) VALUES (zeroblob(?))").run(page_bytes * Math.min(left, rows_pages));
    });
  }
  store.transaction(() => store.exec("DROP TABLE wipe"));
}
