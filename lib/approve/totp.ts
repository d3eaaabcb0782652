/** One-time codes by time. Sources: RFC 6238 (TOTP), RFC 4226 (HOTP), RFC 4648 section 6 (base 32). */
import { createHmac, timingSafeEqual } from "node:crypto";
import { AgentguardError, err, errorMessage, ok, type Result } from "../core/mod.ts";
import { APPROVAL_LIMITS } from "./limits.ts";

const STEP_S = 30;
const DIGITS = 6;
/** Steps before and after the present one whose code is taken: clocks differ. Source: RFC 6238 section 5.2. */
const STEPS_AROUND = 1;
/** Source: RFC 4226 section 4, R6. */
const SECRET_BYTES_MIN = 16;
const BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** The code of a time step, six digits. */
export function totpCode(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac("sha1", secret).update(counter).digest();
  const offset = (mac[mac.length - 1] ?? 0) & 15;
  const number = (mac.readUInt32BE(offset) & 0x7fff_ffff) % 10 ** DIGITS;
  return String(number).padStart(DIGITS, "0");
}

/** The bytes of a secret as authenticator programs take it. Throws `config` for what is none, or too short. */
export function decodeTotpSecret(text: string): Uint8Array {
  const digits = text.replaceAll(/[\s-]/g, "").replace(/=+$/, "").toUpperCase();
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const digit of digits) {
    const value = BASE32.indexOf(digit);
    if (value < 0) throw new AgentguardError("config", "use a one-time code secret in base 32 (A-Z, 2-7)");
    held = (held << 5) | value;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >> bits) & 255);
    held &= (1 << bits) - 1;
  }
  if (bytes.length >= SECRET_BYTES_MIN) return Uint8Array.from(bytes);
  const message = `use a one-time code secret of at least ${SECRET_BYTES_MIN} bytes (26 base 32 digits)`;
  throw new AgentguardError("config", message);
}

/** Remembers the last code that was used, longer than a checker lives. */
export interface CodeMemory {
  /** Its step, -1 for none. `unknown` where nobody can tell: no code up to that step counts. */
  last(secret: Uint8Array, unknown: number): number;
  /** A code of this step is used now; kept when this returns. May throw: then the code does not count. */
  use(secret: Uint8Array, step: number): void;
}

/** Checks codes: each at most once, and not without end. */
export class TotpChecker {
  readonly #secret: Uint8Array;
  readonly #memory: CodeMemory;
  #wrong = 0;
  #refused_until_ms = Number.NEGATIVE_INFINITY;

  constructor(secret: Uint8Array, memory: CodeMemory) {
    this.#secret = secret;
    this.#memory = memory;
  }

  /** True if this checker is for the same secret. */
  isFor(secret: Uint8Array): boolean {
    return secret.length === this.#secret.length && timingSafeEqual(secret, this.#secret);
  }

  /** Takes a code at a wall-clock and a monotonic time; the error says why not. */
  take(code: string | undefined, at: { readonly wall_us: number; readonly now_ms: number }): Result<void, string> {
    if (code === undefined) return err("give a one-time code (--code): the policy asks for one");
    if (at.now_ms < this.#refused_until_ms) return err("too many wrong codes: wait a minute");
    const given = Buffer.from(code);
    const present = Math.floor(at.wall_us / 1_000_000 / STEP_S);
    for (let step = present - STEPS_AROUND; step <= present + STEPS_AROUND; step++) {
      const expected = Buffer.from(totpCode(this.#secret, Math.max(0, step)));
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) continue;
      this.#wrong = 0;
      return this.#use(step, present);
    }
    if (++this.#wrong >= APPROVAL_LIMITS.codes_wrong_max) {
      this.#wrong = 0;
      this.#refused_until_ms = at.now_ms + APPROVAL_LIMITS.codes_refused_ms;
    }
    return err("the one-time code is wrong");
  }

  /** No code of the last used step or an earlier one counts any more. Source: RFC 6238 section 5.2. */
  #use(step: number, present: number): Result<void, string> {
    try {
      if (step <= this.#memory.last(this.#secret, present + STEPS_AROUND)) {
        return err("this code was used already: wait for the next one");
      }
      this.#memory.use(this.#secret, step);
      return ok(undefined);
    } catch (thrown) {
      return err(`the code cannot be kept as used, so it does not count: ${errorMessage(thrown)}`);
    }
  }
}
