/** The key that signs checkpoints, and its file. */
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { createPrivateKey, createPublicKey, type KeyObject, randomBytes, sign } from "node:crypto";
import { join } from "node:path";
import { AgentguardError, errorMessage } from "../core/mod.ts";
import { checkpointText, formatNote, KEY_BYTES, type NoteSignature, PublicKey, type TreeHead } from "./note.ts";

/** File name of the key in a state directory: 32 bytes, the Ed25519 seed. */
export const KEY_FILE = "signing.key";
/** A key that was made and is not in use yet: it takes its place once a checkpoint of it is durable. */
export const NEW_KEY_FILE = "signing.key.new";

const FILE_MODE = 0o600;
/** The DER bytes before a seed in a PrivateKeyInfo. Source: RFC 8410. */
const PKCS8_PREFIX = Uint8Array.fromHex("302e020100300506032b657004220420");

/** A private key. It never leaves this object. */
export class SigningKey {
  readonly public_key: PublicKey;
  readonly #key: KeyObject;

  /** Takes a seed of 32 bytes. */
  constructor(seed: Uint8Array) {
    const der = Buffer.concat([PKCS8_PREFIX, seed]);
    this.#key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    der.fill(0);
    const spki = createPublicKey(this.#key).export({ format: "der", type: "spki" });
    this.public_key = new PublicKey(Uint8Array.from(spki.subarray(spki.length - KEY_BYTES)));
  }

  /** The signature over a text, 64 bytes. */
  sign(text: string): Uint8Array {
    return Uint8Array.from(sign(null, Buffer.from(text), this.#key));
  }

  /** A signature line under a name. */
  noteSignature(text: string, name: string): NoteSignature {
    return { name, key_id: this.public_key.idFor(name), signature: this.sign(text) };
  }

  /** A signed checkpoint. */
  checkpoint(head: TreeHead): string {
    const text = checkpointText(head);
    return formatNote(text, [this.noteSignature(text, head.origin)]);
  }
}

/**
 * Reads a key file of `directory`; `undefined` where there is none. Throws `config` with the fix when it is no regular
 * file, has another length, mode or owner than it was made with, and `io` when it cannot be read.
 */
export function readSigningKey(directory: string, name: string): SigningKey | undefined {
  const path = join(directory, name);
  const seed = readKeyFile(path);
  if (seed === undefined) return undefined;
  const key = new SigningKey(seed);
  seed.fill(0);
  return key;
}

/**
 * Makes a new key in `NEW_KEY_FILE`, private from its first moment and durable when this returns; one that a crash left
 * there goes. Throws `io` with the fix.
 */
export function createSigningKey(directory: string): SigningKey {
  rmSync(join(directory, NEW_KEY_FILE), { force: true });
  const seed = createKeyFile(directory, NEW_KEY_FILE);
  try {
    return new SigningKey(seed);
  } finally {
    seed.fill(0);
  }
}

/** Makes a private file of 32 random bytes, durable when this returns, and gives them. Throws `io` where it exists. */
export function createKeyFile(directory: string, name: string): Uint8Array {
  const path = join(directory, name);
  const bytes = randomBytes(KEY_BYTES);
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = openSync(path, flags, FILE_MODE);
    try {
      if (writeSync(fd, bytes) !== KEY_BYTES) throw new Error("short write");
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    syncDirectory(directory);
    return bytes;
  } catch (thrown) {
    throw keyError(path, errorMessage(thrown), "make its directory writable for this user, with free space", thrown);
  }
}

/** The new key becomes the key; the old one is gone. Throws `io`. */
export function promoteSigningKey(directory: string): void {
  const path = join(directory, KEY_FILE);
  try {
    renameSync(join(directory, NEW_KEY_FILE), path);
    syncDirectory(directory);
  } catch (thrown) {
    throw keyError(path, errorMessage(thrown), "make its directory writable for this user", thrown);
  }
}

/** Removes a new key that never came into use. */
export function dropNewSigningKey(directory: string): void {
  rmSync(join(directory, NEW_KEY_FILE), { force: true });
}

/** The 32 bytes of a private file, checked as `readSigningKey` says; `undefined` where there is none. */
export function readKeyFile(path: string): Uint8Array | undefined {
  let fd: number;
  try {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return undefined;
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (thrown) {
    throw keyError(path, errorMessage(thrown), "make it a regular file that this user may read", thrown);
  }
  try {
    const stat = fstatSync(fd);
    const uid = process.geteuid?.() ?? stat.uid;
    const mode = (stat.mode & 0o7777).toString(8).padStart(4, "0");
    if (!stat.isFile()) throw refused(path, "it is no regular file", "put the key there as a file");
    if (stat.uid !== uid) throw refused(path, `its owner is uid ${stat.uid}, not ${uid}`, `chown ${uid} ${path}`);
    if (mode !== "0600" && mode !== "0400") {
      throw refused(path, `its mode is ${mode}: others may have read it`, `rotate the key after chmod 600 ${path}`);
    }
    if (stat.size !== KEY_BYTES) {
      throw refused(path, `it has ${stat.size} bytes, not ${KEY_BYTES}`, "restore the key from a backup");
    }
    const seed = new Uint8Array(KEY_BYTES);
    if (readSync(fd, seed) !== KEY_BYTES) throw refused(path, "it became shorter", "restore the key from a backup");
    return seed;
  } finally {
    closeSync(fd);
  }
}

function syncDirectory(directory: string): void {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function refused(path: string, what: string, fix: string): AgentguardError {
  return new AgentguardError("config", `use the signing key ${path}: ${what}; ${fix}`);
}

function keyError(path: string, what: string, fix: string, cause: unknown): AgentguardError {
  if (cause instanceof AgentguardError) return cause;
  return new AgentguardError("io", `use the signing key ${path}: ${what}; ${fix}`, { cause });
}
