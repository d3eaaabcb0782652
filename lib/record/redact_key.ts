/**
 * Keys beside the record. That of redaction marks: with the same key the same secret has the same mark, and nobody else
 * can guess at it.
 */
import { join } from "node:path";
import { createKeyFile, readKeyFile } from "./signing_key.ts";

/** Its file in the state directory: 32 bytes, 0600. */
const REDACT_KEY_FILE = "redact.key";

/** The key that signs standing grants: 32 bytes, 0600. */
const GRANT_KEY_FILE = "grants.key";

/** As `openRedactKey`, for the key that signs standing grants. */
export function openGrantKey(directory: string): Uint8Array {
  return readKeyFile(join(directory, GRANT_KEY_FILE)) ?? createKeyFile(directory, GRANT_KEY_FILE);
}

/** Reads the key, making it where there is none. Throws `config` for a file that is not private, and `io`. */
export function openRedactKey(directory: string): Uint8Array {
  return readKeyFile(join(directory, REDACT_KEY_FILE)) ?? createKeyFile(directory, REDACT_KEY_FILE);
}
