/** Full verification of a record, streaming: the first thing that is wrong, where, and why. */
import { AgentguardError, type Entry, errorMessage, parseTime } from "../core/mod.ts";
import type { Row, Store } from "../store/mod.ts";
import { canonicalJson } from "./canonical.ts";
import { readHead, type RecordHead } from "./committer.ts";
import { FIRST_PREV, leafHash, parseEntry } from "./entry.ts";
import { FIELD_COLUMNS, fieldColumns } from "./schema.ts";

/** What can be wrong with an entry. */
export type FaultReason =
  | "missing" // no entry has this number, but later ones exist or did
  | "edited" // the text does not have the stored hash: one of them was changed
  | "reordered" // an intact entry stands under another number
  | "unchained" // intact by itself, but it does not follow the entry before it: one of the two was replaced
  | "not_canonical" // hashed and chained, but not as a recorder writes it
  | "column" // a column differs from the text
  | "head" // the stored head is not the last entry
  | "unreadable"; // the database cannot give the entry

/** A record that verifies. */
export interface VerifiedRecord {
  readonly ok: true;
  /** Entries verified. */
  readonly entries: number;
  readonly head_seq: number;
  /** Hex; 64 zeros for an empty record. */
  readonly head_hash: string;
}

/** A record that does not, with its first fault. */
export interface RecordFault {
  readonly ok: false;
  /** Entries that verified before it. */
  readonly entries: number;
  /** The first bad number. */
  readonly seq: number;
  readonly why: FaultReason;
  /** For people. */
  readonly detail: string;
}

/** The result of a verification. */
export type VerifyReport = VerifiedRecord | RecordFault;

/** How to verify. */
export interface VerifyOptions {
  /** The first number to verify, 1 by default; the entry before it is trusted to have the hash that is stored with it. */
  readonly from_seq?: number;
  /** Also compare every index with its table and look at every page, first. */
  readonly structure?: boolean;
  /** Told after each page of entries. */
  readonly onProgress?: (entries: number) => void;
  /** Stops it between two pages with `cancelled`. */
  readonly signal?: AbortSignal;
}

const PAGE_ROWS = 1_024;
// A first page that starts below 1 finds rows that were put before the first one.
const SELECT_PAGE = `SELECT seq, ${FIELD_COLUMNS.join(", ")}, body, hash FROM entries ` +
  `WHERE seq > ? ORDER BY seq LIMIT ${PAGE_ROWS}`;
const SELECT_HASH = "SELECT hash FROM entries WHERE seq = ?";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** One sentence on a fault. */
export function describeFault(fault: RecordFault): string {
  return `entry ${fault.seq} does not verify: ${fault.why} (${fault.detail})`;
}

/** Verifies an opened record; other processes may write meanwhile. Throws only `cancelled`, `closed` and `busy`. */
export function verifyStore(store: Store, options: VerifyOptions = {}): VerifyReport {
  const from_seq = options.from_seq ?? 1;
  const chain = new Chain(from_seq);
  try {
    const damage = options.structure === true ? store.check("full") : [];
    if (damage.length > 0) return chain.fault(from_seq, "unreadable", damage.join("; "));
    if (from_seq > 1) chain.continueFrom(store.prepare(SELECT_HASH).get(from_seq - 1));
    let after = from_seq > 1 ? from_seq - 1 : Number.MIN_SAFE_INTEGER;
    for (;;) {
      options.signal?.throwIfAborted();
      // The head before the page: entries that are committed in between are then in the page.
      const head = readHead(store);
      const page = store.prepare(SELECT_PAGE).all(after);
      if (page.length === 0) return chain.end(head);
      for (const row of page) {
        const fault = chain.add(row);
        if (fault !== undefined) return fault;
      }
      after = chain.last;
      options.onProgress?.(chain.entries);
    }
  } catch (thrown) {
    if (options.signal?.aborted === true) {
      throw new AgentguardError("cancelled", "verify the record: cancelled", { cause: thrown });
    }
    if (thrown instanceof AgentguardError && (thrown.code === "busy" || thrown.code === "closed")) throw thrown;
    return chain.fault(chain.last + 1, "unreadable", errorMessage(thrown));
  }
}

/** The entries seen so far, and the checks of the next one. */
class Chain {
  /** Number of the last verified entry. */
  last: number;
  entries = 0;
  #hash: string = FIRST_PREV;

  constructor(from_seq: number) {
    this.last = from_seq - 1;
  }

  /** Takes over the hash of the entry before the first; its absence shows as the first entry's broken chain. */
  continueFrom(row: Row | undefined): void {
    const hash = row?.["hash"];
    if (hash instanceof Uint8Array) this.#hash = hash.toHex();
  }

  fault(seq: number, why: FaultReason, detail: string): RecordFault {
    return { ok: false, entries: this.entries, seq, why, detail };
  }

  /** Checks the next row; `undefined` when it is sound. */
  add(row: Row): RecordFault | undefined {
    const seq = this.last + 1;
    const { seq: stored_seq, body, hash } = row;
    if (stored_seq !== seq) return this.#misnumbered(seq, stored_seq);
    if (!(hash instanceof Uint8Array) || !(body instanceof Uint8Array)) {
      return this.fault(seq, "edited", "its text or hash is not a sequence of bytes");
    }
    const line = text(body);
    const hash_hex = hash.toHex();
    if (line === undefined || leafHash(line).toHex() !== hash_hex) {
      return this.fault(seq, "edited", "its text does not have the stored hash");
    }
    const entry = parseEntry(line);
    if (entry === undefined) return this.fault(seq, "not_canonical", "its text is not an entry");
    if (entry.seq !== seq) return this.fault(seq, "reordered", `its text says that it is entry ${entry.seq}`);
    if (entry.prev !== this.#hash) {
      return this.fault(seq, "unchained", `it follows an entry with hash ${entry.prev}, not ${this.#hash}`);
    }
    if (canonicalJson(entry) !== line) return this.fault(seq, "not_canonical", "its text is not canonical JSON");
    const column = differingColumn(row, entry);
    if (column !== undefined) return this.fault(seq, "column", `column ${column} differs from the text`);
    this.last = seq;
    this.entries++;
    this.#hash = hash_hex;
    return undefined;
  }

  /** Checks that the stored head is the last entry. */
  end(head: RecordHead): VerifyReport {
    if (head.seq > this.last) {
      return this.fault(this.last + 1, "missing", `the record ends before its head, entry ${head.seq}`);
    }
    if (head.seq < this.last || head.hash !== this.#hash) {
      return this.fault(this.last, "head", `the stored head is entry ${head.seq} with hash ${head.hash}`);
    }
    return { ok: true, entries: this.entries, head_seq: this.last, head_hash: this.#hash };
  }

  #misnumbered(seq: number, stored: unknown): RecordFault {
    const detail = typeof stored === "number" && stored < seq
      ? `an entry ${stored} was put before the first`
      : `the next entry is ${String(stored)}`;
    return this.fault(seq, "missing", detail);
  }
}

function text(body: Uint8Array): string | undefined {
  try {
    return decoder.decode(body);
  } catch {
    return undefined;
  }
}

/** The first column that does not repeat the text, if any. */
function differingColumn(row: Row, entry: Entry): string | undefined {
  const time_us = parseTime(entry.time);
  const expected = fieldColumns(entry.entry_id, time_us ?? Number.NaN, entry);
  return FIELD_COLUMNS.find((name, index) => row[name] !== expected[index]);
}
