/** How one key hands over to the next: an entry that carries the signatures of both. */
import { type Entry, type EntryDraft, err, ok, type Result, type WallUs } from "../core/mod.ts";
import { decode64, parsePublicKey, PublicKey } from "./note.ts";
import type { SigningKey } from "./signing_key.ts";

/** What both keys sign. */
export interface RotationStatement {
  readonly origin: string;
  /** The number of the entry that carries it. */
  readonly seq: number;
  readonly old_key: PublicKey;
  readonly new_key: PublicKey;
}

/** The statement as text: four lines, the last one ended too. */
export function rotationText({ origin, seq, old_key, new_key }: RotationStatement): string {
  return `agentguard key rotation at entry ${seq}\n${origin}\n${old_key.text}\n${new_key.text}\n`;
}

/** The entry that puts a new key in force. */
export function rotationDraft(
  { origin, seq }: { readonly origin: string; readonly seq: number },
  keys: { readonly old_key: SigningKey; readonly new_key: SigningKey; readonly time_us: WallUs },
): EntryDraft {
  const [old_public, new_public] = [keys.old_key.public_key, keys.new_key.public_key];
  const text = rotationText({ origin, seq, old_key: old_public, new_key: new_public });
  const detail = [
    `old ${old_public.text}`,
    `new ${new_public.text}`,
    `signed by old ${keys.old_key.sign(text).toBase64()}`,
    `signed by new ${keys.new_key.sign(text).toBase64()}`,
  ].join(", ");
  return { time_us: keys.time_us, kind: "guard", action: { type: "guard.key.rotated", detail } };
}

/** Both keys of an entry that hands over, if both signed it; else why it is none. */
export function readRotation(entry: Entry, origin: string): Result<RotationStatement, string> {
  const { action } = entry;
  const detail: unknown = action !== undefined && "detail" in action ? action.detail : undefined;
  if (action?.type !== "guard.key.rotated" || typeof detail !== "string") return err("it is no key rotation");
  const [, old_text = "", new_text = "", by_old = "", by_new = ""] =
    /^old (\S+), new (\S+), signed by old (\S+), signed by new (\S+)$/.exec(detail) ?? [];
  const [old_key, new_key] = [parsePublicKey(old_text), parsePublicKey(new_text)];
  if (!old_key.ok || !new_key.ok) return err("its keys are malformed");
  const statement = { origin, seq: entry.seq, old_key: old_key.value, new_key: new_key.value };
  const text = rotationText(statement);
  if (!statement.old_key.verifies(text, decode64(by_old) ?? new Uint8Array())) {
    return err("the old key did not sign it");
  }
  if (!statement.new_key.verifies(text, decode64(by_new) ?? new Uint8Array())) {
    return err("the new key did not sign it");
  }
  return ok(statement);
}
