/** Keys, checkpoints and proofs that are given as files on the command line. */
import { closeSync, openSync, readSync } from "node:fs";
import { AgentguardError, errorMessage } from "../core/mod.ts";
import { notesIn, openCheckpoint, type ParsedCheckpoint, parsePublicKey, type PublicKey } from "../record/mod.ts";

/** A key file or a checkpoint is short; more than this is another file. */
const SHORT_BYTES_MAX = 65_536;

/** A file of many checkpoints, as an anchor writes it. */
const ANCHOR_BYTES_MAX = 67_108_864;

/** Reads a whole text file of at most `bytes_max` bytes; `what` names it in messages. Throws `usage` with the fix. */
export function readTextFile(file: string, what: string, bytes_max: number = SHORT_BYTES_MAX): string {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (thrown) {
    throw new AgentguardError("usage", `read the ${what} ${file}: ${errorMessage(thrown)}; check the path`, {
      cause: thrown,
    });
  }
  try {
    const chunks: Uint8Array[] = [];
    for (let total = 0; total <= bytes_max;) {
      const chunk = new Uint8Array(65_536);
      const count = readSync(fd, chunk);
      if (count === 0) return new TextDecoder().decode(Buffer.concat(chunks));
      chunks.push(chunk.subarray(0, count));
      total += count;
    }
  } catch (thrown) {
    throw new AgentguardError("usage", `read the ${what} ${file}: ${errorMessage(thrown)}; name a readable file`, {
      cause: thrown,
    });
  } finally {
    closeSync(fd);
  }
  throw new AgentguardError(
    "usage",
    `read the ${what} ${file}: it has more than ${bytes_max} bytes; name another file`,
  );
}

/** A public key from its text, or from the last line of a file. Throws `usage`. */
export function readPublicKey(given: string): PublicKey {
  const direct = parsePublicKey(given);
  if (direct.ok) return direct.value;
  const last = given === "" ? "" : readTextFile(given, "public key").trimEnd().split("\n").at(-1) ?? "";
  const key = parsePublicKey(last);
  if (!key.ok) throw new AgentguardError("usage", `read the public key ${given}: ${key.error}`);
  return key.value;
}

/**
 * A checkpoint of a file, signed by `key`. Throws `usage` for what is no checkpoint, `tamper` for a wrong signature.
 */
export function readCheckpoint(file: string, key: PublicKey): ParsedCheckpoint {
  const text = readTextFile(file, "checkpoint", ANCHOR_BYTES_MAX);
  // What follows the note, as 'audit checkpoint --show-key' prints it, is not part of it; of many the last counts.
  const opened = openCheckpoint(notesIn(text).at(-1) ?? text, key);
  if (opened.ok) return opened.value;
  throw new AgentguardError("tamper", `read the checkpoint ${file}: ${opened.error}`);
}
