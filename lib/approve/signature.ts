/**
 * Signed messages, both ways: HMAC-SHA256 with a shared secret over the time and the body. Each counts once, within a
 * window around the present.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { err, ok, type Result } from "../core/mod.ts";
import { APPROVAL_LIMITS } from "./limits.ts";

/** Header with the time of signing, seconds since the Unix epoch. */
export const TIMESTAMP_HEADER = "x-agentguard-timestamp";
/** Header with the signature: `v1=` and 64 hex digits. */
export const SIGNATURE_HEADER = "x-agentguard-signature";

/** The headers that sign a body at a wall-clock time. */
export function signMessage(secret: Uint8Array, body: string, wall_us: number): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(wall_us / 1_000_000));
  return { [TIMESTAMP_HEADER]: timestamp, [SIGNATURE_HEADER]: `v1=${mac(secret, timestamp, body).toString("hex")}` };
}

function mac(secret: Uint8Array, timestamp: string, body: string): Buffer {
  return createHmac("sha256", secret).update(`${timestamp}.${body}`).digest();
}

/** Checks signed messages and remembers them within the window. */
export class SignatureChecker {
  readonly #secret: Uint8Array;
  /** Signature to the second in which it was made. */
  readonly #seen: Map<string, number> = new Map();

  constructor(secret: Uint8Array) {
    this.#secret = secret;
  }

  /** The error says why it does not count. `header` gives a header's value by its lower-case name. */
  check(header: (name: string) => string | null, body: string, wall_us: number): Result<void, string> {
    const timestamp = header(TIMESTAMP_HEADER) ?? "";
    const given = /^v1=([0-9a-f]{64})$/.exec(header(SIGNATURE_HEADER) ?? "")?.[1];
    if (!/^\d{1,12}$/.test(timestamp) || given === undefined) return err("the message is not signed");
    if (!timingSafeEqual(Buffer.from(given, "hex"), mac(this.#secret, timestamp, body))) {
      return err("the signature is wrong");
    }
    const now_s = wall_us / 1_000_000;
    const window_s = APPROVAL_LIMITS.signature_window_ms / 1_000;
    if (Math.abs(now_s - Number(timestamp)) > window_s) return err("the message is too old, or the clocks differ");
    for (const [signature, made_s] of this.#seen) if (now_s - made_s > window_s) this.#seen.delete(signature);
    if (this.#seen.has(given)) return err("the message was received already");
    if (this.#seen.size >= APPROVAL_LIMITS.signatures_max) return err("too many messages at once");
    this.#seen.set(given, Number(timestamp));
    return ok(undefined);
  }
}
