/**
 * Where each key and each list element of a TOML text stands. The parser library gives values without places, so this
 * scans the same text once more and builds a tree of offsets with the shape of the values.
 * It expects a text that the parser has accepted; on any other it stops early and gives the places found so far.
 */
import type { Position } from "./diagnostic.ts";

/** One node of the tree: the offset of a key (or of a list element) and what lies below it. */
export class Place {
  readonly offset: number;
  // Most places are leaves: the collections are made when needed.
  #keys: Map<string, Place> | undefined;
  #items: Place[] | undefined;

  constructor(offset: number) {
    this.offset = offset;
  }

  /** The place of a key of this table. */
  key(name: string): Place | undefined {
    return this.#keys?.get(name);
  }

  /** The place of an element of this list. */
  item(index: number): Place | undefined {
    return this.#items?.[index];
  }

  /** The last element so far. */
  get last(): Place | undefined {
    return this.#items?.at(-1);
  }

  /** The place of a key, made if it is new. */
  descend(name: string, offset: number): Place {
    this.#keys ??= new Map();
    const known = this.#keys.get(name);
    if (known !== undefined) return known;
    const made = new Place(offset);
    this.#keys.set(name, made);
    return made;
  }

  /** Adds an element. */
  append(offset: number): Place {
    const made = new Place(offset);
    this.#items ??= [];
    this.#items.push(made);
    return made;
  }
}

/** Turns offsets of one text into lines and columns. */
export class LineIndex {
  readonly #file: string;
  readonly #starts: number[] = [0];

  constructor(file: string, text: string) {
    this.#file = file;
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#starts.push(at + 1);
  }

  /** The position of an offset. */
  position(offset: number): Position {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { file: this.#file, line: low + 1, column: offset - (this.#starts[low] ?? 0) + 1 };
  }
}

/** The tree of places of a whole TOML text, in linear time. */
export function scanPlaces(text: string): Place {
  return new Scanner(text).document();
}

const LINE_FEED = 10;
const HASH = 35;
const QUOTE = 34;
const APOSTROPHE = 39;
const DOT = 46;
const COMMA = 44;
const EQUALS = 61;
const BRACKET_OPEN = 91;
const BACKSLASH = 92;
const BRACKET_CLOSE = 93;
const BRACE_OPEN = 123;
const BRACE_CLOSE = 125;
/** Deeper nesting is not followed; the parser refuses it before. */
const DEPTH_MAX = 100;

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Place {
    const root = new Place(0);
    let table = root;
    for (;;) {
      this.#skip(true);
      if (this.#at >= this.#text.length) return root;
      if (this.#code() === BRACKET_OPEN) {
        table = this.#header(root);
        this.#skipLine();
        continue;
      }
      const before = this.#at;
      this.#entry(table, EQUALS, 0);
      if (this.#at === before) this.#skipLine();
    }
  }

  /** `[a.b]` or `[[a.b]]`: the place of the table that the following keys belong to. */
  #header(root: Place): Place {
    const offset = this.#at;
    this.#at++;
    const is_array = this.#code() === BRACKET_OPEN;
    if (is_array) this.#at++;
    const path = this.#key(BRACKET_CLOSE, offset);
    let table = root;
    path.forEach((part, i) => {
      const child = table.descend(part.name, part.offset);
      table = is_array && i === path.length - 1 ? child.append(part.offset) : child.last ?? child;
    });
    return table;
  }

  /** `a.b = value`. */
  #entry(table: Place, end: number, depth: number): void {
    const path = this.#key(end, this.#at);
    let target = table;
    for (const part of path) target = target.descend(part.name, part.offset);
    this.#at++;
    this.#skip(false);
    this.#value(target, depth);
  }

