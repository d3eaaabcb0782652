/** A draft becomes a numbered, chained entry with one canonical text and one hash. */
import {
  CanonicalWriter,
  type Entry,
  type EntryDraft,
  type EntryKind,
  formatTime,
  invariant,
  type WallUs,
} from "../core/mod.ts";
import { HASH_BYTES } from "./merkle.ts";
import { leafTextAt, lineAt, storedText, type TextParts } from "./stored_text.ts";

/** `prev` of the first entry. */
export const FIRST_PREV: string = "0".repeat(64);

/**
 * Longest canonical text that is stored, UTF-8 bytes; a longer entry keeps who and when and loses what (see
 * `Sealer.seal`).
 */
export const ENTRY_BYTES_MAX = 1_048_576;

/** Most characters that the number and the hash before add to a text: `"prev":"..."`, `"seq":...`. */
const PLACE_CHARS_MAX = 128;
/** Prefix of a leaf in the hash. Source: RFC 6962 section 2.1. */
const LEAF_PREFIX = "\u0000";

/** What the recorder adds to a draft. */
export interface EntryPlace {
  /** From 1, without gaps. */
  readonly seq: number;
  readonly entry_id: string;
  /** The kernel's boot, as `/proc/sys/kernel/random/boot_id` names it. */
  readonly boot_id: string;
  /** Hash of the entry before, hex; `FIRST_PREV` for the first. */
  readonly prev: string;
  /** Used where the draft's own time is no time. */
  readonly now_us: WallUs;
}

/** An entry ready to be stored. */
export class SealedEntry {
  readonly seq: number;
  readonly entry_id: string;
  /** What was kept of the draft, with the time that was written. */
  readonly draft: EntryDraft;
  /** SHA-256 of 0x00 and `line` as UTF-8, hex: the leaf hash of RFC 6962. */
  readonly hash: string;
  readonly #parts: TextParts;
  readonly #prev: string;

  /** Made by `Sealer`. */
  constructor(draft: EntryDraft, { seq, entry_id, prev }: EntryPlace, parts: TextParts, hash: string) {
    this.seq = seq;
    this.entry_id = entry_id;
    this.draft = draft;
    this.hash = hash;
    this.#parts = parts;
    this.#prev = prev;
  }

