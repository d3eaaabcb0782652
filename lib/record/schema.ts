/** The tables of the record, and which fields of an entry are columns. */
import type { EntryDraft } from "../core/mod.ts";
import type { Schema, SqlValue } from "../store/mod.ts";

/** File name of the record in a state directory. */
export const RECORD_FILE = "record.db";
/** File name of the lock that its one writer holds. */
export const RECORD_LOCK_FILE = "record.lock.db";

/**
 * `entries` holds the canonical text and what queries ask for; every column but `body` and `hash` repeats a field of the text.
 * `head` repeats the last entry, so that rows cut off the end are missed. An equality on an indexed column gives rows in
 * order of `seq`, because an index ends with the row id.
 */
export const RECORD_SCHEMA: Schema = {
  application_id: 0x41474c47,
  name: "record",
  migrations: [[
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
  ]],
};

/** Columns that repeat fields of the entry, in the order of `INSERT_ENTRY`; `seq`, `body` and `hash` stand around them. */
export const FIELD_COLUMNS = [
  "entry_id",
  "time_us",
  "kind",
  "type",
  "session_id",
  "verdict",
  "rule",
  "pid",
  "decision_id",
] as const;

/** Stores one entry: seq, the field columns, body, hash. */
export const INSERT_ENTRY: string = `INSERT INTO entries (seq, ${FIELD_COLUMNS.join(", ")}, body, hash) ` +
  `VALUES (?, ${FIELD_COLUMNS.map(() => "?").join(", ")}, ?, ?)`;

/** Stores the head: seq, hash. */
export const PUT_HEAD = "INSERT OR REPLACE INTO head (id, seq, hash) VALUES (1, ?, ?)";

/** Reads the head. */
export const GET_HEAD = "SELECT seq, hash FROM head WHERE id = 1";

/** The fields of an entry that are columns. */
export type IndexedFields = Pick<EntryDraft, "kind" | "session_id" | "process" | "action" | "decision" | "outcome">;

/** The values of `FIELD_COLUMNS` for one entry; a field of another type than its column's gives NULL. */
export function fieldColumns(entry_id: string, time_us: number, fields: IndexedFields): SqlValue[] {
  const { action, decision, outcome, process } = fields;
  return [
    entry_id,
    time_us,
    fields.kind,
    text(action?.type),
    text(fields.session_id),
    text(decision?.verdict),
    text(decision?.rule),
    integer(process?.pid),
    text(decision?.decision_id ?? outcome?.decision_id),
  ];
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function integer(value: unknown): number | null {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : null;
}
