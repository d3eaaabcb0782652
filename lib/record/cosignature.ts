/** Cosignatures of witnesses. Source: C2SP tlog-cosignature, cosignature/v1. */
import { err, ok, type Result } from "../core/mod.ts";
import { HASH_BYTES } from "./merkle.ts";
import { decode64, type NoteSignature, type ParsedCheckpoint, PublicKey } from "./note.ts";
import type { SigningKey } from "./signing_key.ts";

/** Signature algorithm in a key id: timestamped Ed25519 cosignatures. */
const ALGORITHM = 4;
const KEY_ID_BYTES = 4;
const TIME_BYTES = 8;
const KEY_BYTES = 32;

/** A witness, as its verifier key names it. */
export interface WitnessName {
  readonly name: string;
  readonly key: PublicKey;
}

/** The verifier key of a witness: name, id, and key with its algorithm. */
export function witnessVerifierKey({ name, key }: WitnessName): string {
  const text = Buffer.concat([Uint8Array.of(ALGORITHM), key.bytes]).toString("base64");
  return `${name}+${witnessKeyId(name, key).toHex()}+${text}`;
}

/** Reads a witness's verifier key. The error says what is wrong. */
export function parseWitnessKey(text: string): Result<WitnessName, string> {
  const [, name = "", id = "", encoded = ""] = /^([^+\s]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trim()) ?? [];
  const bytes = decode64(encoded);
  if (bytes?.length !== KEY_BYTES + 1 || bytes[0] !== ALGORITHM) {
    return err("use a witness's verifier key as 'agentguard audit anchor --show-key' prints it");
  }
  const key = new PublicKey(bytes.slice(1));
  return witnessKeyId(name, key).toHex() === id ? ok({ name, key }) : err("use a key whose id belongs to its name");
}

/** The signature line of a witness for a checkpoint at a time, seconds since 1970. */
export function cosign(
  checkpoint: ParsedCheckpoint,
  { name, key, time_s }: { readonly name: string; readonly key: SigningKey; readonly time_s: number },
): NoteSignature {
  const time = Buffer.alloc(TIME_BYTES);
  time.writeBigUInt64BE(BigInt(time_s));
  const signature = Buffer.concat([time, key.sign(signedText(checkpoint, time_s))]);
  return { name, key_id: witnessKeyId(name, key.public_key), signature };
}

/** When the witness signed the checkpoint, seconds since 1970; `undefined` where the line is not its signature. */
export function cosignedAt(
  checkpoint: ParsedCheckpoint,
  { name, key_id, signature }: NoteSignature,
  witness: WitnessName,
): number | undefined {
  if (name !== witness.name || Buffer.compare(key_id, witnessKeyId(name, witness.key)) !== 0) return undefined;
  if (signature.length <= TIME_BYTES) return undefined;
  const time_s = Number(Buffer.from(signature).readBigUInt64BE(0));
  return witness.key.verifies(signedText(checkpoint, time_s), signature.subarray(TIME_BYTES)) ? time_s : undefined;
}

function signedText({ text }: ParsedCheckpoint, time_s: number): string {
  return `cosignature/v1\ntime ${time_s}\n${text}`;
}

function witnessKeyId(name: string, key: PublicKey): Uint8Array {
  const hash = new Uint8Array(HASH_BYTES);
  Bun.SHA256.hash(Buffer.concat([Buffer.from(`${name}\n`), Uint8Array.of(ALGORITHM), key.bytes]), hash);
  return hash.slice(0, KEY_ID_BYTES);
}