  /** Canonical JSON of the entry. Put together when it is asked for: most often nobody does. */
  get line(): string {
    return lineAt(this.#parts, { seq: this.seq, prev: this.#prev });
  }

  /** `line` as it is stored: see `storedText`. */
  get stored(): string {
    return storedText(this.#parts);
  }
}

/** Every kind, as a table that the compiler keeps complete. */
const KINDS: Readonly<Record<EntryKind, true>> = {
  decision: true,
  outcome: true,
  observation: true,
  approval: true,
  session: true,
  policy: true,
  operator: true,
  gap: true,
  guard: true,
  checkpoint: true,
};

/** Latest time that a number holds to the microsecond: in the year 2255. */
const TIME_US_MAX = Number.MAX_SAFE_INTEGER;

/**
 * Seals entries one after the other: those that native code leaves to it (see `BatchSealer`), and the reference for
 * that code.
 */
export class Sealer {
  /** The leaf hash of the last sealed entry: overwritten by the next. */
  readonly hash: Uint8Array<ArrayBuffer> = new Uint8Array(HASH_BYTES);
  readonly #writer: CanonicalWriter = new CanonicalWriter();
  #second = Number.NaN;
  #second_text = "";

  /**
   * Numbers, chains, writes and hashes one entry. Never fails on data: a time outside the years 1970 to 2255 becomes
   * `now_us`, and an entry over `ENTRY_BYTES_MAX` keeps its kind, time, session, decision and process, while what is
   * too long is replaced by a `gap` of source `recorder`, type `bytes`, counting the bytes of the text that was not
   * kept.
   */
  seal(draft: EntryDraft, place: EntryPlace): SealedEntry {
    const { draft: kept, parts } = this.write(draft, place);
    Bun.SHA256.hash(leafTextAt(parts, place), this.hash);
    return new SealedEntry(kept, place, parts, this.hash.toHex());
  }

  /** The text of an entry, and what of the draft is in it, without hashing it; see `seal`. */
  write(draft: EntryDraft, place: Omit<EntryPlace, "prev">): { readonly draft: EntryDraft; readonly parts: TextParts } {
    invariant(Number.isSafeInteger(place.seq) && place.seq >= 1, "number an entry: the sequence is exhausted");
    const time_us = Math.round(isRecordableTime(draft.time_us) ? draft.time_us : place.now_us);
    const timed = time_us === draft.time_us ? draft : { ...draft, time_us };
    const parts = this.#parts(timed, place);
    // A UTF-16 unit is at most three bytes of UTF-8.
    if ((charsOf(parts) + PLACE_CHARS_MAX) * 3 <= ENTRY_BYTES_MAX) return { draft: timed, parts };
    const measured = { seq: place.seq, prev: FIRST_PREV };
    const bytes = Buffer.byteLength(lineAt(parts, measured));
    if (bytes <= ENTRY_BYTES_MAX) return { draft: timed, parts };
    for (const shorter of shortened(timed, bytes)) {
      const kept = this.#parts(shorter, place);
      if (Buffer.byteLength(lineAt(kept, measured)) <= ENTRY_BYTES_MAX) return { draft: shorter, parts: kept };
    }
    const least: EntryDraft = { time_us, kind: draft.kind, gap: oversize(bytes) };
    return { draft: least, parts: this.#parts(least, place) };
  }

  #parts(draft: EntryDraft, { entry_id, boot_id }: Omit<EntryPlace, "prev">): TextParts {
    return textParts({ entry_id, boot_id, draft, time: this.#time(draft.time_us) }, this.#writer);
  }

  /** As `formatTime`, which most calls of one second share. */
  #time(time_us: WallUs): string {
    const second = Math.floor(time_us / 1_000_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#second_text = formatTime(second * 1_000_000).slice(0, -"000000Z".length);
    }
    return `${this.#second_text}${String(time_us - second * 1_000_000).padStart(6, "0")}Z`;
  }
}

/** True for a time that an entry can carry: the years 1970 to 2255. */
export function isRecordableTime(time_us: number): boolean {
  return Number.isFinite(time_us) && time_us >= 0 && time_us <= TIME_US_MAX;
}

/** The leaf hash of a stored body. Source: RFC 6962 section 2.1. */
export function leafHash(line: string): Uint8Array {
  // One call on one string: of the ways that this runtime offers (its hasher object, node:crypto), measured the
  // fastest.
  const hash = new Uint8Array(HASH_BYTES);
  Bun.SHA256.hash(LEAF_PREFIX + line, hash);
  return hash;
}

/** True for a value with the fields that every entry has; what lies inside them is as the writer wrote it. */
export function isEntry(value: unknown): value is Entry {
  if (typeof value !== "object" || value === null) return false;
  if (!("seq" in value && "entry_id" in value && "boot_id" in value)) return false;
  if (!("time" in value && "prev" in value && "kind" in value)) return false;
  return Number.isSafeInteger(value.seq) && isText(value.entry_id) && isText(value.boot_id) && isText(value.time) &&
    isText(value.prev) && isEntryKind(value.kind);
}

/** True for the name of a kind of entry. */
export function isEntryKind(value: unknown): value is EntryKind {
  return typeof value === "string" && Object.hasOwn(KINDS, value);
}

/** The entry of a stored line, or `undefined` where the line is none. */
export function parseEntry(line: string): Entry | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isEntry(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

/** What the text of an entry is made of, beside its number and the hash before it. */
export interface EntryContent {
  readonly entry_id: string;
  readonly boot_id: string;
  readonly draft: Omit<EntryDraft, "time_us">;
  /** RFC 3339 UTC with microseconds. */
  readonly time: string;
}

/** The canonical text of an entry around its `prev` and `seq`. Absent members stay absent in the text. */
export function textParts({ entry_id, boot_id, draft, time }: EntryContent, writer: CanonicalWriter): TextParts {
  const { action, decision, gap, kind, outcome, principal, process, session_id } = draft;
  // Keys in canonical order: what is in order already is not copied.
  const before = writer.text({ action, boot_id, decision, entry_id, gap, kind, outcome });
  const between = principal === undefined && process === undefined
    ? ","
    : `,${writer.text({ principal, process }).slice(1, -1)},`;
  const after = writer.text({ session_id, time });
  return { before_prev: `${before.slice(0, -1)},`, before_seq: between, after_seq: `,${after.slice(1)}` };
}

/** UTF-16 units of an entry's text without what its place gives. */
function charsOf({ before_prev, before_seq, after_seq }: TextParts): number {
  return before_prev.length + before_seq.length + after_seq.length;
}

/** Ever shorter forms of a draft that is too long. */
function* shortened(draft: EntryDraft, bytes: number): Generator<EntryDraft> {
  const { action: _action, ...rest } = draft;
  const gap = oversize(bytes);
  yield { ...rest, gap };
  const { process, ...others } = rest;
  if (process !== undefined) yield { ...others, process: { pid: process.pid, start: process.start }, gap };
}

function oversize(bytes: number): { source: string; type: string; count: number } {
  return { source: "recorder", type: "bytes", count: bytes };
}
