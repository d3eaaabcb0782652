/** One text: what may hold a secret is told apart quickly, then scanned, then written anew. */
import { ALNUM, classAt, classOf, DIGIT, WORD } from "./chars.ts";
import { scanAssignment } from "./assignments.ts";
import { scanWord } from "./entropy.ts";
import { type Finding, mergeFindings, Scan, type ScanMode } from "./scan.ts";
import { scanCard, scanEmail, scanJwt, scanPem, scanUrl } from "./shapes.ts";
import { scanVendor } from "./vendors.ts";
import { scanCommandLine } from "./words.ts";

/** Shortest word that any scanner takes for a secret by itself. */
const SUSPICIOUS_WORD_CHARS = 16;
/** Fewest digits of a card. */
const SUSPICIOUS_DIGITS = 13;

/**
 * False if no scanner can find anything in the text: it holds no long word, none of `@`, `=` and `:`, no flag behind a
 * space, no five dashes and few digits. One look at each character.
 */
export function isSuspicious(text: string): boolean {
  let run = 0;
  let digits = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    const bits = classOf(code);
    if ((bits & WORD) !== 0) {
      if (++run >= SUSPICIOUS_WORD_CHARS) return true;
      if ((bits & DIGIT) !== 0 && ++digits >= SUSPICIOUS_DIGITS) return true;
      if (code === 0x2d && (run === 1 ? text.charCodeAt(at - 1) <= 0x20 : run === 5)) return true;
    } else {
      if (code === 0x40 || code === 0x3d || code === 0x3a) return true;
      run = 0;
    }
  }
  return false;
}

/**
 * Looks for secrets; linear in the text's length. What was found is in `findings`, in any order, possibly overlapping.
 */
export function scanText(text: string, mode: ScanMode): Scan {
  const scan = new Scan(text, mode);
  if (!mode.path && text.includes(" -")) scanCommandLine(scan);
  /** Up to where words were looked at, up to where no token of three parts begins, and the end of what is public. */
  let [word_end, jwt_end, public_end] = [0, 0, 0];
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    const bits = classOf(code);
    scan.steps++;
    let next = at + 1;
    if (code === 0x2d && text.charCodeAt(at + 1) === 0x2d) {
      const block = scanPem(scan, at);
      if (block?.is_private === true) next = block.end;
      else if (block !== undefined) public_end = block.end;
    }
    if ((bits & WORD) !== 0 || code === 0x3a) {
      if (next === at + 1) next = Math.max(next, scanVendor(scan, at));
      if (code === 0x65 && at >= jwt_end && text.charCodeAt(at + 1) === 0x79) jwt_end = scanJwt(scan, at);
      if ((bits & WORD) !== 0 && at >= word_end) word_end = at < public_end ? public_end : scanWord(scan, at);
      if ((bits & DIGIT) !== 0 && (classAt(text, at - 1) & ALNUM) === 0) next = Math.max(next, scanCard(scan, at));
    }
    if (next === at + 1) {
      if (code === 0x40 && mode.email) scanEmail(scan, at);
      else if (code === 0x3a && text.startsWith("//", at + 1)) scanUrl(scan, at);
      else if (code === 0x3a || code === 0x3d) next = scanAssignment(scan, at);
      else if (code === 0x5b) next = Math.max(next, endOfMark(text, at));
    }
    at = next;
  }
  return scan;
}

/** Marks that a redactor writes: of a secret, and of the part that was cut. */
const MARK = /^\[(?:redacted:[a-z0-9_]{1,32}:[0-9a-f]{8}|cut:[0-9]{1,12}:[0-9a-f]{16})\]/;
const MARK_CHARS_MAX = 64;

/** The end of the mark that begins at `at`, or `at` where none does. */
export function endOfMark(text: string, at: number): number {
  if (text.charCodeAt(at) !== 0x5b) return at;
  const mark = MARK.exec(text.slice(at, at + MARK_CHARS_MAX));
  return mark === null ? at : at + mark[0].length;
}

/** What was found, in order, without overlaps; what lies within a mark is the mark's own text. */
export function findingsOf(scan: Scan): readonly Finding[] {
  const { findings, text } = scan;
  if (findings.length === 0) return findings;
  const merged = mergeFindings(findings);
  const marks = marksOf(text);
  if (marks.length === 0) return merged;
  let next = 0;
  return merged.filter((finding) => {
    while ((marks[next]?.end ?? Infinity) <= finding.start) next++;
    const mark = marks[next];
    return mark === undefined || finding.start < mark.start || mark.end < finding.end;
  });
}

/** Marks in order. */
function marksOf(text: string): readonly Pick<Finding, "start" | "end">[] {
  const marks: Pick<Finding, "start" | "end">[] = [];
  for (let at = text.indexOf("["); at >= 0; at = text.indexOf("[", at + 1)) {
    const end = endOfMark(text, at);
    if (end > at) marks.push({ start: at, end });
  }
  return marks;
}
