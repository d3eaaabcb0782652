/** Proofs that leave the host: one entry with everything that an outsider needs to check it, beside the public key. */
import { AgentguardError, err, isUlid, ok, type Result } from "../core/mod.ts";
import { leafHash, parseEntry } from "./entry.ts";
import { noteOf } from "./log_state.ts";
import { checkpointText, decode64, openCheckpoint, type ParsedCheckpoint, type PublicKey } from "./note.ts";
import type { RecordReader, StoredEntry } from "./reader.ts";
import { verifyConsistency, verifyInclusion } from "./tree_proof.ts";

/** Names the form of a proof. */
export const PROOF_FORMAT = "agentguard-proof-v1";
/** Longest proof that is read, bytes: an entry of the greatest size, escaped. */
export const PROOF_BYTES_MAX = 8_388_608;
/** Hashes of the longest path: of a tree of 2^53 leaves. */
const PATH_MAX = 53;

/** One entry with its place in a signed tree. JSON names as here. */
export interface EntryProof {
  readonly format: typeof PROOF_FORMAT;
  /** The canonical text of the entry, exactly as it was hashed. */
  readonly entry: string;
  readonly entry_id: string;
  readonly seq: number;
  /** `seq` - 1: leaves count from 0. */
  readonly leaf_index: number;
  /** Entries in the tree of the checkpoint. */
  readonly tree_size: number;
  /** RFC 6962 audit path, base64, nearest hash first. */
  readonly inclusion_path: readonly string[];
  /** The signed checkpoint. */
  readonly checkpoint: string;
  /** Which key signed it, hex. */
  readonly key_id: string;
}

/** What a checked proof says. */
export interface CheckedProof {
  readonly seq: number;
  readonly entry_id: string;
  readonly line: string;
  readonly checkpoint: ParsedCheckpoint;
}

/**
 * Proves the entry with this id against the newest checkpoint. Throws `not_found`, and `tamper` where the record is not
 * whole.
 */
export function proveEntry(reader: RecordReader, entry_id: string): EntryProof {
  const found = reader.get(entry_id);
  const state = reader.state();
  if (found === undefined || state === undefined) {
    throw new AgentguardError(
      "not_found",
      `prove entry ${entry_id}: the record has no such entry; see agentguard audit query`,
    );
  }
  const { newest } = state;
  if (found.seq > newest.size) throw broken(found, "no checkpoint covers it");
  const tree = reader.tree();
  const index = found.seq - 1;
  const path = tree.inclusion(index, newest.size);
  // What would not check elsewhere is not given out.
  const claim = { leaf: leafHash(found.line), index, size: newest.size, root: newest.root };
  if (!verifyInclusion(claim, path)) throw broken(found, "its text does not lead to the signed root");
  const key = state.keys.find((each) => each.id === newest.key_id)?.key;
  return {
    format: PROOF_FORMAT,
    entry: found.line,
    entry_id,
    seq: found.seq,
    leaf_index: index,
    tree_size: newest.size,
    inclusion_path: path.map((hash) => hash.toBase64()),
    checkpoint: noteOf(state, newest),
    key_id: key?.idFor(state.origin).toHex() ?? "",
  };
}

/** Reads the text of a proof; the error says what is wrong with it. Nothing is verified. */
export function parseProof(text: string): Result<EntryProof, string> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return err("it is not JSON");
  }
  return isProof(value) ? ok(value) : err(`it is not a proof of the form ${PROOF_FORMAT}`);
}

/** Verifies a proof with nothing but the public key; the error says why it does not hold. */
export function checkProof(proof: EntryProof, key: PublicKey): Result<CheckedProof, string> {
  return new ProofChecker(key).check(proof);
}

/** Verifies proofs as `checkProof` does, and the signature once for all that come with the same checkpoint. */
export class ProofChecker {
  readonly #key: PublicKey;
  /** The last note, with what came of it. */
  #note: string | undefined;
  #opened: ReturnType<typeof openCheckpoint> = err("");

  constructor(key: PublicKey) {
    this.#key = key;
  }

