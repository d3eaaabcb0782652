/** From a filter to the blocks that may hold its entries, and to the test of one entry. */
import { type EntryKind, parseTime, type Verdict, type WallUs } from "../core/mod.ts";
import type { SqlValue, Store } from "../store/mod.ts";
import { parseEntry } from "./entry.ts";
import { idKey, TERM_FIELDS } from "./terms.ts";

/** Which entries; all given conditions must hold. */
export interface EntryFilter {
  /** First time, inclusive, wall-clock microseconds. */
  readonly since_us?: WallUs;
  /** Last time, inclusive, wall-clock microseconds. */
  readonly until_us?: WallUs;
  readonly session_id?: string;
  readonly decision_id?: string;
  /** An action type, or a pattern in which `*` is any text and `?` any one character: `file.*`. */
  readonly type?: string;
  readonly kind?: EntryKind;
  readonly verdict?: Verdict;
  readonly rule?: string;
  readonly principal?: string;
  /** A part of the entry's JSON, as written or as it reads once unescaped; case matters. */
  readonly text?: string;
  readonly pid?: number;
  /** Only entries with a greater number. */
  readonly after_seq?: number;
  /** Only entries with a smaller number. */
  readonly before_seq?: number;
}

/** A condition on `spans`, which has a row for each block. */
export interface BlockCondition {
  /** SQL, beginning with ` AND ` where it is not empty. */
  readonly sql: string;
  readonly parameters: readonly SqlValue[];
}

/** Terms that a pattern may stand for. */
const TERMS_MAX = 1_000;

const HAS_TERM = "EXISTS (SELECT 1 FROM postings WHERE term = ? AND block = spans.block)";

/** The condition that a block must fulfil to hold an entry of the filter; `undefined` when none can. */
export function blockCondition(store: Store, filter: EntryFilter): BlockCondition | undefined {
  const conditions: string[] = [];
  const parameters: SqlValue[] = [];
  const add = (condition: string, ...values: SqlValue[]): void => {
    conditions.push(` AND ${condition}`);
    parameters.push(...values);
  };
  if (filter.since_us !== undefined) add("time_max >= ?", filter.since_us);
  if (filter.until_us !== undefined) add("time_min <= ?", filter.until_us);
  for (const field of ["session_id", "kind", "verdict", "rule"] as const) {
    const value = filter[field];
    if (value === undefined) continue;
    const term = termOf(store, TERM_FIELDS[field], value);
    if (term === undefined) return undefined;
    add(HAS_TERM, term);
  }
  if (filter.type !== undefined) {
    const terms = termsOf(store, filter.type);
    if (terms.length === 0) return undefined;
    add(`(${terms.map(() => HAS_TERM).join(" OR ")})`, ...terms);
  }
  if (filter.decision_id !== undefined) {
    const condition = "EXISTS (SELECT 1 FROM decisions WHERE key = ? AND block = spans.block)";
    add(condition, idKey(filter.decision_id));
  }
  return { sql: conditions.join(""), parameters };
}

/** The tests of one entry: the first is cheap, and passes all that the second passes. */
export interface EntryTests {
  /** On the stored text: most entries do not hold what is asked for at all. */
  readonly stored: (text: string) => boolean;
  /** On the canonical text. */
  readonly line: (line: string) => boolean;
}

/** The tests for a filter, or `undefined` where every entry passes. */
export function entryTests(filter: EntryFilter): EntryTests | undefined {
  const needles: string[] = [];
  const checks: ((entry: NonNullable<ReturnType<typeof parseEntry>>) => boolean)[] = [];
  const member = (name: string, value: string | number): void => {
    needles.push(`"${name}":${JSON.stringify(value)}`);
  };
  const { since_us, until_us, type } = filter;
  for (const field of ["session_id", "kind", "principal"] as const) {
    const value = filter[field];
    if (value === undefined) continue;
    member(field, value);
    checks.push((entry) => entry[field] === value);
  }
  for (const field of ["verdict", "rule"] as const) {
    const value = filter[field];
    if (value === undefined) continue;
    member(field, value);
    checks.push((entry) => entry.decision?.[field] === value);
  }
  if (filter.decision_id !== undefined) {
    const id: string = filter.decision_id;
    member("decision_id", id);
    checks.push((entry) => String(entry.decision?.decision_id ?? entry.outcome?.decision_id) === id);
  }
  if (filter.pid !== undefined) {
    member("pid", filter.pid);
    checks.push((entry) => entry.process?.pid === filter.pid);
  }
  if (type !== undefined) {
    const matches = globTest(type);
    if (!isGlob(type)) member("type", type);
    checks.push((entry) => entry.action !== undefined && matches(entry.action.type));
  }
  if (since_us !== undefined || until_us !== undefined) {
    const [low, high] = [since_us ?? Number.NEGATIVE_INFINITY, until_us ?? Number.POSITIVE_INFINITY];
    checks.push((entry) => {
      const time_us = parseTime(entry.time) ?? Number.NaN;
      return time_us >= low && time_us <= high;
    });
  }
  const { text } = filter;
  const escaped = text === undefined ? undefined : JSON.stringify(text).slice(1, -1);
  if (needles.length === 0 && checks.length === 0 && text === undefined) return undefined;
  return {
    stored: (text) => needles.every((needle) => text.includes(needle)),
    line: (line) => {
      if (text !== undefined && escaped !== undefined && !line.includes(text) && !line.includes(escaped)) return false;
      if (checks.length === 0) return true;
      const entry = parseEntry(line);
      return entry !== undefined && checks.every((check) => check(entry));
    },
  };
}

function termOf(store: Store, field: number, value: string): number | undefined {
  const id = store.prepare("SELECT id FROM terms WHERE field = ? AND value = ?").get(field, value)?.["id"];
  return typeof id === "number" ? id : undefined;
}

/** The terms that a type or a pattern on types stands for. */
function termsOf(store: Store, type: string): readonly number[] {
  if (!isGlob(type)) {
    const term = termOf(store, TERM_FIELDS.type, type);
    return term === undefined ? [] : [term];
  }
  const matches = globTest(type);
  const rows = store.prepare(`SELECT id, value FROM terms WHERE field = ? ORDER BY id LIMIT ${TERMS_MAX}`)
    .all(TERM_FIELDS.type);
  return rows.flatMap(({ id, value }) => {
    return typeof id === "number" && typeof value === "string" && matches(value) ? [id] : [];
  });
}

function isGlob(type: string): boolean {
  return /[*?]/.test(type);
}

/** Linear in the text for one star, and bounded by its few characters for more. */
function globTest(glob: string): (value: string) => boolean {
  const source = glob.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&").replaceAll(/\*+/g, ".*").replaceAll("?", ".");
  const pattern = new RegExp(`^${source}$`, "su");
  return (value) => pattern.test(value);
}
