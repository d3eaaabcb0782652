/**
 * Texts that come again and again, by their bytes: making a string from bytes costs a call out of JavaScript, finding
 * one costs a walk over words. A hash only chooses the slot; a text is given only if every byte is the same.
 */

/** Slots, a power of two. */
const SLOTS = 4096;
/** Longest text that is kept, bytes; a multiple of 4. */
const TEXT_MAX = 192;

/** A cache of decoded texts, of fixed size. */
export class TextCache {
  readonly #lengths = new Uint8Array(SLOTS);
  readonly #texts: string[] = Array.from({ length: SLOTS }, () => "");
  readonly #kept = new DataView(new ArrayBuffer(SLOTS * TEXT_MAX));
  readonly #decode: (from: number, to: number) => string;

  /** `decode` makes the text of the bytes `from` to `to` of the memory that `get` is given. */
  constructor(decode: (from: number, to: number) => string) {
    this.#decode = decode;
  }

  /** The text of `length` bytes at `from`, which lie within `view`. */
  get(view: DataView, from: number, length: number): string {
    if (length === 0) return "";
    // Words are read up to the end of the last one: near the end of the memory there may be none.
    if (length > TEXT_MAX || from + length + 3 >= view.byteLength) return this.#decode(from, from + length);
    const slot = slotOf(view, from, length);
    if (this.#lengths[slot] === length && this.#holds(slot, view, from)) return this.#texts[slot] ?? "";
    const text = this.#decode(from, from + length);
    this.#lengths[slot] = length;
    this.#texts[slot] = text;
    for (let i = 0; i < length; i += 4) this.#kept.setInt32(slot * TEXT_MAX + i, view.getInt32(from + i, true), true);
    return text;
  }

  /** True if the slot holds the same bytes; its length is that of the text asked for. */
  #holds(slot: number, view: DataView, from: number): boolean {
    const length = this.#lengths[slot] ?? 0;
    const kept = this.#kept;
    const at = slot * TEXT_MAX;
    const last = length & ~3;
    for (let i = 0; i < last; i += 4) {
      if (kept.getInt32(at + i, true) !== view.getInt32(from + i, true)) return false;
    }
    if (last === length) return true;
    return ((kept.getInt32(at + last, true) ^ view.getInt32(from + last, true)) & tailMask(length)) === 0;
  }
}

/** A hash over the words of the text; what lies behind it does not count. */
function slotOf(view: DataView, from: number, length: number): number {
  const last = length & ~3;
  let hash = length;
  for (let i = 0; i < last; i += 4) hash = mix(hash ^ view.getInt32(from + i, true));
  hash = mix(hash ^ (last === length ? 0 : view.getInt32(from + last, true) & tailMask(length)));
  return (hash ^ (hash >>> 16)) & (SLOTS - 1);
}

/** Multiplication alone would keep the high bits of a word out of the low ones. */
function mix(word: number): number {
  const hash = Math.imul(word, 0x9e37_79b1);
  return hash ^ (hash >>> 15);
}

/** The bytes of the last word that belong to a text of this length. */
function tailMask(length: number): number {
  return (1 << ((length & 3) * 8)) - 1;
}
