/**
 * How the canonical text of an entry lies in the database: without what the log itself gives. The number and the hash
 * of the entry before are left out, and put back when it is read: a text at another place, or after another entry, is
 * another text.
 *
 * One entry is `A RS B RS C LF`, and its canonical text is `A "prev":"<64 hex>" B "seq":<number> C`. Canonical JSON
 * holds neither of the two control characters, so nothing is escaped.
 */

/** Separates the three parts of an entry. */
export const PART_SEPARATOR = "\u001e";
/** Ends an entry. */
export const ENTRY_END = "\n";

/** The three parts of a canonical text around its `prev` and `seq` members. */
export interface TextParts {
  readonly before_prev: string;
  readonly before_seq: string;
  readonly after_seq: string;
}

/** The stored form of the parts. */
export function storedText(parts: TextParts): string {
  return `${parts.before_prev}${PART_SEPARATOR}${parts.before_seq}${PART_SEPARATOR}${parts.after_seq}${ENTRY_END}`;
}

/** The canonical text of an entry at a place. `prev` is hex. */
export function lineAt(parts: TextParts, place: { readonly seq: number; readonly prev: string }): string {
  return `${parts.before_prev}"prev":"${place.prev}"${parts.before_seq}"seq":${place.seq}${parts.after_seq}`;
}

/** What the leaf hash of an entry at a place is over: 0x00 and its canonical text. Source: RFC 6962 section 2.1. */
export function leafTextAt(parts: TextParts, place: { readonly seq: number; readonly prev: string }): string {
  // Not a prefix before `lineAt`: putting strings together is a good part of what hashing costs.
  return `\u0000${parts.before_prev}"prev":"${place.prev}"${parts.before_seq}"seq":${place.seq}${parts.after_seq}`;
}

/** The parts of one stored entry without its end; what is malformed gives parts that no hash fits. */
export function partsOf(stored: string): TextParts {
  const first = stored.indexOf(PART_SEPARATOR);
  const second = stored.indexOf(PART_SEPARATOR, first + 1);
  if (first < 0 || second < 0) return { before_prev: stored, before_seq: "", after_seq: "" };
  return {
    before_prev: stored.slice(0, first),
    before_seq: stored.slice(first + 1, second),
    after_seq: stored.slice(second + 1),
  };
}

/** The stored entries of a block, without their ends. What stands after the last end is an entry too: a cut one. */
export function storedEntries(data: string): string[] {
  const entries = data.split(ENTRY_END);
  if (entries.at(-1) === "") entries.pop();
  return entries;
}
