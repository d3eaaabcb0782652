/**
 * What the record does with every entry, a block at a time in native code (native/record.c): canonical text, hash chain
 * and Merkle tree. Nothing is kept between calls.
 */
import { ptr } from "bun:ffi";
import { invariant } from "../lib/core/mod.ts";
import { openRecordLibrary, type RecordLibrary } from "./native_library.ts";

/** Entries of one call: a block of the record. */
export const RECORD_BLOCK = 256;
/** Bytes of a hash, and of an entry's id. */
const HASH = 32;
const ID = 26;
/** Values of the index that one entry has, and the size of `struct ag_record_term` in words. */
const FIELDS = 5;
const TERM_WORDS = 3;
/** Heights of a tree of 2^53 leaves. */
const HEIGHTS = 54;
/** Bytes that the boot's id may have as JSON. */
const BOOT_BYTES_MAX = 128;

/** Places in `struct ag_record_job`, as words of four bytes; the two times are doubles behind them. */
const JOB = {
  input_bytes: 0,
  output_bytes: 1,
  entries_max: 2,
  row_bytes_max: 3,
  redacted: 4,
  boot_bytes: 5,
  input_at: 6,
  output_at: 7,
  entries: 8,
  status: 9,
  terms: 10,
  decisions: 11,
  words: 12,
  time_min: 0,
  time_max: 1,
} as const;

/** Why a call ended: no line was left or enough were written, the next line is for the caller, or no room for it. */
export type DraftsEnd = "done" | "other" | "full";

const ENDS: readonly DraftsEnd[] = ["done", "other", "full"];

/** What drafts are to be written. */
export interface DraftLines {
  /** Lines of JSON, each ended by a line break. */
  readonly input: Uint8Array;
  readonly input_bytes: number;
  /** Where the next line begins. */
  readonly input_at: number;
  readonly output: Uint8Array;
  readonly output_at: number;
  /** At most `RECORD_BLOCK`. */
  readonly entries_max: number;
  /** No entry more once the text has this many bytes. */
  readonly row_bytes_max: number;
  /** A draft whose texts may hold a secret is left to the caller. */
  readonly redacted: boolean;
  /** Ids of 26 bytes, one after the other. */
  readonly ids: Uint8Array;
  /** The boot's id as JSON. */
  readonly boot: Uint8Array;
}

/** What was written. */
export interface WrittenDrafts {
  readonly end: DraftsEnd;
  readonly entries: number;
  readonly input_at: number;
  readonly output_at: number;
  /** Between which times the entries lie, microseconds; meaningless without any. */
  readonly time_min: number;
  readonly time_max: number;
}

/** A value of the index: the number of its field, and where its JSON lies in the input, without quotes. */
export type DraftTerm = readonly [field: number, at: number, bytes: number];

/** One thread's way to the record's native code. */
export class RecordCalls {
  readonly #library: RecordLibrary;
  readonly #words: Uint32Array<ArrayBuffer>;
  readonly #times: Float64Array<ArrayBuffer>;
  readonly #terms: Uint32Array<ArrayBuffer> = new Uint32Array(RECORD_BLOCK * FIELDS * TERM_WORDS);
  readonly #decisions: Float64Array<ArrayBuffer> = new Float64Array(RECORD_BLOCK);
  readonly #roots: Uint8Array<ArrayBuffer> = new Uint8Array(16 * HASH);

  constructor(library: RecordLibrary) {
    this.#library = library;
    const job = new ArrayBuffer((JOB.words + 4) * 4);
    this.#words = new Uint32Array(job);
    this.#times = new Float64Array(job, JOB.words * 4, 2);
  }

