/** Words that look drawn by chance: what is secret and has no known form. */
import { classAt, classOf, DIGIT, JOINER, LETTER, LOWER, PLUS, UPPER, WORD } from "./chars.ts";
import type { Scan } from "./scan.ts";

/** Shortest piece without joiners that is judged in free text, and in a path. */
const PIECE_CHARS_MIN = 16;
const PATH_PIECE_CHARS_MIN = 32;
/** Shortest word that is reported. */
const WORD_CHARS_MIN = 20;
/** Shortest piece of capitals or small letters with digits, and of letters alone. */
const TWO_CLASSES_CHARS_MIN = 24;
const LETTERS_CHARS_MIN = 28;

/** Shortest part of one kind of characters that is not chance. */
const PLAIN_CHARS_MIN = 6;

/**
 * Least share of neighbours of different classes. Random base62 has 0.62, base36 0.40, base32 0.30; camelCase under
 * 0.32.
 */
const CHANGES_MIXED_MIN = 0.38;
const CHANGES_SCATTERED_MIN = 0.3;
const CHANGES_TWO_MIN = 0.22;
const CHANGES_LETTERS_MIN = 0.4;

/** Public digests: subresource integrity, and the names of hashes before a colon or a dash. */
const DIGEST_PREFIXES: readonly string[] = ["sha1-", "sha256-", "sha384-", "sha512-"];
/** A public key of SSH begins with a length below 256 and is longer than this. */
const SSH_KEY_CHARS_MIN = 60;

/** What is counted in a piece. */
interface Counts {
  bits: number;
  changes: number;
  digits: number;
  digit_groups: number;
  distinct: number;
  hex: boolean;
}

/** Looks at the word that begins at `start`, with the words that slashes join to it. Gives their end. */
export function scanWord(scan: Scan, start: number): number {
  const { text } = scan;
  let end = start;
  while (end < text.length && isJoined(text.charCodeAt(end))) end++;
  scan.steps += end - start + 1;
  if (end - start < PIECE_CHARS_MIN || isPublic(text, start, end)) return end;
  const before = text.charCodeAt(start - 1);
  const in_path = scan.mode.path || before === 0x2f || before === 0x2e || before === 0x7e;
  const random = randomParts(scan, start, end, in_path);
  if (random.length === 0) return end;
  const padded = endOfPadding(text, end);
  // Base64 has slashes too: without a plain word among its parts it is one secret, else it is a path.
  if (!in_path && !hasPlainWord(scan, start, end)) scan.add(start, padded, "high_entropy");
  else for (const [from, to] of random) scan.add(from, to === end ? padded : to, "high_entropy");
  return end;
}

/** Parts between slashes that are random. */
function randomParts(scan: Scan, start: number, end: number, in_path: boolean): readonly (readonly [number, number])[] {
  const random: (readonly [number, number])[] = [];
  for (let from = start; from < end;) {
    const to = endOfPart(scan, from, end);
    if (isRandomWord(scan, from, to, in_path)) random.push([from, to]);
    from = to + 1;
  }
  return random;
}

/** True if one of the parts between slashes is of one kind of characters: long ones are words or numbers. */
function hasPlainWord(scan: Scan, start: number, end: number): boolean {
  for (let from = start; from < end;) {
    const to = endOfPart(scan, from, end);
    if (to - from >= PLAIN_CHARS_MIN && isOneClass(scan, from, to)) return true;
    from = to + 1;
  }
  return false;
}

function endOfPart(scan: Scan, from: number, end: number): number {
  let to = from;
  while (to < end && scan.text.charCodeAt(to) !== 0x2f) to++;
  scan.steps += to - from + 1;
  return to;
}

function isJoined(code: number): boolean {
  return (classOf(code) & WORD) !== 0 || code === 0x2f;
}

