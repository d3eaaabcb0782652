/** Signs checkpoints for the one writer of a record. */
import { hostname } from "node:os";
import type { StoredCheckpoint } from "./log_state.ts";
import { checkpointText } from "./note.ts";
import type { SigningKey } from "./signing_key.ts";

/** A key in use. */
export interface Signer {
  readonly origin: string;
  /** Its number in `keys`. */
  readonly key_id: number;
  readonly key: SigningKey;
}

/** Characters of the host's name that are kept. */
const HOST_CHARS_MAX = 64;

/** A checkpoint of this size and root. */
export function signCheckpoint(signer: Signer, size: number, root: Uint8Array): StoredCheckpoint {
  const { origin, key_id, key } = signer;
  return { size, root, key_id, signature: key.sign(checkpointText({ origin, size, root })) };
}

/**
 * `agentguard/<host>/<first 8 hex digits of SHA-256 of the public key>`: different for each record that has its own
 * key.
 */
export function defaultOrigin(key: SigningKey): string {
  const hash = new Uint8Array(32);
  Bun.SHA256.hash(key.public_key.bytes, hash);
  const host = hostname().replaceAll(/[^A-Za-z0-9._-]/g, "-").slice(0, HOST_CHARS_MAX);
  return `agentguard/${host === "" ? "host" : host}/${hash.toHex().slice(0, 8)}`;
}
