/** From a filter to the SQL of one page. Pages go by `seq`, so a reader holds no transaction between them. */
import type { EntryKind, Verdict, WallUs } from "../core/mod.ts";
import type { SqlValue } from "../store/mod.ts";

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
  /** A part of the entry's JSON, as written or as it reads once unescaped; case matters. */
  readonly text?: string;
  readonly pid?: number;
  /** Only entries with a greater number. */
  readonly after_seq?: number;
}

/** A conjunction with its parameters. */
export interface Where {
  /** SQL after `WHERE`. */
  readonly sql: string;
  readonly parameters: readonly SqlValue[];
}

/** Numbers between which a page may lie, both inclusive. */
export interface SeqRange {
  readonly from_seq: number;
  readonly to_seq: number;
}

/**
 * The condition for one page. Only the most selective equality is left open to an index; a leading `+` hides the others, so
 * that rows come in order of `seq` from one index, or from the table itself, and a page ends as soon as it is full.
 */
export function whereOf(filter: EntryFilter, range: SeqRange): Where {
  const conditions = ["seq BETWEEN ? AND ?"];
  const parameters: SqlValue[] = [range.from_seq, range.to_seq];
  let indexed = false;
  const add = (condition: string, ...values: SqlValue[]): void => {
    conditions.push(condition);
    parameters.push(...values);
  };
  const addEqual = (column: string, value: SqlValue | undefined): void => {
    if (value === undefined) return;
    add(`${indexed ? "+" : ""}${column} = ?`, value);
    indexed = true;
  };
  addEqual("decision_id", filter.decision_id);
  addEqual("rule", filter.rule);
  addEqual("session_id", filter.session_id);
  if (filter.type !== undefined) {
    if (/[*?]/.test(filter.type)) add("+type GLOB ?", filter.type.replaceAll("[", "[[]"));
    else addEqual("type", filter.type);
  }
  if (filter.since_us !== undefined) add("+time_us >= ?", filter.since_us);
  if (filter.until_us !== undefined) add("+time_us <= ?", filter.until_us);
  if (filter.kind !== undefined) add("kind = ?", filter.kind);
  if (filter.verdict !== undefined) add("verdict = ?", filter.verdict);
  if (filter.pid !== undefined) add("pid = ?", filter.pid);
  if (filter.text !== undefined) addText(add, filter.text);
  return { sql: conditions.join(" AND "), parameters };
}

function addText(add: (condition: string, ...values: SqlValue[]) => void, text: string): void {
  const encoder = new TextEncoder();
  const escaped = JSON.stringify(text).slice(1, -1);
  add("(instr(body, ?) > 0 OR instr(body, ?) > 0)", encoder.encode(text), encoder.encode(escaped));
}