  /** The parts of a dotted key up to (not including) the character `end`. */
  #key(end: number, fallback: number): { readonly name: string; readonly offset: number }[] {
    const parts: { readonly name: string; readonly offset: number }[] = [];
    while (this.#at < this.#text.length) {
      this.#skip(false);
      const code = this.#code();
      if (code === end || code === LINE_FEED) break;
      if (code === DOT) {
        this.#at++;
        continue;
      }
      const offset = this.#at;
      if (code === QUOTE || code === APOSTROPHE) {
        parts.push({ name: this.#string(), offset });
        continue;
      }
      while (this.#at < this.#text.length && isBare(this.#code())) this.#at++;
      if (this.#at === offset) break;
      parts.push({ name: this.#text.slice(offset, this.#at), offset });
    }
    return parts.length > 0 ? parts : [{ name: "", offset: fallback }];
  }

  #value(target: Place, depth: number): void {
    const code = this.#code();
    if (code === QUOTE || code === APOSTROPHE) this.#string();
    else if (code === BRACKET_OPEN && depth < DEPTH_MAX) this.#array(target, depth + 1);
    else if (code === BRACE_OPEN && depth < DEPTH_MAX) this.#inlineTable(target, depth + 1);
    else this.#bareValue();
  }

  #array(target: Place, depth: number): void {
    this.#at++;
    for (;;) {
      this.#skip(true);
      if (this.#at >= this.#text.length) return;
      const code = this.#code();
      if (code === BRACKET_CLOSE) {
        this.#at++;
        return;
      }
      if (code === COMMA) {
        this.#at++;
        continue;
      }
      const item = target.append(this.#at);
      this.#value(item, depth);
      if (this.#at === item.offset) this.#at++;
    }
  }

  #inlineTable(target: Place, depth: number): void {
    this.#at++;
    for (;;) {
      this.#skip(true);
      if (this.#at >= this.#text.length) return;
      const code = this.#code();
      if (code === BRACE_CLOSE) {
        this.#at++;
        return;
      }
      if (code === COMMA) {
        this.#at++;
        continue;
      }
      const before = this.#at;
      this.#entry(target, EQUALS, depth);
      if (this.#at === before) this.#at++;
    }
  }

  /** Moves past a string of any of the four forms; gives the decoded text for keys (single-line forms). */
  #string(): string {
    const quote_code = this.#code();
    const start = this.#at;
    const [mark, long_mark] = quote_code === QUOTE ? ['"', '"""'] : ["'", "'''"];
    if (this.#text.startsWith(long_mark, start)) {
      this.#at += 3;
      this.#skipString(quote_code, long_mark);
      while (this.#code() === quote_code) this.#at++; // up to two quotes may belong to the text
      return "";
    }
    this.#at++;
    const from = this.#at;
    this.#skipString(quote_code, mark);
    const raw = this.#text.slice(from, this.#at - 1);
    return quote_code === QUOTE && raw.includes("\\") ? unescape(raw) : raw;
  }

  #skipString(quote_code: number, end: string): void {
    while (this.#at < this.#text.length) {
      const code = this.#code();
      if (code === BACKSLASH && quote_code === QUOTE) {
        this.#at += 2;
        continue;
      }
      if (code === quote_code && this.#text.startsWith(end, this.#at)) {
        this.#at += end.length;
        return;
      }
      this.#at++;
    }
  }

  #bareValue(): void {
    while (this.#at < this.#text.length) {
      const code = this.#code();
      if (code === COMMA || code === BRACKET_CLOSE || code === BRACE_CLOSE || code === LINE_FEED || code === HASH) {
        return;
      }
      this.#at++;
    }
  }

  /** Moves past white space and, if asked, line ends and comments. */
  #skip(lines: boolean): void {
    while (this.#at < this.#text.length) {
      const code = this.#code();
      if (code === 32 || code === 9 || code === 13 || (lines && code === LINE_FEED)) this.#at++;
      else if (lines && code === HASH) this.#skipLine();
      else return;
    }
  }

  #skipLine(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.#text.length : end + 1;
  }

  #code(): number {
    return this.#at < this.#text.length ? this.#text.charCodeAt(this.#at) : -1;
  }
}

function isBare(code: number): boolean {
  return (code >= 48 && code <= 57) || (code >= 65 && code <= 90) || (code >= 97 && code <= 122) || code === 45 ||
    code === 95;
}

/** Escapes in quoted keys: the short ones that JSON shares; a key with others is still found by its raw text. */
function unescape(raw: string): string {
  try {
    const value: unknown = JSON.parse(`"${raw}"`);
    return typeof value === "string" ? value : raw;
  } catch {
    return raw;
  }
}
