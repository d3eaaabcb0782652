/** The tables of the record. */
import type { Schema } from "../store/mod.ts";
import { migrateFromRows } from "./migrate_rows.ts";

/** The first form of the record: one row per entry. Kept to be migrated. */
const ROWS: readonly string[] = [
  `CREATE TABLE entries (
     seq INTEGER PRIMARY KEY,
     entry_id TEXT NOT NULL,
     time_us INTEGER NOT NULL,
     kind TEXT NOT NULL,
     type TEXT,
     session_id TEXT,
     verdict TEXT,
     rule TEXT,
     pid INTEGER,
     decision_id TEXT,
     body BLOB NOT NULL,
     hash BLOB NOT NULL
   )`,
  "CREATE INDEX entries_entry_id ON entries (entry_id)",
  "CREATE INDEX entries_time ON entries (time_us)",
  "CREATE INDEX entries_type ON entries (type) WHERE type IS NOT NULL",
  "CREATE INDEX entries_session ON entries (session_id) WHERE session_id IS NOT NULL",
  "CREATE INDEX entries_rule ON entries (rule) WHERE rule IS NOT NULL",
  "CREATE INDEX entries_decision ON entries (decision_id) WHERE decision_id IS NOT NULL",
  "CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL)",
];

/**
 * - `texts`: the entries as `stored_text.ts` writes them, many in one row, which never crosses a block. A commit adds a
 *   row; when a block is full its rows become one.
 * - `tiles`: the Merkle tree; `id` is `tileId(level, index)`, `data` the hashes. Level 0 holds the leaf hashes.
 * - `checkpoints`: what was signed: the size, the root, the signature, and which of `keys` made it. The newest covers
 *   all.
 * - `keys`: public keys by number; `since_seq` is the entry that put it in force, 0 for the first.
 * - `log`: the origin, which every signature covers.
 * - `terms`, `postings`, `decisions`, `spans`: the index, per block and not per entry: which blocks hold a term (a
 *   type, a session, ...) or a decision, and between which times and ids a block lies. A reader looks into each block
 *   named.
 * - `writer`: whether the last writer closed the record, and from which entry on it wrote. A hint that nothing signs.
 */
const BLOCKS: readonly string[] = [
  "CREATE TABLE texts (first_seq INTEGER PRIMARY KEY, data BLOB NOT NULL)",
  "CREATE TABLE tiles (id INTEGER PRIMARY KEY, data BLOB NOT NULL)",
  "CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, key_id INTEGER NOT NULL, root BLOB NOT NULL, " +
  "signature BLOB NOT NULL)",
  "CREATE TABLE keys (id INTEGER PRIMARY KEY, since_seq INTEGER NOT NULL, public BLOB NOT NULL)",
  "CREATE TABLE log (id INTEGER PRIMARY KEY CHECK (id = 1), origin TEXT NOT NULL)",
  "CREATE TABLE terms (id INTEGER PRIMARY KEY, field INTEGER NOT NULL, value TEXT NOT NULL, UNIQUE (field, value))",
  "CREATE TABLE postings (term INTEGER NOT NULL, block INTEGER NOT NULL, PRIMARY KEY (term, block)) WITHOUT ROWID",
  "CREATE TABLE decisions (key INTEGER NOT NULL, block INTEGER NOT NULL, PRIMARY KEY (key, block)) WITHOUT ROWID",
  "CREATE TABLE spans (block INTEGER PRIMARY KEY, time_min INTEGER NOT NULL, time_max INTEGER NOT NULL, " +
  "id_min INTEGER NOT NULL, id_max INTEGER NOT NULL)",
  "CREATE TABLE writer (id INTEGER PRIMARY KEY CHECK (id = 1), pid INTEGER NOT NULL, boot_id TEXT NOT NULL, " +
  "opened_size INTEGER NOT NULL, clean INTEGER NOT NULL)",
];

/** Version 1 had a row per entry; version 2 has blocks, the tree and checkpoints. */
export const RECORD_SCHEMA: Schema = {
  application_id: 0x41474c47,
  name: "record",
  migrations: [ROWS, [...BLOCKS, migrateFromRows, "DROP TABLE entries", "DROP TABLE head"]],
};
