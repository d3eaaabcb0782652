/** Decodes single records in tests. */
import type { Action, Observed } from "../../../lib/core/mod.ts";
import { Decoder } from "../../../lib/decode/mod.ts";

/** The decoded record; throws where it is refused or incomplete. */
export function decodeOne(bytes: Uint8Array, decoder: Decoder = new Decoder()): Observed {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const result = decoder.decode(view, bytes, 0, bytes.length);
  if (!result.ok) throw new Error(`decode record: ${result.error.reason} (op ${result.error.op})`);
  if (result.value === undefined) throw new Error("decode record: nothing yet");
  return result.value;
}

/** Its action. */
export function actionOf(bytes: Uint8Array): Action | undefined {
  return decodeOne(bytes).action;
}

/** The reason of the refusal, `later` for a record that waits for more, or `ok`. */
export function verdictOf(bytes: Uint8Array, decoder: Decoder = new Decoder()): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const result = decoder.decode(view, bytes, 0, bytes.length);
  if (!result.ok) return result.error.reason;
  return result.value === undefined ? "later" : "ok";
}