  /** Turns lines into stored entries. What it says of terms and decisions is there until the next call. */
  write(lines: DraftLines): WrittenDrafts {
    const words = this.#words;
    invariant(
      lines.entries_max <= RECORD_BLOCK && lines.ids.length >= lines.entries_max * ID &&
        lines.input_bytes <= lines.input.length && lines.input_at <= lines.input_bytes &&
        lines.output_at <= lines.output.length && lines.boot.length <= BOOT_BYTES_MAX,
      "write drafts: a buffer is too small",
    );
    words[JOB.input_bytes] = lines.input_bytes;
    words[JOB.output_bytes] = lines.output.length;
    words[JOB.entries_max] = lines.entries_max;
    words[JOB.row_bytes_max] = lines.row_bytes_max;
    words[JOB.redacted] = lines.redacted ? 1 : 0;
    words[JOB.boot_bytes] = lines.boot.length;
    words[JOB.input_at] = lines.input_at;
    words[JOB.output_at] = lines.output_at;
    // SAFETY: every buffer outlives the call, and was measured above; native code stays within what it is told.
    this.#library.ag_record_write(
      ptr(words),
      ptr(lines.input),
      ptr(lines.output),
      ptr(lines.ids),
      ptr(lines.boot),
      ptr(this.#terms),
      ptr(this.#decisions),
    );
    return {
      end: ENDS[words[JOB.status] ?? 0] ?? "other",
      entries: words[JOB.entries] ?? 0,
      input_at: words[JOB.input_at] ?? 0,
      output_at: words[JOB.output_at] ?? 0,
      time_min: this.#times[JOB.time_min] ?? 0,
      time_max: this.#times[JOB.time_max] ?? 0,
    };
  }

  /** The values of the index in the entries of the last `write`, each once. */
  *terms(): Generator<DraftTerm, void, void> {
    const terms = this.#terms;
    for (let at = 0; at < (this.#words[JOB.terms] ?? 0) * TERM_WORDS; at += TERM_WORDS) {
      yield [terms[at] ?? 0, terms[at + 1] ?? 0, terms[at + 2] ?? 0];
    }
  }

  /** The keys of the decisions of the last `write`, as `idKey` of the record makes them; some may come twice. */
  decisions(): readonly number[] {
    return Array.from(this.#decisions.subarray(0, this.#words[JOB.decisions] ?? 0));
  }

  /**
   * Writes the leaf hashes of stored entries to `leaves`, which says how many at most. Stops before an entry that is
   * none or has no text, and before one whose hash is not that of `expected`. `prev` is the hash before the first.
   */
  chain(
    stored: Uint8Array,
    leaves: Uint8Array,
    { first_seq, prev, expected }: {
      readonly first_seq: number;
      readonly prev: Uint8Array;
      readonly expected?: Uint8Array;
    },
  ): number {
    const count = Math.floor(leaves.length / HASH);
    invariant(prev.length === HASH && (expected === undefined || expected.length >= count * HASH), "chain: sizes");
    if (stored.length === 0 || count === 0) return 0;
    // SAFETY: as above.
    return this.#library.ag_record_chain(
      ptr(stored),
      stored.length,
      first_seq,
      ptr(prev),
      expected === undefined ? null : ptr(expected),
      ptr(leaves),
      count,
    );
  }

  /**
   * Adds leaves to a tree of `size`. `frontier`: by height the last whole subtree, 54 hashes. Gives the roots of the
   * subtrees of 256, 65,536, ... leaves that became whole, in that order; the next call overwrites them.
   */
  grow(frontier: Uint8Array, size: number, leaves: Uint8Array): Uint8Array {
    const count = leaves.length / HASH;
    invariant(frontier.length === HEIGHTS * HASH && count <= RECORD_BLOCK && size >= 0, "grow a tree: sizes");
    if (count === 0) return this.#roots.subarray(0, 0);
    // SAFETY: as above; 256 leaves complete at most seven levels and one subtree of 256 more.
    const found = this.#library.ag_record_grow(ptr(frontier), size, ptr(leaves), count, ptr(this.#roots));
    return this.#roots.subarray(0, found * HASH);
  }
}

/** Opens the library when it is first needed: its descriptor stays open for the life of the process. */
export const recordCalls: () => RecordCalls = once(() => new RecordCalls(openRecordLibrary()));

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => made ??= make();
}
