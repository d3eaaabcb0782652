/**
 * Being a witness: cosigning other logs' checkpoints, each only if it extends the one before.
 * Source: C2SP tlog-witness.
 */
import { hostname } from "node:os";
import { join } from "node:path";
import { AgentguardError, type Clock } from "../core/mod.ts";
import { openStore, type Schema, type Store } from "../store/mod.ts";
import { cosign, witnessVerifierKey } from "./cosignature.ts";
import {
  decode64,
  openCheckpoint,
  parseCheckpoint,
  type ParsedCheckpoint,
  parsePublicKey,
  type PublicKey,
  signatureLine,
} from "./note.ts";
import { createKeyFile, readKeyFile, SigningKey } from "./signing_key.ts";
import { sameBytes, verifyConsistency } from "./tree_proof.ts";

/** What a witness answers: an HTTP status, a type, a body. */
export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422;
  readonly type: string;
  readonly body: string;
}

/** File of the witness's key in a state directory. */
export const WITNESS_KEY_FILE = "witness.key";
/** File of what it has cosigned. */
const WITNESS_FILE = "witness.db";

const SCHEMA: Schema = {
  application_id: 0x41475754,
  name: "witness state",
  migrations: [[
    "CREATE TABLE logs (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL) WITHOUT ROWID",
  ]],
};
const TEXT = "text/plain; charset=utf-8";
/** Type of an answer that is the size of the checkpoint cosigned last. */
const SIZE = "text/x.tlog.size";
/** Hashes of a proof: more than a tree of 2^53 leaves needs. */
const PROOF_HASHES_MAX = 63;
const HOST_CHARS_MAX = 64;

/** A witness with its key and its memory. Close it. */
export class Witness implements Disposable {
  readonly #store: Store;
  readonly #key: SigningKey;
  readonly #name: string;
  readonly #logs: ReadonlyMap<string, PublicKey>;
  readonly #clock: Clock;

  private constructor(store: Store, key: SigningKey, logs: ReadonlyMap<string, PublicKey>, clock: Clock) {
    this.#store = store;
    this.#key = key;
    this.#name = witnessName(key);
    this.#logs = logs;
    this.#clock = clock;
  }

  /**
   * Opens the witness of a state directory, making its key (mode 0600) where there is none. `logs` are verifier keys.
   * Throws `config` for a key that cannot be used, `io`.
   */
  static open(directory: string, logs: readonly string[], clock: Clock): Witness {
    const known = new Map<string, PublicKey>();
    for (const text of logs) {
      const key = parsePublicKey(text);
      if (!key.ok) throw new AgentguardError("config", `be a witness for ${text}: ${key.error}`);
      known.set(text.slice(0, text.indexOf("+")), key.value);
    }
    const key = witnessKey(directory, true);
    const store = openStore(join(directory, WITNESS_FILE), { mode: "write", schema: SCHEMA });
    return new Witness(store, key, known, clock);
  }

  /** What others check its cosignatures with. */
  get verifier_key(): string {
    return witnessVerifierKey({ name: this.#name, key: this.#key.public_key });
  }

  /**
   * Answers one `add-checkpoint`: what it cosigns is durable first, so that it never cosigns two histories. Throws what
   * the store throws.
   */
  addCheckpoint(body: string): WitnessAnswer {
    const request = parseRequest(body);
    if (request === undefined) return { status: 400, type: TEXT, body: "send old SIZE, a proof, and a checkpoint\n" };
    const { old_size, proof, note } = request;
    const parsed = parseCheckpoint(note);
    const key = parsed.ok ? this.#logs.get(parsed.value.origin) : undefined;
    if (!parsed.ok) return { status: 400, type: TEXT, body: `${parsed.error}\n` };
    if (key === undefined) return { status: 404, type: TEXT, body: "this log is not known here\n" };
    const opened = openCheckpoint(note, key);
    if (!opened.ok) return { status: 403, type: TEXT, body: `${opened.error}\n` };
    return this.#judge(opened.value, old_size, proof);
  }

  /** Closes its memory. Doing it twice is harmless. */
  close(): void {
    this.#store.close();
  }

  /** The same as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #judge(checkpoint: ParsedCheckpoint, old_size: number, proof: readonly Uint8Array[]): WitnessAnswer {
    const { origin, size, root } = checkpoint;
    if (old_size > size) return { status: 400, type: TEXT, body: "the checkpoint is smaller than the old size\n" };
    return this.#store.transaction((): WitnessAnswer => {
      const row = this.#store.prepare("SELECT size, root FROM logs WHERE origin = ?").get(origin);
      const last_size = typeof row?.["size"] === "number" ? row["size"] : 0;
      const last_root = row?.["root"] instanceof Uint8Array ? row["root"] : new Uint8Array();
      if (old_size !== last_size || (size === last_size && row !== undefined && !sameBytes(root, last_root))) {
        return { status: 409, type: SIZE, body: `${last_size}\n` };
      }
      if (!verifyConsistency({ old_size, old_root: last_root, size, root }, proof) && !(size === 0 && old_size === 0)) {
        return { status: 422, type: TEXT, body: "the proof does not lead from the old checkpoint to the new one\n" };
      }
      this.#store.prepare("INSERT OR REPLACE INTO logs (origin, size, root) VALUES (?, ?, ?)").run(origin, size, root);
      const time_s = Math.floor(this.#clock.wallUs() / 1_000_000);
      const line = signatureLine(cosign(checkpoint, { name: this.#name, key: this.#key, time_s }));
      return { status: 200, type: TEXT, body: line };
    });
  }
}

/** The verifier key of a state directory's witness; makes its key where there is none. Throws `config`, `io`. */
export function localWitnessKey(directory: string): string {
  const key = witnessKey(directory, true);
  return witnessVerifierKey({ name: witnessName(key), key: key.public_key });
}

function witnessKey(directory: string, create: boolean): SigningKey {
  const seed = readKeyFile(join(directory, WITNESS_KEY_FILE)) ??
    (create ? createKeyFile(directory, WITNESS_KEY_FILE) : undefined);
  if (seed === undefined) throw new AgentguardError("not_found", `open ${directory}: it has no witness key`);
  try {
    return new SigningKey(seed);
  } finally {
    seed.fill(0);
  }
}

function witnessName(key: SigningKey): string {
  const hash = new Uint8Array(32);
  Bun.SHA256.hash(key.public_key.bytes, hash);
  const host = hostname().replaceAll(/[^A-Za-z0-9._-]/g, "-").slice(0, HOST_CHARS_MAX);
  return `agentguard-witness/${host === "" ? "host" : host}/${hash.toHex().slice(0, 8)}`;
}

interface AddRequest {
  readonly old_size: number;
  readonly proof: readonly Uint8Array[];
  readonly note: string;
}

function parseRequest(body: string): AddRequest | undefined {
  const cut = body.indexOf("\n\n");
  if (cut < 0) return undefined;
  const [first = "", ...hashes] = body.slice(0, cut).split("\n");
  const old = /^old (0|[1-9]\d{0,15})$/.exec(first);
  const proof = hashes.flatMap((line) => decode64(line) ?? []);
  const sound = proof.length === hashes.length && proof.length <= PROOF_HASHES_MAX &&
    proof.every(({ length }) => length === 32);
  if (old === null || !sound || !Number.isSafeInteger(Number(old[1]))) return undefined;
  return { old_size: Number(old[1]), proof, note: body.slice(cut + 2) };
}
