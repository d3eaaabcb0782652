/** `name = value`, `name: value`, `"name": "value"` and headers, where the name says that the value is a secret. */
import { ALNUM, classAt, classOf, JOINER, LETTER, QUOTE, SPACE, STOP } from "./chars.ts";
import { classOfName, isHarmless, NAME_CHARS_MAX, type NameClass, WEAK_CHARS_MAX } from "./names.ts";
import type { Scan } from "./scan.ts";

const BACKSLASH = 0x5c;
/** Backslashes before a quote: JSON within JSON within JSON. */
const ESCAPES_MAX = 8;
/** Spaces around the sign. */
const SPACES_MAX = 8;
/** Longest name of a scheme before a credential: `Bearer`, `Basic`, `Negotiate`. */
const SCHEME_CHARS_MAX = 16;

/** How variables and placeholders open and close; longer openings first. */
const PLACEHOLDERS: readonly (readonly [string, string])[] = [
  ["${{", "}}"],
  ["${", "}"],
  ["{{", "}}"],
  ["$(", ")"],
  ["<", ">"],
];

/** Kinds by class of name. */
const KINDS: Readonly<Record<NameClass, string>> = {
  password: "password",
  secret: "secret",
  header: "authorization",
  weak: "secret",
};

/** Notes the value beside the sign (`=` or `:`) at `at`; gives where to go on. */
export function scanAssignment(scan: Scan, at: number): number {
  const name = nameBefore(scan, at);
  if (name === "") return at + 1;
  const name_class = classOfName(name);
  if (name_class === undefined) return at + 1;
  const sign_end = endOfSign(scan, at);
  const value = skipSpaces(scan, sign_end);
  const quote = quoteAt(scan, value);
  if (quote !== undefined) return quoted(scan, quote, name_class, at);
  // `==` compares and `=>` makes a function of the name: only a literal behind them is a value. `:=` assigns.
  if (sign_end > at + 1 && scan.text.charCodeAt(at) === 0x3d) return at + 1;
  return name_class === "header" ? header(scan, value) : bare(scan, value, name_class, at);
}

/** The end of `=`, `:`, `:=`, `==`, `===` or `=>`. */
function endOfSign(scan: Scan, at: number): number {
  let end = at + 1;
  while (end < at + 3 && (scan.text.charCodeAt(end) === 0x3d || scan.text.charCodeAt(end) === 0x3e)) end++;
  scan.steps += end - at;
  return end;
}

/** The name that ends before `at`, without the quotes around it. */
function nameBefore(scan: Scan, at: number): string {
  const { text } = scan;
  let end = at;
  while (end > at - 2 && text.charCodeAt(end - 1) === 0x20) end--;
  while (end > at - ESCAPES_MAX && isQuoteOrEscape(text.charCodeAt(end - 1))) end--;
  let start = end;
  while (start > end - NAME_CHARS_MAX - 1 && isNameChar(text.charCodeAt(start - 1))) start--;
  scan.steps += at - start + 1;
  return text.slice(start, end);
}

function isQuoteOrEscape(code: number): boolean {
  return code === BACKSLASH || (classOf(code) & QUOTE) !== 0;
}

function isNameChar(code: number): boolean {
  return (classOf(code) & (ALNUM | JOINER)) !== 0 || code === 0x2e;
}

function skipSpaces(scan: Scan, from: number): number {
  let at = from;
  while (at < from + SPACES_MAX && (scan.text.charCodeAt(at) === 0x20 || scan.text.charCodeAt(at) === 9)) at++;
  scan.steps += at - from + 1;
  return at;
}

/** An opening quote with the backslashes before it. */
interface Quote {
  /** The backslashes and the quote, as the closing one is written. */
  readonly mark: string;
  /** Where the value begins. */
  readonly start: number;
}

function quoteAt(scan: Scan, from: number): Quote | undefined {
  let at = from;
  while (at < from + ESCAPES_MAX && scan.text.charCodeAt(at) === BACKSLASH) at++;
  scan.steps += at - from + 1;
  if ((classAt(scan.text, at) & QUOTE) === 0) return undefined;
  return { mark: scan.text.slice(from, at + 1), start: at + 1 };
}

/** The value up to its closing quote; without one, as if it had none. */
function quoted(scan: Scan, quote: Quote, name_class: NameClass, at: number): number {
  const limit = name_class === "weak" ? Math.min(scan.text.length, quote.start + WEAK_CHARS_MAX) : scan.text.length;
  const end = closingQuote(scan, quote, limit);
  if (end === undefined) return bare(scan, quote.start, name_class, at);
  if (isHarmless(scan.text.slice(quote.start, end), name_class)) return at + 1;
  scan.add(name_class === "header" ? afterScheme(scan, quote.start, end) : quote.start, end, KINDS[name_class]);
  return end;
}

function closingQuote(scan: Scan, quote: Quote, limit: number): number | undefined {
  const { text } = scan;
  const depth = quote.mark.length - 1;
  const code = quote.mark.charCodeAt(depth);
  let escapes = 0;
  let at = quote.start;
  for (; at < limit; at++) {
    const here = text.charCodeAt(at);
    // A quote that closes has as many backslashes as the one that opened; one with more stands within.
    if (here === code && escapes <= depth) break;
    escapes = here === BACKSLASH ? escapes + 1 : 0;
  }
  scan.steps += at - quote.start + 1;
  return at < limit ? at - Math.min(escapes, depth) : undefined;
}

/** A value without quotes: up to a space or a sign that ends a value. */
function bare(scan: Scan, start: number, name_class: NameClass, at: number): number {
  const { text } = scan;
  if (name_class === "header") return header(scan, start);
  const checked = Math.min(text.length, start + WEAK_CHARS_MAX + 1);
  let end = endOfBare(scan, start, checked);
  const goes_on = end === checked && checked < text.length;
  if (goes_on && name_class === "weak") return at + 1;
  if (goes_on) end = endOfBare(scan, end, text.length);
  if (isHarmless(text.slice(start, end), name_class)) return at + 1;
  scan.add(start, end, KINDS[name_class]);
  return end;
}

function endOfBare(scan: Scan, start: number, limit: number): number {
  const head = scan.text.slice(start, start + NAME_CHARS_MAX);
  // A variable or a placeholder is taken whole, with the signs that would end another value.
  const close = PLACEHOLDERS.find(([open]) => head.startsWith(open))?.[1];
  const closed = close === undefined ? -1 : head.indexOf(close);
  scan.steps += head.length;
  const at = closed < 0 || close === undefined ? start : Math.min(limit, start + closed + close.length);
  return Math.min(limit, scan.until(at, SPACE | QUOTE | STOP, limit));
}

/** A header's value: the rest of the line, or up to the quote that ends the header. */
function header(scan: Scan, start: number): number {
  const { text } = scan;
  let end = start;
  for (; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === 10 || code === 13 || isQuoteOrEscape(code)) break;
  }
  scan.steps += end - start + 1;
  if (isHarmless(text.slice(start, end).trimEnd(), "header")) return Math.max(end, start + 1);
  scan.add(afterScheme(scan, start, end), end, KINDS.header);
  return Math.max(end, start + 1);
}

/** Where the credential begins: `Basic dXNlcg==` names its scheme first. */
function afterScheme(scan: Scan, start: number, end: number): number {
  const word = scan.skip(start, LETTER, Math.min(end, start + SCHEME_CHARS_MAX));
  if (word === start || scan.text.charCodeAt(word) !== 0x20 || word + 1 >= end) return start;
  return word + 1;
}
