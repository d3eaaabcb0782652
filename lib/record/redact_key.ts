/** The key of redaction marks: with the same key the same secret has the same mark, and nobody else can guess at it. */
import { join } from "node:path";
import { createKeyFile, readKeyFile } from "./signing_key.ts";

/** Its file in the state directory: 32 bytes, 0600. */
const REDACT_KEY_FILE = "redact.key";

/** Reads the key, making it where there is none. Throws `config` for a file that is not private, and `io`. */
export function openRedactKey(directory: string): Uint8Array {
  return readKeyFile(join(directory, REDACT_KEY_FILE)) ?? createKeyFile(directory, REDACT_KEY_FILE);
}
