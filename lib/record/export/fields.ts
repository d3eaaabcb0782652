/** What all mappings read of an entry: members by their place, whatever a newer version may have put there. */
import type { Entry } from "../../core/mod.ts";

/** A section of an entry and a member of it. */
export type Place = readonly [section: Section, member: string, inner?: string];

/** The parts of an entry; `entry` is the entry itself. */
export type Section = "entry" | "process" | "action" | "decision" | "outcome" | "gap";

/** Words of a command line that need no quotes. */
const PLAIN_WORD = /^[\w@%+=:,./-]+$/;

/** The value at a place, or `undefined`. */
export function valueAt(entry: Entry, [section, member, inner]: Place): unknown {
  const value = memberOf(section === "entry" ? entry : entry[section], member);
  return inner === undefined ? value : memberOf(value, inner);
}

/** A member of a value that may be no object. */
export function memberOf(value: unknown, member: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return new Map(Object.entries(value)).get(member);
}

/** The text at a place. */
export function textAt(entry: Entry, ...place: Place): string | undefined {
  const value = valueAt(entry, place);
  return typeof value === "string" ? value : undefined;
}

/** The whole number at a place. */
export function integerAt(entry: Entry, ...place: Place): number | undefined {
  const value = valueAt(entry, place);
  return typeof value === "number" && Number.isSafeInteger(value) ? value : undefined;
}

/** The texts at a place; what is no text is left out. */
export function textsAt(entry: Entry, ...place: Place): readonly string[] | undefined {
  const value = valueAt(entry, place);
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : undefined;
}

/** What happened, for classes and names: the action's type, else the kind of the entry. */
export function typeOf(entry: Entry): string {
  return textAt(entry, "action", "type") ?? entry.kind;
}

/** The last part of a path. */
export function baseName(path: string): string {
  const trimmed = path.length > 1 && path.endsWith("/") ? path.slice(0, -1) : path;
  return trimmed.slice(trimmed.lastIndexOf("/") + 1) || path;
}

/** The words of a command as one line that a POSIX shell would read as the same words. */
export function commandLine(argv: readonly string[]): string {
  return argv.map((word) => PLAIN_WORD.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`).join(" ");
}

/** How much an entry matters. */
export type Severity = "info" | "low" | "medium" | "high" | "critical";

/** Alarms and losses by type of action. */
const ALARMS: ReadonlyMap<string, Severity> = new Map([
  ["guard.tamper", "critical"],
  ["guard.record.repaired", "critical"],
  ["guard.mismatch", "high"],
  ["guard.lost", "high"],
  ["guard.degraded", "medium"],
]);

/** How much the entry matters: alarms and kills most, then what was stopped or lost, then what was noted. */
export function severityOf(entry: Entry): Severity {
  const alarm = ALARMS.get(typeOf(entry));
  if (alarm !== undefined) return alarm;
  const label = textAt(entry, "outcome", "label");
  if (label === "killed_before_effect" || label === "killed_after_effect" || label === "unenforceable") return "high";
  if (label === "prevented" || label === "held" || label === "failed" || entry.gap !== undefined) return "medium";
  if (stops(textAt(entry, "decision", "verdict"))) return "medium";
  const verdict = textAt(entry, "decision", "verdict");
  return verdict === "log" || verdict === "redact" || textAt(entry, "decision", "would") !== undefined ? "low" : "info";
}

/** True for a verdict that does not let the action go on at once. */
export function stops(verdict: string | undefined): boolean {
  return verdict === "deny" || verdict === "ask";
}

/** Members that say in a word what an action was about, the most telling first. */
const SUBJECTS: readonly string[] = ["path", "requested_path", "tool", "target", "detail", "agent", "name", "topic"];

/** What the entry says, in one line: `net.connect 192.0.2.1:443: deny by no-net (prevented)`. */
export function messageOf(entry: Entry): string {
  const rule = textAt(entry, "decision", "rule");
  const verdict = textAt(entry, "decision", "verdict");
  const would = textAt(entry, "decision", "would");
  const label = textAt(entry, "outcome", "label");
  const ruling = [
    verdict === undefined ? "" : `${verdict} by ${rule ?? "default"}`,
    would === undefined ? "" : `would be ${would}`,
  ].filter((part) => part !== "").join(", ");
  const subject = subjectOf(entry);
  const head = subject === undefined ? typeOf(entry) : `${typeOf(entry)} ${subject}`;
  return `${head}${ruling === "" ? "" : `: ${ruling}`}${label === undefined ? "" : ` (${label})`}`;
}

function subjectOf(entry: Entry): string | undefined {
  const address = textAt(entry, "action", "address");
  if (address !== undefined) {
    const host = address.includes(":") ? `[${address}]` : address;
    return `${host}:${integerAt(entry, "action", "port") ?? 0}`;
  }
  for (const member of SUBJECTS) {
    const subject = textAt(entry, "action", member);
    if (subject !== undefined) return subject;
  }
  if (entry.gap === undefined) return undefined;
  return `${integerAt(entry, "gap", "count") ?? 0} ${textAt(entry, "gap", "type") ?? "?"} in ${
    textAt(entry, "gap", "source") ?? "?"
  }`;
}
