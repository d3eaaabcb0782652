/** The record's statements about itself, found through the index and checked one by one against the tree. */
import type { ActionType, Entry } from "../core/mod.ts";
import type { Store } from "../store/mod.ts";
import { leafHash, parseEntry } from "./entry.ts";
import { leafHex } from "./log_state.ts";
import { lineAt, partsOf } from "./stored_text.ts";
import { TERM_FIELDS } from "./terms.ts";
import { TextReader } from "./text_reader.ts";

/**
 * Types of entries that are never pruned: without them the record could not be verified, or would forget what it must
 * keep.
 */
export const KEPT_TYPES: readonly ActionType[] = [
  "guard.record.pruned",
  "guard.record.repaired",
  "guard.key.rotated",
  "guard.hold.added",
  "guard.hold.released",
  "guard.tamper",
];

/**
 * Yields the entries of these types in order. One whose text does not give its leaf hash is left out, and what the
 * index does not name is not found: whoever relies on an entry must fail closed without it. Throws what the store
 * throws.
 */
export function* entriesOfTypes(store: Store, types: readonly ActionType[]): Generator<Entry, void, void> {
  const texts = new TextReader(store);
  const needles = types.map((type) => `"type":${JSON.stringify(type)}`);
  for (const block of blocksOfTypes(store, types)) {
    for (const { first_seq, entries } of texts.block(block)) {
      for (const [index, stored] of entries.entries()) {
        if (stored === undefined || !needles.some((needle) => stored.includes(needle))) continue;
        const seq = first_seq + index;
        const line = lineAt(partsOf(stored), { seq, prev: leafHex(store, seq - 1) });
        const entry = leafHash(line).toHex() === leafHex(store, seq) ? parseEntry(line) : undefined;
        if (entry?.action !== undefined && types.includes(entry.action.type)) yield entry;
      }
    }
  }
}

/** The blocks that hold entries of these types, as the index has them, ascending. */
export function blocksOfTypes(store: Store, types: readonly ActionType[]): readonly number[] {
  const marks = types.map(() => "?").join(", ");
  const sql = `SELECT DISTINCT block FROM postings JOIN terms ON terms.id = postings.term ` +
    `WHERE terms.field = ? AND terms.value IN (${marks}) ORDER BY block`;
  return store.all(sql, [TERM_FIELDS.type, ...types]).flatMap(({ block }) => typeof block === "number" ? [block] : []);
}
