/**
 * Reads and verifies the record of a run in this process: a start of the executable for each takes longer than the
 * attempts on an emulated machine.
 */
import type { Entry } from "../../../lib/core/mod.ts";
import { describeFault, entryOf, localPublicKey, openRecordReader } from "../../../lib/record/mod.ts";

/** A record as it is when its guard has ended. */
export interface ReadRecord {
  /** All entries, in their order. */
  readonly entries: readonly Entry[];
  /** Why it does not verify; empty where it does. */
  readonly faults: readonly string[];
}

/** What `audit query` and `audit verify` say of the record in a state directory, by the same functions. */
export function readRecord(directory: string): ReadRecord {
  using reader = openRecordReader(directory);
  const key = localPublicKey(directory, reader.state());
  const report = reader.verify({ structure: true, ...(key === undefined ? undefined : { key }) });
  const faults = report.ok ? [] : [`the record does not verify: ${describeFault(report)}`];
  return { entries: [...reader.query({})].map((stored) => entryOf(stored)), faults };
}
