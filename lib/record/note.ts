/** Checkpoints as signed notes. Sources: C2SP signed-note and tlog-checkpoint; keys are Ed25519 (RFC 8032). */
import { createPublicKey, type KeyObject, verify as verifySignature } from "node:crypto";
import { AgentguardError, err, ok, type Result } from "../core/mod.ts";
import { HASH_BYTES } from "./merkle.ts";

/** Length of an Ed25519 public key or seed, bytes. */
export const KEY_BYTES = 32;
/** Length of an Ed25519 signature, bytes. */
export const SIGNATURE_BYTES = 64;

/** Longest origin, characters. */
const ORIGIN_CHARS_MAX = 255;
/** Longest note that is read, characters: a checkpoint with many witnesses. */
const NOTE_CHARS_MAX = 65_536;
const KEY_ID_BYTES = 4;
/** Signature algorithm in a key id: Ed25519. */
const ALGORITHM = 1;
/** Begins a signature line: an em dash and a space. */
const SIGNATURE_PREFIX = "\u2014 ";
/** The DER bytes before a raw key in a SubjectPublicKeyInfo. Source: RFC 8410. */
const SPKI_PREFIX = Uint8Array.fromHex("302a300506032b6570032100");

/** What a checkpoint says: this log had this many entries, and this root. */
export interface TreeHead {
  /** Names the log; also the name of its key. */
  readonly origin: string;
  readonly size: number;
  readonly root: Uint8Array;
}

/** A line of signature below a note. */
export interface NoteSignature {
  readonly name: string;
  readonly key_id: Uint8Array;
  readonly signature: Uint8Array;
}

/** A note taken apart. */
export interface ParsedCheckpoint extends TreeHead {
  /** What is signed, with its last line break. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** A public key that checks notes. */
export class PublicKey {
  /** 32 bytes. */
  readonly bytes: Uint8Array;
  readonly #key: KeyObject;

  /** Takes 32 bytes; throws `usage` for another length. */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== KEY_BYTES) {
      throw new AgentguardError("usage", `use an Ed25519 public key of ${KEY_BYTES} bytes, not ${bytes.length}`);
    }
    this.bytes = bytes;
    const der = Buffer.concat([SPKI_PREFIX, bytes]);
    this.#key = createPublicKey({ key: der, format: "der", type: "spki" });
  }

  /** The key alone, base64. */
  get text(): string {
    return this.bytes.toBase64();
  }

  /** The key's id under a name: the first four bytes of SHA-256(name, line break, algorithm, key). */
  idFor(name: string): Uint8Array {
    const input = Buffer.concat([Buffer.from(`${name}\n`), Uint8Array.of(ALGORITHM), this.bytes]);
    const hash = new Uint8Array(HASH_BYTES);
    Bun.SHA256.hash(input, hash);
    return hash.slice(0, KEY_ID_BYTES);
  }

  /** The key as a C2SP verifier key: name, id and key. */
  verifierKey(name: string): string {
    const key = Buffer.concat([Uint8Array.of(ALGORITHM), this.bytes]).toString("base64");
    return `${name}+${this.idFor(name).toHex()}+${key}`;
  }

  /** True if the signature over the text is this key's. */
  verifies(text: string, signature: Uint8Array): boolean {
    return signature.length === SIGNATURE_BYTES && verifySignature(null, Buffer.from(text), this.#key, signature);
  }

  /** True if it is the same key. */
  equals(other: PublicKey): boolean {
    return Buffer.compare(this.bytes, other.bytes) === 0;
  }
}

