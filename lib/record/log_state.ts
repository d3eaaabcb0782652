/**
 * What the record says of itself: its origin, its keys, its checkpoints. All of it is checked against signatures
 * elsewhere.
 */
import { AgentguardError } from "../core/mod.ts";
import type { Row, Store } from "../store/mod.ts";
import { BLOCK_ENTRIES } from "./layout.ts";
import { FIRST_PREV } from "./entry.ts";
import { storedTiles } from "./log_tables.ts";
import { HASH_BYTES, hashAt } from "./merkle.ts";
import { checkpointText, formatNote, KEY_BYTES, PublicKey, type TreeHead } from "./note.ts";

/** The last entry of a record. */
export interface RecordHead {
  /** 0 for an empty record. */
  readonly seq: number;
  /** Its hash, hex; 64 zeros for an empty record. */
  readonly hash: string;
}

/** A public key with the entry that put it in force. */
export interface StoredKey {
  /** From 1, in the order of use. */
  readonly id: number;
  /** 0 for the first key, else the number of the entry that is signed by it and by the key before. */
  readonly since_seq: number;
  readonly key: PublicKey;
}

/** A row of `checkpoints`. */
export interface StoredCheckpoint {
  readonly size: number;
  readonly root: Uint8Array;
  readonly key_id: number;
  readonly signature: Uint8Array;
}

/** The state of a record that was written to. */
export interface LogState {
  readonly origin: string;
  /** At least one. */
  readonly keys: readonly StoredKey[];
  /** The checkpoint of the greatest size. */
  readonly newest: StoredCheckpoint;
}

const COLUMNS = "SELECT size, key_id, root, signature FROM checkpoints";
/** Keys of one record: far more than rotations in its life. */
const KEYS_MAX = 10_000;

/** Reads the state; `undefined` for a record that nothing was ever signed in. Throws `tamper` for a malformed row. */
export function readLogState(store: Store): LogState | undefined {
  const newest = newestCheckpoint(store);
  if (newest === undefined) return undefined;
  const origin = store.prepare("SELECT origin FROM log WHERE id = 1").get()?.["origin"];
  if (typeof origin !== "string") throw malformed("its origin is missing");
  const keys = store.prepare(`SELECT id, since_seq, public FROM keys ORDER BY id LIMIT ${KEYS_MAX}`).all().map(keyOf);
  if (keys.length === 0) throw malformed("its keys are missing");
  return { origin, keys, newest };
}

/** The checkpoint of the greatest size; `undefined` where there is none. */
export function newestCheckpoint(store: Store): StoredCheckpoint | undefined {
  const row = store.prepare(`${COLUMNS} ORDER BY size DESC LIMIT 1`).get();
  return row === undefined ? undefined : checkpointOf(row);
}

/** Up to `count` checkpoints of at least this size, smaller ones first. */
export function checkpointsFrom(store: Store, size: number, count: number): readonly StoredCheckpoint[] {
  return store.prepare(`${COLUMNS} WHERE size >= ? ORDER BY size LIMIT ?`).all(size, count).map(checkpointOf);
}

/** The last entry that a checkpoint covers. Throws `tamper` where its hash is missing. */
export function readHead(store: Store): RecordHead {
  const size = newestCheckpoint(store)?.size ?? 0;
  return { seq: size, hash: leafHex(store, size) };
}

/** The leaf hash of an entry, hex; `FIRST_PREV` for number 0. Throws `tamper` where it is missing. */
export function leafHex(store: Store, seq: number): string {
  if (seq === 0) return FIRST_PREV;
  const at = (seq - 1) % BLOCK_ENTRIES;
  const data = storedTiles(store)(0, Math.floor((seq - 1) / BLOCK_ENTRIES));
  if (data === undefined || data.length < (at + 1) * HASH_BYTES) throw malformed(`the hash of entry ${seq} is missing`);
  return hashAt(data, at).toHex();
}

/** The tree head that a row claims. */
export function headOf(origin: string, { size, root }: StoredCheckpoint): TreeHead {
  return { origin, size, root };
}

/** A stored checkpoint as a signed note. Throws `tamper` where its key is unknown. */
export function noteOf({ origin, keys }: LogState, checkpoint: StoredCheckpoint): string {
  const key = keys.find((each) => each.id === checkpoint.key_id)?.key;
  if (key === undefined) throw malformed(`checkpoint ${checkpoint.size} names a key that is not there`);
  const { signature } = checkpoint;
  return formatNote(checkpointText(headOf(origin, checkpoint)), [{
    name: origin,
    key_id: key.idFor(origin),
    signature,
  }]);
}

/** The key in force for a checkpoint of this size. */
export function keyFor(keys: readonly StoredKey[], size: number): StoredKey | undefined {
  return keys.findLast((each) => each.since_seq <= size);
}

function keyOf(row: Row): StoredKey {
  const { id, since_seq, public: bytes } = row;
  const sound = typeof id === "number" && typeof since_seq === "number" && bytes instanceof Uint8Array;
  if (!sound || bytes.length !== KEY_BYTES) throw malformed(`key ${String(id)} is malformed`);
  return { id, since_seq, key: new PublicKey(bytes) };
}

function checkpointOf(row: Row): StoredCheckpoint {
  const { size, key_id, root, signature } = row;
  const sound = typeof size === "number" && typeof key_id === "number" && root instanceof Uint8Array &&
    signature instanceof Uint8Array;
  if (!sound || size < 0) throw malformed(`checkpoint ${String(size)} is malformed`);
  return { size, root, key_id, signature };
}

function malformed(what: string): AgentguardError {
  return new AgentguardError("tamper", `read the record: ${what}; run agentguard audit verify`);
}
