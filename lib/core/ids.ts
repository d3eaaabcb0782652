/** Identifiers. ULIDs sort by time and are unique without coordination (github.com/ulid/spec). */
import type { Brand } from "./brand.ts";
import type { Clock } from "./time.ts";

/** One verdict; effects and outcomes carry it. */
export type DecisionId = Brand<string, "DecisionId">;
/** One line of the record. */
export type EntryId = Brand<string, "EntryId">;
/** One governed run of an agent. */
export type SessionId = Brand<string, "SessionId">;
/** One pending question to a human. */
export type ApprovalId = Brand<string, "ApprovalId">;

/** Crockford base 32, as in the ULID specification. */
const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const PATTERN = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
/** 128 bits in 26 digits of 5. */
const ULID_BYTES = 16;
const ULID_CHARS = 26;
/** Random digits at the end of a ULID: 16 digits of 5 bits. */
const RANDOM_DIGITS = 16;

/** True if the text is a well-formed ULID. */
export function isUlid(text: string): boolean {
  return PATTERN.test(text);
}

/** The session that a text names; `undefined` where it is no well-formed ULID. */
export function sessionIdOf(text: string): SessionId | undefined {
  return isUlid(text) ? text as SessionId : undefined;
}

/** The 16 bytes of a ULID, most significant first: the form that the kernel's maps hold. */
export function ulidBytes(id: string): Uint8Array {
  const bytes = new Uint8Array(ULID_BYTES);
  let bits = 0;
  let held = 0;
  let at = ULID_BYTES;
  for (let i = id.length - 1; i >= 0; i--) {
    held |= ALPHABET.indexOf(id.charAt(i)) << bits;
    bits += 5;
    if (bits < 8) continue;
    if (at > 0) bytes[--at] = held & 255;
    held >>= 8;
    bits -= 8;
  }
  return bytes;
}

/** The decision id of 16 bytes at `at`; `undefined` where all are zero: none was set. */
export function decisionIdOf(bytes: Uint8Array, at: number): DecisionId | undefined {
  let text = "";
  let bits = 0;
  let held = 0;
  let any = 0;
  for (let i = at + ULID_BYTES - 1; i >= at; i--) {
    const byte = bytes[i] ?? 0;
    any |= byte;
    held |= byte << bits;
    bits += 8;
    while (bits >= 5) {
      text = ALPHABET.charAt(held & 31) + text;
      held >>= 5;
      bits -= 5;
    }
  }
  return any === 0 ? undefined : (ALPHABET.charAt(held & 31) + text) as DecisionId;
}

/** Fills the array with random bytes; `crypto.getRandomValues` outside tests. */
export type RandomFill = (bytes: Uint8Array<ArrayBuffer>) => void;

/** Random digits that change with every id; the ones before them change when these run over. */
const TAIL_DIGITS = 3;
const TAIL_END = 32 ** TAIL_DIGITS;

/**
 * Makes ULIDs that never repeat and never go backwards within this generator, also when the clock does:
 * within one millisecond (or an earlier one) the random part counts up.
 */
export class IdGenerator {
  readonly #clock: Clock;
  readonly #fill: RandomFill;
  readonly #digits: Uint8Array<ArrayBuffer> = new Uint8Array(RANDOM_DIGITS);
  #last_ms = -1;
  /** Time and the random digits but the last three. */
  #head = "";
  #tail = 0;

  constructor(clock: Clock, fill: RandomFill = (bytes) => crypto.getRandomValues(bytes)) {
    this.#clock = clock;
    this.#fill = fill;
  }

  /** The next id, 26 characters. */
  next(): string {
    const now_ms = Math.floor(this.#clock.wallUs() / 1000);
    if (now_ms > this.#last_ms) {
      this.#last_ms = now_ms;
      this.#fill(this.#digits);
      for (let i = 0; i < RANDOM_DIGITS; i++) this.#digits[i] = (this.#digits[i] ?? 0) & 31;
      // The first digit stays below 16, so that counting up cannot overflow within any real millisecond.
      this.#digits[0] = (this.#digits[0] ?? 0) & 15;
      this.#readDigits();
    } else if (++this.#tail >= TAIL_END) {
      this.#increment();
      this.#readDigits();
      this.#tail = 0;
    }
    const tail = this.#tail;
    return this.#head + ALPHABET.charAt(tail >> 10) + ALPHABET.charAt((tail >> 5) & 31) + ALPHABET.charAt(tail & 31);
  }

  /** The next `count` ids as ASCII, 26 bytes each, to `out`; the clock is looked at once. */
  fill(out: Uint8Array, count: number): void {
    for (let at = 0; at < count * ULID_CHARS; at += ULID_CHARS) {
      if (at === 0 || this.#tail + 1 >= TAIL_END) {
        const id = this.next();
        for (let i = 0; i < ULID_CHARS; i++) out[at + i] = id.charCodeAt(i);
        continue;
      }
      const tail = ++this.#tail;
      out.copyWithin(at, at - ULID_CHARS, at - TAIL_DIGITS);
      out[at + ULID_CHARS - 3] = ALPHABET.charCodeAt(tail >> 10);
      out[at + ULID_CHARS - 2] = ALPHABET.charCodeAt((tail >> 5) & 31);
      out[at + ULID_CHARS - 1] = ALPHABET.charCodeAt(tail & 31);
    }
  }

  /** The next decision id. */
  decision(): DecisionId {
    return this.next() as DecisionId;
  }

  /** The next entry id. */
  entry(): EntryId {
    return this.next() as EntryId;
  }

  /** The next session id. */
  session(): SessionId {
    return this.next() as SessionId;
  }

  /** The next approval id. */
  approval(): ApprovalId {
    return this.next() as ApprovalId;
  }

  /** Adds one to the digits before the tail. */
  #increment(): void {
    for (let i = RANDOM_DIGITS - TAIL_DIGITS - 1; i >= 0; i--) {
      const digit = (this.#digits[i] ?? 0) + 1;
      if (digit < 32) {
        this.#digits[i] = digit;
        return;
      }
      this.#digits[i] = 0;
    }
  }

  #readDigits(): void {
    let head = encodeTime(this.#last_ms);
    for (let i = 0; i < RANDOM_DIGITS - TAIL_DIGITS; i++) head += ALPHABET.charAt(this.#digits[i] ?? 0);
    this.#head = head;
    this.#tail = 0;
    for (let i = RANDOM_DIGITS - TAIL_DIGITS; i < RANDOM_DIGITS; i++) {
      this.#tail = this.#tail * 32 + (this.#digits[i] ?? 0);
    }
  }
}

function encodeTime(ms: number): string {
  let text = "";
  let rest = ms;
  for (let i = 0; i < 10; i++) {
    text = ALPHABET.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}