/** Reads a public key: base64 or hex of 32 bytes, or a C2SP verifier key `name+id+key`. The error says what to give. */
export function parsePublicKey(given: string): Result<PublicKey, string> {
  const text = given.trim();
  if (/^[0-9a-f]{64}$/i.test(text)) return ok(new PublicKey(Uint8Array.fromHex(text)));
  const parts = text.split("+");
  const name = parts[0] ?? "";
  // Base64 may hold a plus too: a verifier key has an id of eight hex digits after its first one.
  const verifier = /^[^+\s]+\+[0-9a-f]{8}\+/.test(text);
  const bytes = decode64(verifier ? parts.slice(2).join("+") : text);
  if (verifier && bytes?.length === KEY_BYTES + 1 && bytes[0] === ALGORITHM) {
    const key = new PublicKey(bytes.slice(1));
    return key.idFor(name).toHex() === parts[1] ? ok(key) : err("use a key whose id belongs to its name");
  }
  if (!verifier && bytes?.length === KEY_BYTES) return ok(new PublicKey(bytes));
  return err("use a public key as 'agentguard audit checkpoint --show-key' prints it");
}

/** Why a text cannot be the name of a log, or `undefined` if it can. */
export function originProblem(origin: string): string | undefined {
  if (origin === "" || origin.length > ORIGIN_CHARS_MAX) return `use an origin of 1 to ${ORIGIN_CHARS_MAX} characters`;
  if (!origin.isWellFormed() || /[\s+\p{C}]/u.test(origin)) return "use an origin without spaces and plus signs";
  return undefined;
}

/** The text of a checkpoint, which is what is signed. */
export function checkpointText(head: TreeHead): string {
  return `${head.origin}\n${head.size}\n${head.root.toBase64()}\n`;
}

/** A note: the text, an empty line, the signatures. */
export function formatNote(text: string, signatures: readonly NoteSignature[]): string {
  return `${text}\n${signatures.map(signatureLine).join("")}`;
}

/** One line of signature, with its end. */
export function signatureLine({ name, key_id, signature }: NoteSignature): string {
  return `${SIGNATURE_PREFIX}${name} ${Buffer.concat([key_id, signature]).toString("base64")}\n`;
}

/** Takes a checkpoint apart; checks no signature. The error says what is wrong with it. */
export function parseCheckpoint(note: string): Result<ParsedCheckpoint, string> {
  if (note.length > NOTE_CHARS_MAX) return err("it is too long for a checkpoint");
  const cut = note.lastIndexOf("\n\n");
  if (cut < 0 || !note.endsWith("\n")) return err("it is no signed note: no empty line before its signatures");
  const text = note.slice(0, cut + 1);
  const [origin = "", size_text = "", root_text = ""] = text.split("\n");
  const root = decode64(root_text);
  const size = /^(0|[1-9]\d{0,15})$/.test(size_text) ? Number(size_text) : Number.NaN;
  if (originProblem(origin) !== undefined || !Number.isSafeInteger(size) || root?.length !== HASH_BYTES) {
    return err("its first lines are not an origin, a size and a root");
  }
  const signatures: NoteSignature[] = [];
  for (const line of note.slice(cut + 2, -1).split("\n")) {
    const [, name, encoded] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
    const bytes = encoded === undefined ? undefined : decode64(encoded);
    if (name === undefined || bytes === undefined || bytes.length <= KEY_ID_BYTES) {
      return err("one of its signature lines is malformed");
    }
    signatures.push({ name, key_id: bytes.slice(0, KEY_ID_BYTES), signature: bytes.slice(KEY_ID_BYTES) });
  }
  return ok({ origin, size, root, text, signatures });
}

/** The checkpoint of a note that `key` signed under the name of its origin, or why it is not accepted. */
export function openCheckpoint(note: string, key: PublicKey): Result<ParsedCheckpoint, string> {
  const parsed = parseCheckpoint(note);
  if (!parsed.ok) return parsed;
  const { origin, text, signatures } = parsed.value;
  const key_id = key.idFor(origin).toHex();
  const mine = signatures.filter((each) => each.name === origin && each.key_id.toHex() === key_id);
  if (mine.length === 0) {
    const others = signatures.map((each) => each.key_id.toHex()).join(", ");
    return err(`it is not signed by key ${key_id} but by ${others}`);
  }
  if (!mine.some((each) => key.verifies(text, each.signature))) return err(`the signature of key ${key_id} is wrong`);
  return parsed;
}

/** Bytes of strict base64, or `undefined`. */
export function decode64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
  } catch {
    return undefined;
  }
}
