/** Making a sound record from what a damaged one still gives. */
import { parseTime } from "../core/mod.ts";
import { openStore, type Store } from "../store/mod.ts";
import { putCheckpoint, putKey } from "./committer.ts";
import { parseEntry } from "./entry.ts";
import type { StoredCheckpoint } from "./log_state.ts";
import { LogTables } from "./log_tables.ts";
import { pruneStatements } from "./pruned.ts";
import { firstUncovered, joinRanges, RangeBuilder, type SeqRange } from "./ranges.ts";
import { type Belief, type Salvage, type SalvagedEntry, type SalvagedState } from "./salvage.ts";
import { RECORD_SCHEMA } from "./schema.ts";
import { lineAt, partsOf } from "./stored_text.ts";

/** What of the damaged record can go on. */
export interface Sound {
  readonly found: SalvagedState;
  readonly belief: Belief;
  /** Those that the entries lead to, ascending; the last is the greatest with a sound signature. */
  readonly checkpoints: readonly StoredCheckpoint[];
  readonly size: number;
}

/** What could not be taken over. */
export interface Loss {
  readonly ranges: readonly SeqRange[];
  readonly entries: number;
  /** Times of the last sound entry before the first lost one, and of the first after the last one; RFC 3339. */
  readonly from: string | undefined;
  readonly to: string | undefined;
}

/** Entries of one transaction. */
const BATCH_ENTRIES = 1_024;

/** What goes on, or `undefined` where the entries do not lead to what was signed last. */
export function soundPart(salvage: Salvage): Sound | undefined {
  const found = salvage.state();
  const newest = found?.checkpoints.at(-1);
  if (found === undefined || newest === undefined) return undefined;
  for (const belief of ["tiles", "texts"] as const) {
    const checkpoints = salvage.reach(found.checkpoints, belief);
    if (checkpoints.at(-1)?.size === newest.size) return { found, belief, checkpoints, size: newest.size };
  }
  return undefined;
}

/** Makes the file, which must not exist; gives it open for writing. Throws what the store throws. */
export function makeSoundFile(
  path: string,
  salvage: Salvage,
  sound: Sound,
): { readonly store: Store; readonly loss: Loss } {
  const store = openStore(path, { mode: "write", schema: RECORD_SCHEMA });
  try {
    const { origin, keys } = sound.found.state;
    store.transaction(() => {
      store.prepare("INSERT INTO log (id, origin) VALUES (1, ?)").run(origin);
      for (const { id, since_seq, key } of keys) putKey(store, { key_id: id, public_key: key }, since_seq);
      for (const checkpoint of sound.checkpoints) putCheckpoint(store, checkpoint);
    });
    const times = new Times();
    takeOver(store, salvage.entries(sound.size, sound.belief), times);
    return { store, loss: lossOf(store, times) };
  } catch (thrown) {
    store.close();
    throw thrown;
  }
}

/** Where texts are missing, and when the entries around them were. */
class Times {
  readonly missing: RangeBuilder = new RangeBuilder();
  /** By the first number of a run without text: the time of the entry before. */
  readonly before: Map<number, string> = new Map();
  /** By the last number of such a run: the time of the entry after. */
  readonly after: Map<number, string> = new Map();
  #last: string | undefined;
  #open: number | undefined;

  without(seq: number): void {
    if (this.#open === undefined && this.#last !== undefined) this.before.set(seq, this.#last);
    this.#open = seq;
    this.missing.add(seq);
  }

  sound(time: string): void {
    if (this.#open !== undefined) this.after.set(this.#open, time);
    this.#open = undefined;
    this.#last = time;
  }
}

function takeOver(store: Store, entries: Iterable<SalvagedEntry>, times: Times): void {
  const tables = new LogTables(store, 0);
  let prev = "";
  let waiting = 0;
  const write = (): void => {
    const batch = tables.take();
    store.transaction(() => tables.write(batch));
    waiting = 0;
  };
  for (const { seq, hash, stored } of entries) {
    const entry = stored === undefined ? undefined : parseEntry(lineAt(partsOf(stored), { seq, prev }));
    const time_us = entry === undefined ? undefined : parseTime(entry.time);
    if (entry === undefined || stored === undefined || time_us === undefined) {
      tables.addHash(hash);
      times.without(seq);
    } else {
      tables.add({ seq, entry_id: entry.entry_id, stored: `${stored}\n`, draft: { ...entry, time_us } }, hash);
      times.sound(entry.time);
    }
    prev = hash.toHex();
    if (++waiting >= BATCH_ENTRIES) write();
  }
  write();
}

/** What is missing and no entry accounts for. */
function lossOf(store: Store, { missing, before, after }: Times): Loss {
  const told = joinRanges(pruneStatements(store).flatMap(({ ranges }) => ranges));
  const lost = new RangeBuilder();
  for (const [first, last] of missing.ranges) {
    for (let seq = first; seq <= last; seq++) if (firstUncovered([[seq, seq]], told) !== undefined) lost.add(seq);
  }
  const [first, last] = [missing.ranges.find(([, to]) => to >= (lost.ranges[0]?.[0] ?? Infinity)), lost.ranges.at(-1)];
  const run_of_last = missing.ranges.find(([, to]) => to >= (last?.[1] ?? Infinity));
  return {
    ranges: lost.ranges,
    entries: lost.count,
    from: first === undefined ? undefined : before.get(first[0]),
    to: run_of_last === undefined ? undefined : after.get(run_of_last[1]),
  };
}
