/** What one scan of one text works with, and what it finds. */
import { classOf } from "./chars.ts";

/** How a text is read. */
export interface ScanMode {
  /** Names of files are random more often than they are secrets: only long random names count. */
  readonly path: boolean;
  /** False where `user@host` is an address to log in at. */
  readonly email: boolean;
}

/** Free text. */
export const TEXT: ScanMode = { path: false, email: true };
/** A file's path. */
export const PATH: ScanMode = { path: true, email: true };
/** A word of a command that logs in at other hosts. */
export const LOGIN: ScanMode = { path: false, email: false };

/** A secret's place: `[start, end)` in UTF-16 code units. */
export interface Finding {
  readonly start: number;
  readonly end: number;
  readonly kind: string;
}

/** One scan. `steps` counts what the scanners look at, so that a test can show that the work is linear. */
export class Scan {
  readonly text: string;
  readonly mode: ScanMode;
  readonly findings: Finding[] = [];
  steps = 0;
  /** The first end of a PEM block at or after the place that was last asked for; infinite when there is none. */
  pem_end = -1;
  /** Where the password of the last URL ends: an `@` up to there begins no domain of an address. */
  userinfo_end = -1;

  constructor(text: string, mode: ScanMode) {
    this.text = text;
    this.mode = mode;
  }

  /** Notes a secret; nothing for an empty place. */
  add(start: number, end: number, kind: string): void {
    if (start < end) this.findings.push({ start, end, kind });
  }

  /** The first index from `from` up to `limit` whose character has none of the bits. */
  skip(from: number, bits: number, limit: number): number {
    let at = from;
    while (at < limit && (classOf(this.text.charCodeAt(at)) & bits) !== 0) at++;
    this.steps += at - from + 1;
    return at;
  }

  /** The first index from `from` up to `limit` whose character has one of the bits. */
  until(from: number, bits: number, limit: number): number {
    let at = from;
    while (at < limit && (classOf(this.text.charCodeAt(at)) & bits) === 0) at++;
    this.steps += at - from + 1;
    return at;
  }
}

/** Kinds that say less than any other: where findings overlap, the other name wins. Least first. */
const VAGUE: readonly string[] = ["high_entropy", "email", "secret", "password", "authorization"];

/** Findings in order, with those that overlap made one. */
export function mergeFindings(findings: readonly Finding[]): readonly Finding[] {
  if (findings.length < 2) return findings;
  const sorted = findings.toSorted((a, b) => a.start - b.start || b.end - a.end);
  const merged: Finding[] = [];
  for (const finding of sorted) {
    const last = merged.at(-1);
    if (last === undefined || finding.start >= last.end) {
      merged.push(finding);
      continue;
    }
    const kind = rank(finding.kind) > rank(last.kind) ? finding.kind : last.kind;
    merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, finding.end), kind };
  }
  return merged;
}

function rank(kind: string): number {
  const at = VAGUE.indexOf(kind);
  return at < 0 ? VAGUE.length : at;
}
