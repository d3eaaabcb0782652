/**
 * Rule bit vectors over bit prefixes. A longest-prefix lookup finds one entry only, so each entry carries the rules of
 * every shorter prefix that covers it: after this push-down one lookup gives all rules whose prefix holds.
 */

/** A prefix (`bytes` up to `bits`) and the rules that name it. */
export interface PrefixRule {
  readonly bytes: Uint8Array;
  readonly bits: number;
  /** Bit number of the rule, 0 to 255. */
  readonly rule: number;
}

/** One entry for the trie. */
export interface PrefixEntry {
  readonly bytes: Uint8Array;
  readonly bits: number;
  /** Four 64-bit words. */
  readonly words: BigUint64Array;
}

/** Words of a bit vector. */
export const RULE_WORDS = 4;

/** An empty bit vector. */
export function noRules(): BigUint64Array {
  return new BigUint64Array(RULE_WORDS);
}

/** Sets one rule's bit. */
export function addRule(words: BigUint64Array, rule: number): void {
  const index = rule >> 6;
  words[index] = (words[index] ?? 0n) | (1n << BigInt(rule & 63));
}

/**
 * Every distinct prefix, and always the empty one so that a lookup finds something, with the rules of all prefixes that
 * cover it. Sorted by length, so parents come first.
 */
export function pushDown(rules: readonly PrefixRule[], width_bytes: number): PrefixEntry[] {
  const root: PrefixEntry = { bytes: new Uint8Array(width_bytes), bits: 0, words: noRules() };
  const by_key = new Map<string, PrefixEntry>([[keyOf(root.bytes, 0), root]]);
  for (const rule of rules) {
    const bytes = masked(rule.bytes, rule.bits, width_bytes);
    const key = keyOf(bytes, rule.bits);
    let entry = by_key.get(key);
    if (entry === undefined) {
      entry = { bytes, bits: rule.bits, words: noRules() };
      by_key.set(key, entry);
    }
    addRule(entry.words, rule.rule);
  }
  const entries = [...by_key.values()].sort((a, b) => a.bits - b.bits);
  for (const entry of entries) {
    // Parents were completed before: the nearest shorter prefix holds all above it.
    for (let bits = entry.bits - 1; bits >= 0; bits--) {
      const parent = by_key.get(keyOf(masked(entry.bytes, bits, width_bytes), bits));
      if (parent === undefined) continue;
      for (let i = 0; i < RULE_WORDS; i++) entry.words[i] = (entry.words[i] ?? 0n) | (parent.words[i] ?? 0n);
      break;
    }
  }
  return entries;
}

/** Decomposes an inclusive port range into at most 30 prefixes of 16 bits, big endian. */
export function portPrefixes(from: number, to: number): { readonly bytes: Uint8Array; readonly bits: number }[] {
  const found: { bytes: Uint8Array; bits: number }[] = [];
  let at = from;
  while (at <= to) {
    let size = 1;
    while (size < 65_536 && at % (size * 2) === 0 && at + size * 2 - 1 <= to) size *= 2;
    found.push({ bytes: new Uint8Array([at >> 8, at & 255]), bits: 16 - Math.log2(size) });
    at += size;
  }
  return found;
}

function masked(bytes: Uint8Array, bits: number, width_bytes: number): Uint8Array {
  const copy = new Uint8Array(width_bytes);
  copy.set(bytes.subarray(0, width_bytes));
  for (let i = 0; i < width_bytes; i++) {
    const kept = Math.min(8, Math.max(0, bits - i * 8));
    copy[i] = (copy[i] ?? 0) & (0xff << (8 - kept));
  }
  return copy;
}

function keyOf(bytes: Uint8Array, bits: number): string {
  return `${bits}/${bytes.toHex()}`;
}