function isPublic(text: string, start: number, end: number): boolean {
  if (DIGEST_PREFIXES.some((prefix) => text.startsWith(prefix, start))) return true;
  return end - start >= SSH_KEY_CHARS_MIN && text.startsWith("AAAA", start);
}

function endOfPadding(text: string, end: number): number {
  let at = end;
  while (at < end + 2 && text.charCodeAt(at) === 0x3d) at++;
  return (classAt(text, at) & WORD) === 0 ? at : end;
}

/** True if one of the pieces between joiners is random. */
function isRandomWord(scan: Scan, start: number, end: number, in_path: boolean): boolean {
  if (end - start < (in_path ? PATH_PIECE_CHARS_MIN : WORD_CHARS_MIN)) return false;
  for (let from = start; from < end;) {
    let to = from;
    while (to < end && (classAt(scan.text, to) & JOINER) === 0) to++;
    scan.steps += to - from + 1;
    if (to - from >= (in_path ? PATH_PIECE_CHARS_MIN : PIECE_CHARS_MIN) && isRandom(scan, from, to, in_path)) {
      return true;
    }
    from = to + 1;
  }
  return false;
}

function isRandom(scan: Scan, start: number, end: number, in_path: boolean): boolean {
  const length = end - start;
  const counts = countPiece(scan, start, end);
  if (counts.hex) return false;
  const share = counts.changes / length;
  switch (counts.bits & (LETTER | DIGIT)) {
    case LOWER | UPPER | DIGIT:
      if (counts.distinct < 10) return false;
      return share >= CHANGES_MIXED_MIN || (share >= CHANGES_SCATTERED_MIN && counts.digit_groups >= 3);
    case LOWER | DIGIT:
    case UPPER | DIGIT:
      if (in_path || length < TWO_CLASSES_CHARS_MIN || counts.distinct < 11) return false;
      if (isUlidAt(scan.text, start, end)) return false;
      return share >= CHANGES_TWO_MIN && counts.digit_groups >= 3 && counts.digits <= length * 0.6;
    case LETTER:
      return !in_path && length >= LETTERS_CHARS_MIN && counts.distinct >= 16 && share >= CHANGES_LETTERS_MIN;
    default:
      return false;
  }
}

function countPiece(scan: Scan, start: number, end: number): Counts {
  const counts: Counts = { bits: 0, changes: 0, digits: 0, digit_groups: 0, distinct: 0, hex: true };
  let [lower, upper, digit, before] = [0, 0, 0, 0];
  for (let at = start; at < end; at++) {
    const code = scan.text.charCodeAt(at);
    const bits = classOf(code) & (LETTER | DIGIT | PLUS);
    if (bits === LOWER) lower |= 1 << (code - 0x61);
    else if (bits === UPPER) upper |= 1 << (code - 0x41);
    else if (bits === DIGIT) digit |= 1 << (code - 0x30);
    if (bits === DIGIT) {
      counts.digits++;
      if (before !== DIGIT) counts.digit_groups++;
    } else if (bits === PLUS || (code | 0x20) > 0x66) counts.hex = false;
    if (before !== 0 && bits !== before) counts.changes++;
    counts.bits |= bits;
    before = bits;
  }
  scan.steps += end - start + 1;
  counts.distinct = ones(lower) + ones(upper) + ones(digit);
  return counts;
}

function ones(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count++;
  return count;
}

/** An identifier of 26 characters of Crockford's base 32 that begins with a time. Source: github.com/ulid/spec. */
function isUlidAt(text: string, start: number, end: number): boolean {
  return end - start === 26 && /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/i.test(text.slice(start, end));
}

function isOneClass(scan: Scan, start: number, end: number): boolean {
  let bits = 0;
  for (let at = start; at < end; at++) bits |= classAt(scan.text, at);
  scan.steps += end - start + 1;
  const kinds = bits & (LETTER | DIGIT);
  return kinds === LOWER || kinds === UPPER || kinds === DIGIT;
}
