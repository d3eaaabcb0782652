/** A draft becomes a numbered, chained entry with one canonical text and one hash. */
import {
  type Entry,
  type EntryDraft,
  type EntryId,
  type EntryKind,
  formatTime,
  invariant,
  type WallUs,
} from "../core/mod.ts";
import { canonicalJson } from "./canonical.ts";

/** `prev` of the first entry. */
export const FIRST_PREV: string = "0".repeat(64);

/** Longest canonical text that is stored, UTF-8 bytes; a longer entry keeps who and when and loses what (see `sealEntry`). */
export const ENTRY_BYTES_MAX = 1_048_576;

/** Length of a hash, bytes. */
const HASH_BYTES = 32;

/** Prefix of a leaf in the hash. Source: RFC 6962 section 2.1. */
const LEAF_PREFIX = "\u0000";

/** What the recorder adds to a draft. */
export interface EntryPlace {
  /** From 1, without gaps. */
  readonly seq: number;
  readonly entry_id: EntryId;
  /** The kernel's boot, as `/proc/sys/kernel/random/boot_id` names it. */
  readonly boot_id: string;
  /** Hash of the entry before, hex; `FIRST_PREV` for the first. */
  readonly prev: string;
  /** Used where the draft's own time is no time. */
  readonly now_us: WallUs;
}

/** An entry ready to be stored. */
export interface SealedEntry {
  readonly seq: number;
  readonly entry_id: EntryId;
  /** What was kept of the draft, with the time that was written. */
  readonly draft: EntryDraft;
  /** Canonical JSON of the entry. */
  readonly line: string;
  /** `line` as UTF-8. */
  readonly body: Uint8Array;
  /** SHA-256 of 0x00 and `body`: the leaf hash of RFC 6962. */
  readonly hash: Uint8Array;
  /** `hash` in hex. */
  readonly hash_hex: string;
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

const encoder = new TextEncoder();

/**
 * Numbers, chains, writes and hashes one entry. Never fails on data: a time outside the years 1970 to 2255 becomes `now_us`, and
 * an entry over `ENTRY_BYTES_MAX` keeps its kind, time, session, decision and process, while what is too long is replaced by a
 * `gap` of source `recorder`, type `bytes`, counting the bytes of the text that was not kept.
 */
export function sealEntry(draft: EntryDraft, place: EntryPlace): SealedEntry {
  const time_us = Math.round(isRecordableTime(draft.time_us) ? draft.time_us : place.now_us);
  const timed = time_us === draft.time_us ? draft : { ...draft, time_us };
  const sealed = seal(timed, place);
  if (sealed.body.length <= ENTRY_BYTES_MAX) return sealed;
  for (const shorter of shortened(timed, sealed.body.length)) {
    const kept = seal(shorter, place);
    if (kept.body.length <= ENTRY_BYTES_MAX) return kept;
  }
  return seal({ time_us, kind: draft.kind, gap: oversize(sealed.body.length) }, place);
}

/** True for a time that an entry can carry: the years 1970 to 2255. */
export function isRecordableTime(time_us: number): boolean {
  return Number.isFinite(time_us) && time_us >= 0 && time_us <= TIME_US_MAX;
}

/** The leaf hash of a stored body. Source: RFC 6962 section 2.1. */
export function leafHash(line: string): Uint8Array {
  // One call on one string: of the ways that this runtime offers (its hasher object, node:crypto), measured the fastest.
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

function seal(draft: EntryDraft, place: EntryPlace): SealedEntry {
  invariant(Number.isSafeInteger(place.seq) && place.seq >= 1, "number an entry: the sequence is exhausted");
  // Keys in canonical order: what is in order already is not copied. Absent members stay absent in the text.
  const line = canonicalJson({
    action: draft.action,
    boot_id: place.boot_id,
    decision: draft.decision,
    entry_id: place.entry_id,
    gap: draft.gap,
    kind: draft.kind,
    outcome: draft.outcome,
    prev: place.prev,
    principal: draft.principal,
    process: draft.process,
    seq: place.seq,
    session_id: draft.session_id,
    time: formatTime(draft.time_us),
  });
  const hash = leafHash(line);
  const body = encoder.encode(line);
  return { seq: place.seq, entry_id: place.entry_id, draft, line, body, hash, hash_hex: hash.toHex() };
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
