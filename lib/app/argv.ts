/** Readers of single command line words. Each returns the value, or a line that says what to write instead. */
import {
  ACTION_TYPES,
  type EntryKind,
  err,
  isUlid,
  ok,
  parseTime,
  type Result,
  type SessionId,
  type Verdict,
} from "../core/mod.ts";
import { nearest } from "../config/mod.ts";
import { parseSize } from "../decide/mod.ts";
import type { TimePoint } from "./command_audit_types.ts";
import { escapeText } from "./format_text.ts";

/** Every entry kind, for checks and completions. */
export const ENTRY_KINDS: readonly EntryKind[] = [
  "decision",
  "outcome",
  "observation",
  "approval",
  "session",
  "policy",
  "operator",
  "gap",
  "guard",
  "checkpoint",
];

/** Every verdict, for checks and completions. */
export const VERDICTS: readonly Verdict[] = ["allow", "deny", "ask", "redact", "log"];

/** Longest search text, characters. */
const TEXT_CHARS_MAX = 1_024;

const UNIT_US: Readonly<Record<string, number>> = {
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
  d: 86_400_000_000,
  w: 604_800_000_000,
};

/** The words before the first `--`, and those after it; `rest` is absent without one. */
export function splitAtDashes(
  argv: readonly string[],
): { readonly ours: readonly string[]; readonly rest?: readonly string[] } {
  const at = argv.indexOf("--");
  return at < 0 ? { ours: argv } : { ours: argv.slice(0, at), rest: argv.slice(at + 1) };
}

/** An RFC 3339 time in UTC, a date, or an age such as `90s`, `15m`, `2h`, `7d`, `1w`. */
export function readTime(text: string): Result<TimePoint, string> {
  const age = /^(\d{1,6})([smhdw])$/.exec(text);
  if (age !== null) return ok({ kind: "ago", age_us: Number(age[1]) * (UNIT_US[age[2] ?? ""] ?? 0) });
  const time_us = parseTime(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
  if (time_us !== undefined) return ok({ kind: "at", time_us });
  return err(`use a time such as 2026-01-31T12:00:00Z, a date, or an age such as 15m, 2h or 7d, not ${shown(text)}`);
}

/** A session id: 26 characters, in either case. */
export function readSessionId(text: string): Result<SessionId, string> {
  const id = text.toUpperCase();
  return isSessionId(id)
    ? ok(id)
    : err(`use a session id of 26 characters (see agentguard sessions list), not ${shown(text)}`);
}

/** An action type, or a glob on action types. */
export function readType(text: string): Result<string, string> {
  const names: readonly string[] = ACTION_TYPES;
  if (!/^[a-z._*]{1,64}$/.test(text)) return err(`use an action type or a glob such as 'file.*', not ${shown(text)}`);
  // A glob may match types of a newer guard, so only what its letters rule out is refused.
  if (text.includes("*") || names.includes(text)) return ok(text);
  const near = names.some((name) => name.startsWith(`${text}.`)) ? `${text}.*` : nearest(text, names);
  return err(`use a known action type, not ${shown(text)}${near === undefined ? "" : `; did you mean '${near}'?`}`);
}

/** One of a list of words. */
export function readWord<T extends string>(text: string, words: readonly T[]): Result<T, string> {
  const found = words.find((word) => word === text);
  return found === undefined ? err(`use one of ${words.join(", ")}, not ${shown(text)}`) : ok(found);
}

/** A whole number from `min` to `max`. */
export function readInteger(
  text: string,
  bounds: { readonly min: number; readonly max: number },
): Result<number, string> {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= bounds.min && value <= bounds.max) return ok(value);
  return err(`use a whole number from ${bounds.min} to ${bounds.max}, not ${shown(text)}`);
}

/** An age such as `90s`, `15m`, `2h`, `7d`, `1w`, milliseconds. */
export function readAge(text: string): Result<number, string> {
  const time = readTime(text);
  if (time.ok && time.value.kind === "ago" && time.value.age_us > 0) return ok(time.value.age_us / 1_000);
  return err(`use an age such as 15m, 2h or 30d, not ${shown(text)}`);
}

/** A number of bytes such as `500MB` or `10GiB`. */
export function readSize(text: string): Result<number, string> {
  const bytes = parseSize(text);
  return bytes !== undefined && bytes >= 1 ? ok(bytes) : err(`use a size such as 500MB or 10GiB, not ${shown(text)}`);
}

/** A text that is not empty, at most 1024 characters. */
export function readText(text: string): Result<string, string> {
  if (text.length >= 1 && text.length <= TEXT_CHARS_MAX) return ok(text);
  return err(`use a text of 1 to ${TEXT_CHARS_MAX} characters`);
}

function isSessionId(text: string): text is SessionId {
  return isUlid(text);
}

function shown(text: string): string {
  return `'${escapeText(text, 64)}'`;
}
