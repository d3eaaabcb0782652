/** Entries whose text is gone: which they are, and whether the record itself says so. */
import { type Entry, errorMessage } from "../core/mod.ts";
import type { Store } from "../store/mod.ts";
import { countWithout, firstUncovered, joinRanges, RangeBuilder, readRanges, type SeqRange } from "./ranges.ts";
import { entriesOfTypes } from "./typed_entries.ts";
import type { Fault } from "./verify_report.ts";

/** The stored text of an entry that was pruned: nothing, and the end of the line. */
export const PRUNED_TEXT = "";

/** Types of entries that account for texts that are gone. */
const STATEMENT_TYPES = ["guard.record.pruned", "guard.record.repaired"] as const;

/** What the entry of a pruning says. */
export interface PruneStatement {
  readonly seq: number;
  /** When it was written, RFC 3339 UTC. */
  readonly time: string;
  /** Before `seq`, ascending. */
  readonly ranges: readonly SeqRange[];
  readonly detail: string;
  /** True where the texts were not taken out but found damaged. */
  readonly lost: boolean;
}

/** What of a record was pruned, as its own entries say. */
export interface PrunedEntries {
  /** Entries that were met without their text. */
  readonly entries: number;
  /** Where they are; the first 1,000 runs. */
  readonly ranges: readonly SeqRange[];
  /** The entries that say so, with what they say. */
  readonly statements: readonly Omit<PruneStatement, "ranges">[];
  /** Of the entries those that were found damaged; nobody took them out on purpose. */
  readonly lost: number;
}

/** Runs that a report shows. */
const RANGES_SHOWN = 1_000;

/** The statement of an entry; `undefined` for another or malformed one, and for one about entries after it. */
export function pruneStatement(entry: Entry): PruneStatement | undefined {
  const { action, seq } = entry;
  if (action?.type !== "guard.record.pruned" && action?.type !== "guard.record.repaired") return undefined;
  const ranges = readRanges(action.ranges);
  if (ranges === undefined || (ranges.at(-1)?.[1] ?? 0) >= seq) return undefined;
  const detail = typeof action.detail === "string" ? action.detail : "";
  return { seq, time: entry.time, ranges, detail, lost: action.type === "guard.record.repaired" };
}

/** Every statement of the record, in order. */
export function pruneStatements(store: Store): readonly PruneStatement[] {
  return [...entriesOfTypes(store, STATEMENT_TYPES)].flatMap((entry) => pruneStatement(entry) ?? []);
}

/** Gathers the entries without text that a verification meets, and judges them at its end. */
export class PrunedCollector {
  readonly #met: RangeBuilder = new RangeBuilder();

  /** An entry has no text. In ascending order. */
  add(seq: number): void {
    this.#met.add(seq);
  }

  /** True if any was met. */
  get any(): boolean {
    return this.#met.count > 0;
  }

  /** A fault at the first one that no entry up to `size` accounts for; else what was pruned. */
  judge(store: Store, size: number): { readonly fault: Fault } | { readonly pruned: PrunedEntries } {
    const { ranges, count } = this.#met;
    let statements: readonly PruneStatement[];
    try {
      statements = pruneStatements(store).filter((each) => each.seq <= size);
    } catch (thrown) {
      const detail = `what was pruned cannot be read: ${errorMessage(thrown)}`;
      return { fault: { seq: ranges[0]?.[0] ?? 1, why: "unreadable", detail } };
    }
    const seq = firstUncovered(ranges, joinRanges(statements.flatMap((each) => each.ranges)));
    if (seq !== undefined) {
      return { fault: { seq, why: "missing", detail: "its text is gone, and no entry says that it was pruned" } };
    }
    const on_purpose = joinRanges(statements.filter((each) => !each.lost).flatMap((each) => each.ranges));
    const concerned = statements.filter((each) => touches(each.ranges, ranges));
    return {
      pruned: {
        entries: count,
        ranges: ranges.slice(0, RANGES_SHOWN),
        statements: concerned.map(({ seq, time, detail, lost }) => ({ seq, time, detail, lost })),
        lost: countWithout(ranges, on_purpose),
      },
    };
  }
}

/** True if the two (each ascending) have a number in common. */
function touches(one: readonly SeqRange[], other: readonly SeqRange[]): boolean {
  let at = 0;
  for (const [first, last] of one) {
    while (at < other.length && (other[at]?.[1] ?? 0) < first) at++;
    const found = other[at];
    if (found === undefined) return false;
    if (found[0] <= last) return true;
  }
  return false;
}
