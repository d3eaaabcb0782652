/** What a verification says. */

import type { PrunedEntries } from "./pruned.ts";

/** What can be wrong. */
export type FaultReason =
  | "missing" // no entry has this number, but later ones exist or were signed
  | "edited" // the text does not have the stored hash: one of them, or the entry before, was changed
  | "reordered" // an intact entry stands under another number
  | "not_canonical" // hashed and signed, but not as a recorder writes it
  | "index" // the index does not find the entry
  | "tree" // an inner part of the tree differs from the entries
  | "checkpoint" // a checkpoint's signature is wrong
  | "unsigned" // entries that no checkpoint covers
  | "foreign_key" // signed by a key that is not trusted
  | "fork" // entries that are sound in themselves, but not those that a checkpoint signed
  | "cut" // a known checkpoint covers more entries than there are
  | "unreadable"; // the database cannot give the entry

/** A record that verifies. */
export interface VerifiedRecord {
  readonly ok: true;
  /** Entries verified. */
  readonly entries: number;
  readonly head_seq: number;
  /** Hex; 64 zeros for an empty record. */
  readonly head_hash: string;
  /** Root of the tree over all entries, hex; absent where nothing was ever signed. */
  readonly root?: string;
  /** Signatures that were checked. */
  readonly checkpoints: number;
  /** Id of the key in force, hex; absent where nothing was ever signed. */
  readonly key_id?: string;
  /** False if no key was given to compare with: then anybody's would have passed. */
  readonly key_trusted: boolean;
  /** Of the verified entries those whose text was pruned, as the record says; absent where none was. */
  readonly pruned?: PrunedEntries;
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

/** What one check found. */
export interface Fault {
  readonly seq: number;
  readonly why: FaultReason;
  readonly detail: string;
}

/** One sentence on a fault. */
export function describeFault(fault: Fault): string {
  return `entry ${fault.seq} does not verify: ${fault.why} (${fault.detail})`;
}
