/**
 * Canonical JSON (RFC 8785): one text for one value. Object keys are sorted by UTF-16 code units, numbers are written
 * as ECMAScript does, no white space. What RFC 8785 leaves as an error is given one fixed meaning here, so that the
 * function is total over data: see `canonicalJson`.
 */

/** Deepest nesting that is written; what lies below becomes the string `[too deep]`. */
export const CANONICAL_DEPTH_MAX = 64;
/** Most values that one text holds; it is cut there, with the string `[too large]`. Bounds cycles that branch. */
export const CANONICAL_NODES_MAX = 1_000_000;

/** Lists of keys that a writer remembers, how many keys one may have, and characters in all of them together. */
const KNOWN_LISTS_MAX = 256;
const KNOWN_KEYS_MAX = 24;
const KNOWN_CHARS_MAX = 1_024;
const TOO_DEEP = '"[too deep]"';
const TOO_LARGE = '"[too large]"';

/** The keys of an object as they came, and in canonical order. */
interface KeyList {
  readonly keys: readonly string[];
  /** The same array where they came in order. */
  readonly sorted: readonly string[];
  /** True if an object with these keys, put in that order, is enumerated in that order. */
  readonly stays: boolean;
}

/**
 * The canonical text of `value` by RFC 8785, total over data without throwing accessors: a lone surrogate becomes
 * U+FFFD, a number that is not finite becomes `null`, a bigint its decimal digits as a string, `undefined`, functions
 * and symbols are left out of objects and `null` elsewhere, `toJSON` is not called, `CANONICAL_DEPTH_MAX` and
 * `CANONICAL_NODES_MAX` bound the work. Source: RFC 8785 section 3.2.
 */
export function canonicalJson(value: unknown): string {
  return new CanonicalWriter().text(value);
}

/** Writes many texts as `canonicalJson` does, in half the time: objects of a kind seen before are not sorted again. */
export class CanonicalWriter {
  /** By first key. */
  readonly #known: Map<string, KeyList[]> = new Map();
  #known_count = 0;
  #nodes = 0;
  /** False once something was met that the engine's serializer would not write canonically by itself. */
  #plain = true;

  /** The canonical text of `value`. */
  text(value: unknown): string {
    this.#nodes = 0;
    this.#plain = true;
    const ordered = this.#order(value, 0);
    if (this.#plain) {
      // The engine's serializer is more than twice as fast as building the text here, and writes strings and numbers
      // by the same rules; only a lone surrogate differs, and that shows as an escape that nothing else produces.
      const text = JSON.stringify(ordered);
      if (!text.includes("\\ud")) return text;
    }
    return write(value, 0, { nodes: 0 });
  }

  /** `value` itself where its keys are in order already, else a copy with ordered keys, where that is enough. */
  #order(value: unknown, depth: number): unknown {
    this.#nodes++;
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value === null) {
      return value;
    }
    if (typeof value !== "object" || depth >= CANONICAL_DEPTH_MAX || this.#nodes > CANONICAL_NODES_MAX) {
      this.#plain = false;
      return null;
    }
    if ("toJSON" in value) this.#plain = false;
    if (Array.isArray(value)) return this.#orderArray(value, depth);
    return isRecord(value) ? this.#orderRecord(value, depth) : null;
  }

  #orderArray(value: readonly unknown[], depth: number): readonly unknown[] {
    let copy: unknown[] | undefined;
    for (let i = 0; i < value.length && this.#plain; i++) {
      const before = value[i];
      const after = this.#order(before, depth + 1);
      if (after === before) continue;
      copy ??= value.slice();
      copy[i] = after;
    }
    return copy ?? value;
  }

  #orderRecord(value: Readonly<Record<string, unknown>>, depth: number): Readonly<Record<string, unknown>> {
    const list = this.#listOf(Object.keys(value));
    if (!list.stays) this.#plain = false;
    const { keys, sorted } = list;
    let copy = sorted === keys ? undefined : emptyRecord();
    for (let i = 0; i < sorted.length && this.#plain; i++) {
      const key = sorted[i] ?? "";
      const before = value[key];
      if (before === undefined) continue;
      const after = this.#order(before, depth + 1);
      if (copy !== undefined) copy[key] = after;
      else if (after !== before) {
        copy = emptyRecord();
        for (let k = 0; k < i; k++) copy[sorted[k] ?? ""] = value[sorted[k] ?? ""];
        copy[key] = after;
      }
    }
    return copy ?? value;
  }

  #listOf(keys: readonly string[]): KeyList {
    const first = keys[0] ?? "";
    const lists = this.#known.get(first) ?? [];
    for (const known of lists) if (sameKeys(known.keys, keys)) return known;
    const list = keyList(keys);
    if (keys.length > KNOWN_KEYS_MAX || keys.reduce((sum, key) => sum + key.length, 0) > KNOWN_CHARS_MAX) return list;
    if (this.#known_count >= KNOWN_LISTS_MAX) {
      this.#known.clear();
      this.#known_count = 0;
    }
    this.#known_count++;
    this.#known.set(first, [...this.#known.get(first) ?? [], list]);
    return list;
  }
}

