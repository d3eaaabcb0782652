/** What the index knows of an entry. */
import { type Decision, type EntryDraft, isUlid } from "../core/mod.ts";

/** Fields whose values are terms, with their numbers in the database. Never renumbered. */
export const TERM_FIELDS = { type: 1, session_id: 2, rule: 3, verdict: 4, kind: 5 } as const;

/** Name of an indexed field. */
export type TermField = keyof typeof TERM_FIELDS;

/** Their names by number. */
const FIELD_NAMES: ReadonlyMap<number, TermField> = new Map([
  [TERM_FIELDS.type, "type"],
  [TERM_FIELDS.session_id, "session_id"],
  [TERM_FIELDS.rule, "rule"],
  [TERM_FIELDS.verdict, "verdict"],
  [TERM_FIELDS.kind, "kind"],
]);

/** The field with this number. */
export function termField(number: number): TermField | undefined {
  return FIELD_NAMES.get(number);
}

/** The fields of an entry that the index looks at. */
export type IndexedFields = Pick<EntryDraft, "kind" | "session_id" | "action" | "decision" | "outcome">;

/** Everything that the index keeps of one entry. */
export interface IndexedEntry {
  readonly terms: readonly (readonly [TermField, string])[];
  /** `idKey` of the decision that the entry is or belongs to. */
  readonly decision_key: number | undefined;
}

/** Crockford base 32. */
const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/** Values of these digits by character code. */
const DIGIT_VALUES: Readonly<Uint8Array> = digitValues();
/** Digits of a ULID that are its time. */
const TIME_DIGITS = 10;
/** Keys of ids that are no ULIDs begin here, above every time. */
const OTHER_KEYS = 2 ** 50;

/** The terms and the decision of an entry; a field of another type than its own is not indexed. */
export function indexedOf(fields: IndexedFields): IndexedEntry {
  const { action, decision, outcome } = fields;
  const terms: [TermField, string][] = [["kind", fields.kind]];
  addTerm(terms, "type", action?.type);
  addTerm(terms, "session_id", fields.session_id);
  addDecision(terms, decision);
  const decision_id: unknown = decision?.decision_id ?? outcome?.decision_id;
  return { terms, decision_key: typeof decision_id === "string" ? idKey(decision_id) : undefined };
}

/**
 * A number for an id: the milliseconds of a ULID, so that keys come in order of time, else a hash of 32 bits. Different
 * ids may share it.
 */
export function idKey(id: string): number {
  if (isUlid(id)) {
    let ms = 0;
    for (let i = 0; i < TIME_DIGITS; i++) ms = ms * 32 + (DIGIT_VALUES[id.charCodeAt(i)] ?? 0);
    return ms;
  }
  let hash = 0x811c9dc5;
  for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193);
  return OTHER_KEYS + (hash >>> 0);
}

function digitValues(): Uint8Array {
  const values = new Uint8Array(128);
  for (let value = 0; value < DIGITS.length; value++) values[DIGITS.charCodeAt(value)] = value;
  return values;
}

function addDecision(terms: [TermField, string][], decision: Decision | undefined): void {
  addTerm(terms, "rule", decision?.rule);
  addTerm(terms, "verdict", decision?.verdict);
}

function addTerm(terms: [TermField, string][], field: TermField, value: unknown): void {
  if (typeof value === "string") terms.push([field, value]);
}
