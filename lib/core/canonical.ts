/**
 * Canonical JSON (RFC 8785): one text for one value. Object keys are sorted by UTF-16 code units, numbers are written
 * as ECMAScript does, no white space. What RFC 8785 leaves as an error is given one fixed meaning here, so that the
 * function is total over data: see `canonicalJson`.
 */

/** Deepest nesting that is written; what lies below becomes the string `[too deep]`. */
export const CANONICAL_DEPTH_MAX = 64;
/** Most values that one text holds; it is cut there, with the string `[too large]`. Bounds cycles that branch. */
export const CANONICAL_NODES_MAX = 1_000_000;

/** Above this many keys the engine's sort is the faster one. */
const INSERTION_KEYS_MAX = 24;
const TOO_DEEP = '"[too deep]"';
const TOO_LARGE = '"[too large]"';

/** What one call has met so far. */
interface Walk {
  nodes: number;
  /** False once something was met that the engine's serializer would not write canonically by itself. */
  plain: boolean;
}

/**
 * The canonical text of `value` by RFC 8785, total over data without throwing accessors: a lone surrogate becomes
 * U+FFFD, a number that is not finite becomes `null`, a bigint its decimal digits as a string, `undefined`, functions
 * and symbols are left out of objects and `null` elsewhere, `toJSON` is not called, `CANONICAL_DEPTH_MAX` and
 * `CANONICAL_NODES_MAX` bound the work. Source: RFC 8785 section 3.2.
 */
export function canonicalJson(value: unknown): string {
  const walk: Walk = { nodes: 0, plain: true };
  const ordered = order(value, 0, walk);
  if (walk.plain) {
    // The engine's serializer is more than twice as fast as building the text here, and writes strings and numbers
    // by the same rules; only a lone surrogate differs, and that shows as an escape that nothing else produces.
    const text = JSON.stringify(ordered);
    if (!text.includes("\\ud")) return text;
  }
  return write(value, 0, { nodes: 0, plain: false });
}

/**
 * `value` itself where its keys are in order already, else a copy with ordered keys; clears `plain` where that is not
 * enough.
 */
function order(value: unknown, depth: number, walk: Walk): unknown {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value === null) {
    walk.nodes++;
    return value;
  }
  if (typeof value !== "object" || depth >= CANONICAL_DEPTH_MAX || ++walk.nodes > CANONICAL_NODES_MAX) {
    walk.plain = false;
    return null;
  }
  if (Array.isArray(value)) return orderArray(value, depth, walk);
  return isRecord(value) ? orderRecord(value, depth, walk) : null;
}

function orderArray(value: readonly unknown[], depth: number, walk: Walk): readonly unknown[] {
  if ("toJSON" in value) walk.plain = false;
  let copy: unknown[] | undefined;
  for (let i = 0; i < value.length && walk.plain; i++) {
    const before = value[i];
    const after = order(before, depth + 1, walk);
    if (after === before) continue;
    copy ??= value.slice();
    copy[i] = after;
  }
  return copy ?? value;
}

function orderRecord(
  value: Readonly<Record<string, unknown>>,
  depth: number,
  walk: Walk,
): Readonly<Record<string, unknown>> {
  const keys = Object.keys(value);
  let copy = sortKeys(keys) ? emptyRecord() : undefined;
  if ("toJSON" in value) walk.plain = false;
  for (let i = 0; i < keys.length && walk.plain; i++) {
    const key = keys[i] ?? "";
    const before = value[key];
    if (before === undefined) continue;
    // An integer key is enumerated by its number, not where it was put; `__proto__` cannot be assigned.
    if (key.charCodeAt(0) <= 0x39 || key === "__proto__") walk.plain = false;
    const after = order(before, depth + 1, walk);
    if (copy !== undefined) copy[key] = after;
    else if (after !== before) {
      copy = emptyRecord();
      for (let k = 0; k < i; k++) copy[keys[k] ?? ""] = value[keys[k] ?? ""];
      copy[key] = after;
    }
  }
  return copy ?? value;
}

function emptyRecord(): Record<string, unknown> {
  return {};
}

/**
 * Sorts in place; true if anything moved. Insertion sort for the few keys of a usual object: half the time of `sort`.
 */
function sortKeys(keys: string[]): boolean {
  let moved = false;
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i] ?? "";
    if ((keys[i - 1] ?? "") <= key) continue;
    moved = true;
    if (keys.length > INSERTION_KEYS_MAX) {
      keys.sort();
      return true;
    }
    let at = i;
    for (; at > 0 && (keys[at - 1] ?? "") > key; at--) keys[at] = keys[at - 1] ?? "";
    keys[at] = key;
  }
  return moved;
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