function sameKeys(some: readonly string[], others: readonly string[]): boolean {
  if (some.length !== others.length) return false;
  for (let i = 0; i < some.length; i++) if (some[i] !== others[i]) return false;
  return true;
}

function keyList(keys: readonly string[]): KeyList {
  const moved = keys.some((key, i) => i > 0 && (keys[i - 1] ?? "") > key);
  // An integer key is enumerated by its number, not where it was put; `__proto__` cannot be assigned.
  const stays = keys.every((key) => !(key.charCodeAt(0) <= 0x39) && key !== "__proto__");
  return { keys, sorted: moved ? keys.toSorted() : keys, stays };
}

function emptyRecord(): Record<string, unknown> {
  return {};
}

/** What the plain road has met so far. */
interface Walk {
  nodes: number;
}

/** The plain road: the text built value by value. Takes everything. */
function write(value: unknown, depth: number, walk: Walk): string {
  if (++walk.nodes > CANONICAL_NODES_MAX) return TOO_LARGE;
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.toWellFormed());
    case "number":
      return Number.isFinite(value) ? String(value) : "null";
    case "boolean":
      return value ? "true" : "false";
    case "bigint":
      return `"${value}"`;
    case "undefined":
    case "function":
    case "symbol":
      return "null";
    case "object":
      break;
  }
  if (value === null) return "null";
  if (depth >= CANONICAL_DEPTH_MAX) return TOO_DEEP;
  if (Array.isArray(value)) return writeArray(value, depth, walk);
  return isRecord(value) ? writeRecord(value, depth, walk) : "null";
}

function writeArray(value: readonly unknown[], depth: number, walk: Walk): string {
  const parts: string[] = [];
  for (let i = 0; i < value.length && walk.nodes <= CANONICAL_NODES_MAX; i++) {
    parts.push(write(value[i], depth + 1, walk));
  }
  return `[${parts.join(",")}]`;
}

function writeRecord(value: Readonly<Record<string, unknown>>, depth: number, walk: Walk): string {
  // Two keys may become one when their surrogates are replaced: the later in order, the well-formed one, stays.
  const members = new Map<string, unknown>();
  for (const key of Object.keys(value).sort()) {
    const member = value[key];
    if (member === undefined || typeof member === "function" || typeof member === "symbol") continue;
    members.set(key.toWellFormed(), member);
  }
  const parts: string[] = [];
  for (const key of [...members.keys()].sort()) {
    if (walk.nodes > CANONICAL_NODES_MAX) break;
    parts.push(`${JSON.stringify(key)}:${write(members.get(key), depth + 1, walk)}`);
  }
  return `{${parts.join(",")}}`;
}

function isRecord(value: object): value is Readonly<Record<string, unknown>> {
  return !Array.isArray(value);
}