  /** The error says why it does not hold. */
  check(proof: EntryProof): Result<CheckedProof, string> {
    if (proof.checkpoint !== this.#note) {
      this.#opened = openCheckpoint(proof.checkpoint, this.#key);
      this.#note = proof.checkpoint;
    }
    if (!this.#opened.ok) return err(`its checkpoint is not accepted: ${this.#opened.error}`);
    return checkIn(this.#opened.value, proof);
  }
}

function checkIn(checkpoint: ParsedCheckpoint, proof: EntryProof): Result<CheckedProof, string> {
  const entry = parseEntry(proof.entry);
  if (entry === undefined) return err("its entry is no entry");
  if (proof.tree_size !== checkpoint.size) return err("its tree size is not that of its checkpoint");
  const same = entry.seq === proof.seq && entry.entry_id === proof.entry_id && proof.leaf_index === proof.seq - 1;
  if (!same) return err("its entry has another number or id than it says");
  const path = proof.inclusion_path.map((hash) => decode64(hash) ?? new Uint8Array());
  if (path.some((hash) => hash.length !== checkpoint.root.length)) return err("a hash of its path is malformed");
  const claim = { leaf: leafHash(proof.entry), index: proof.leaf_index, size: checkpoint.size, root: checkpoint.root };
  if (!verifyInclusion(claim, path)) return err("its entry does not lead to the signed root");
  return ok({ seq: entry.seq, entry_id: entry.entry_id, line: proof.entry, checkpoint });
}

/** The proof that the record's tree leads from one checkpoint to the other. */
export interface ConsistencyProof {
  readonly old_size: number;
  readonly size: number;
  /** RFC 6962 consistency proof, base64. */
  readonly path: readonly string[];
}

/**
 * Proves from the record's tree that `newer` extends `older`, and verifies it; both are opened checkpoints. The error
 * says which of the two the record contradicts. Throws `tamper` where the tree is not whole.
 */
export function proveConsistency(
  reader: RecordReader,
  older: ParsedCheckpoint,
  newer: ParsedCheckpoint,
): Result<ConsistencyProof, string> {
  if (older.origin !== newer.origin) return err(`they are of different logs: ${older.origin} and ${newer.origin}`);
  if (older.size > newer.size) return err(`the old one covers ${older.size} entries, the new one only ${newer.size}`);
  const size = reader.head().seq;
  if (newer.size > size) return err(`cut: the record has ${size} entries, a checkpoint covers ${newer.size}`);
  const tree = reader.tree();
  const path = older.size === 0 ? [] : tree.consistency(older.size, newer.size);
  const claim = { old_size: older.size, old_root: older.root, size: newer.size, root: newer.root };
  if (verifyConsistency(claim, path)) {
    return ok({ old_size: older.size, size: newer.size, path: path.map((hash) => hash.toBase64()) });
  }
  const matches = (each: ParsedCheckpoint): boolean =>
    checkpointText({ ...each, root: tree.root(each.size) }) === each.text;
  const wrong = [older, newer].filter((each) => !matches(each)).map((each) => each.size);
  return err(`fork: the record's tree is not that of the checkpoint of ${wrong.join(" and of ")} entries`);
}

function isProof(value: unknown): value is EntryProof {
  if (typeof value !== "object" || value === null) return false;
  if (!("format" in value && value.format === PROOF_FORMAT)) return false;
  if (!("entry" in value && "entry_id" in value && "checkpoint" in value && "key_id" in value)) return false;
  if (!("seq" in value && "leaf_index" in value && "tree_size" in value && "inclusion_path" in value)) return false;
  const { inclusion_path, entry_id } = value;
  const texts = [value.entry, entry_id, value.checkpoint, value.key_id].every((each) => typeof each === "string");
  const numbers = [value.seq, value.leaf_index, value.tree_size].every(Number.isSafeInteger);
  return texts && numbers && typeof entry_id === "string" && isUlid(entry_id) && Array.isArray(inclusion_path) &&
    inclusion_path.length <= PATH_MAX && inclusion_path.every((hash) => typeof hash === "string");
}

function broken(entry: StoredEntry, why: string): AgentguardError {
  return new AgentguardError("tamper", `prove entry ${entry.seq}: ${why}; run agentguard audit verify`);
}
