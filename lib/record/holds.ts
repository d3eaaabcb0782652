/** Legal holds: what must be kept, whatever else says that it may go. They rest on the record's own entries. */
import { AgentguardError, type Entry, type HoldTerms, parseTime } from "../core/mod.ts";
import type { Store } from "../store/mod.ts";
import { entriesOfTypes } from "./typed_entries.ts";

/** A hold that was added and not released. */
export interface Hold extends HoldTerms {
  /** The entry that added it. */
  readonly seq: number;
  /** When, RFC 3339 UTC. */
  readonly added: string;
  readonly detail: string;
}

/** Holds at one time. */
const HOLDS_MAX = 1_000;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Why the terms cannot be a hold; `undefined` if they can. */
export function holdProblem(terms: HoldTerms): string | undefined {
  const { name, session_id, principal, since, until } = terms;
  if (!NAME.test(name)) return "name the hold with 1 to 64 of A-Z a-z 0-9 . _ -";
  if (session_id === undefined && principal === undefined && since === undefined && until === undefined) {
    return "say what is held: a session, a principal, a time from or until";
  }
  const [from_us, to_us] = [since, until].map((time) => time === undefined ? undefined : parseTime(time));
  if ((since !== undefined && from_us === undefined) || (until !== undefined && to_us === undefined)) {
    return "give times as 2026-01-31T12:00:00Z";
  }
  return from_us !== undefined && to_us !== undefined && from_us > to_us ? "the hold ends before it begins" : undefined;
}

/**
 * The holds in force, in the order in which they were added. Throws `tamper` for a hold entry that cannot be read: what
 * it holds is not known, so nothing may go. Throws what the store throws.
 */
export function activeHolds(store: Store): readonly Hold[] {
  const holds = new Map<string, Hold>();
  for (const entry of entriesOfTypes(store, ["guard.hold.added", "guard.hold.released"])) {
    const { action, seq, time } = entry;
    if (action?.type !== "guard.hold.added" && action?.type !== "guard.hold.released") continue;
    const terms = readTerms(action.hold);
    if (terms === undefined) {
      throw new AgentguardError("tamper", `read the holds: entry ${seq} is malformed; run agentguard audit verify`);
    }
    if (action.type === "guard.hold.released") holds.delete(terms.name);
    else holds.set(terms.name, { ...terms, seq, added: time, detail: action.detail });
  }
  return [...holds.values()];
}

/** Throws `usage` where a hold of this name is in force, or too many are. */
export function requireNewHold(holds: readonly Hold[], terms: HoldTerms): void {
  const problem = holdProblem(terms);
  if (problem !== undefined) throw new AgentguardError("usage", `add a hold: ${problem}`);
  if (holds.some(({ name }) => name === terms.name)) {
    throw new AgentguardError("usage", `add hold ${terms.name}: one of this name is in force; choose another name`);
  }
  if (holds.length >= HOLDS_MAX) {
    throw new AgentguardError("usage", `add hold ${terms.name}: ${HOLDS_MAX} are in force; release one first`);
  }
}

/** A test for entries under any of the holds; `undefined` where none is in force. */
export function heldBy(holds: readonly HoldTerms[]): ((entry: Entry) => boolean) | undefined {
  if (holds.length === 0) return undefined;
  const tests = holds.map((terms) => termsTest(terms));
  return (entry) => tests.some((test) => test(entry));
}

/** A test for entries that all given terms match. An entry whose time cannot be read is of every time. */
export function termsTest(terms: Omit<HoldTerms, "name">): (entry: Entry) => boolean {
  const { session_id, principal, since, until } = terms;
  const since_us = since === undefined ? Number.NEGATIVE_INFINITY : parseTime(since) ?? Number.NEGATIVE_INFINITY;
  const until_us = until === undefined ? Number.POSITIVE_INFINITY : parseTime(until) ?? Number.POSITIVE_INFINITY;
  return (entry) => {
    if (session_id !== undefined && entry.session_id !== session_id) return false;
    if (principal !== undefined && entry.principal !== principal) return false;
    const time_us = parseTime(entry.time);
    return time_us === undefined || (time_us >= since_us && time_us <= until_us);
  };
}

function readTerms(value: unknown): HoldTerms | undefined {
  if (!isTerms(value)) return undefined;
  return holdProblem({ ...value, since: value.since ?? "2000-01-01T00:00:00Z" }) === undefined ? value : undefined;
}

function isTerms(value: unknown): value is HoldTerms {
  if (typeof value !== "object" || value === null || !("name" in value) || typeof value.name !== "string") return false;
  const texts = ["session_id", "principal", "since", "until"];
  return Object.entries(value).every(([key, text]) =>
    key === "name" || !texts.includes(key) || typeof text === "string"
  );
}
