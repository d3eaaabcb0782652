/** Secrets that are known by their shape: keys in PEM, tokens of three parts, cards, addresses, passwords in URLs. */
import { ALNUM, classAt, classOf, DIGIT, JOINER, LETTER, QUOTE, SPACE } from "./chars.ts";
import { isHarmless } from "./names.ts";
import type { Scan } from "./scan.ts";

const PEM_BEGIN = "-----BEGIN ";
const PEM_END = "-----END ";
const PEM_DASHES = "-----";
/** Longest label of a PEM block, with its dashes. */
const PEM_LABEL_CHARS_MAX = 80;

/** A PEM block. */
export interface PemBlock {
  readonly end: number;
  readonly is_private: boolean;
}

/**
 * The PEM block that begins at `at`, noted if it is a private key; one without an end goes to the end of the text. A
 * public one (a certificate) counts only if it is whole.
 */
export function scanPem(scan: Scan, at: number): PemBlock | undefined {
  const { text } = scan;
  scan.steps++;
  if (!text.startsWith(PEM_BEGIN, at)) return undefined;
  const label = at + PEM_BEGIN.length;
  const head = text.slice(label, label + PEM_LABEL_CHARS_MAX);
  scan.steps += head.length;
  const label_end = head.indexOf(PEM_DASHES);
  if (label_end < 0) return undefined;
  const body = label + label_end + PEM_DASHES.length;
  const end = endOfPem(scan, body);
  if (head.slice(0, label_end).includes("PRIVATE KEY")) {
    scan.add(at, end ?? text.length, "private_key");
    return { end: end ?? text.length, is_private: true };
  }
  const another = text.indexOf(PEM_BEGIN, body);
  scan.steps += (another < 0 ? text.length : another) - body;
  return end === undefined || (another >= 0 && another < end) ? undefined : { end, is_private: false };
}

function endOfPem(scan: Scan, body: number): number | undefined {
  const { text } = scan;
  if (scan.pem_end < body) {
    const found = text.indexOf(PEM_END, body);
    scan.pem_end = found < 0 ? Number.POSITIVE_INFINITY : found;
    scan.steps += (found < 0 ? text.length : found) - body;
  }
  if (scan.pem_end === Number.POSITIVE_INFINITY) return undefined;
  const label = scan.pem_end + PEM_END.length;
  const dashes = text.slice(label, label + PEM_LABEL_CHARS_MAX).indexOf(PEM_DASHES);
  return label + (dashes < 0 ? 0 : dashes + PEM_DASHES.length);
}

/** Shortest parts of a JSON web token: a header that names an algorithm, a payload. Source: RFC 7515 section 7.1. */
const JWT_HEADER_CHARS_MIN = 16;
const JWT_PAYLOAD_CHARS_MIN = 8;

/** Notes the JSON web token (or encrypted one, of five parts) that begins at `at`; gives where to look for the next. */
export function scanJwt(scan: Scan, at: number): number {
  const { text } = scan;
  scan.steps++;
  if (!text.startsWith("eyJ", at)) return at;
  const header = scan.skip(at, ALNUM | JOINER, text.length);
  if (header - at < JWT_HEADER_CHARS_MIN || text.charCodeAt(header) !== 0x2e) return header;
  const payload = scan.skip(header + 1, ALNUM | JOINER, text.length);
  if (payload - header <= JWT_PAYLOAD_CHARS_MIN || text.charCodeAt(payload) !== 0x2e) return header;
  let end = payload;
  for (let part = 3; part <= 5 && text.charCodeAt(end) === 0x2e; part++) {
    end = scan.skip(end + 1, ALNUM | JOINER, text.length);
  }
  scan.add(at, end, "jwt");
  return end;
}

/**
 * Lengths of card numbers and the numbers that they begin with. Source: ISO/IEC 7812, the issuers' published ranges.
 */
const CARD_RANGES: readonly (readonly [RegExp, readonly number[]])[] = [
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|2[2-7])/, [16]],
  [/^3[47]/, [15]],
  [/^3[068]/, [14]],
  [/^35/, [16, 17, 18, 19]],
  [/^6[0245]/, [16, 17, 18, 19]],
];
const CARD_DIGITS_MAX = 19;
const CARD_DIGITS_MIN = 13;

/**
 * Notes the card number that begins at the digit `at`: in one piece, or in groups of four to seven with single
 * separators.
 */
export function scanCard(scan: Scan, at: number): number {
  const { text } = scan;
  let digits = "";
  for (let from = at;;) {
    const to = scan.skip(from, DIGIT, Math.min(text.length, from + CARD_DIGITS_MAX + 1));
    const grouped = from > at || isCardSeparator(text, to);
    if (grouped && from === at && to - from !== 4) return at;
    digits += text.slice(from, to);
    if (to === from || digits.length > CARD_DIGITS_MAX) return at;
    const closed = (classAt(text, to) & (ALNUM | JOINER)) === 0 || isCardSeparator(text, to);
    if (digits.length >= CARD_DIGITS_MIN && closed && isCard(digits)) {
      scan.add(at, to, "card");
      return to;
    }
    if (!isCardSeparator(text, to)) return at;
    from = to + 1;
  }
}

/** A single space or dash between two digits. */
function isCardSeparator(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return (code === 0x20 || code === 0x2d) && (classAt(text, at + 1) & DIGIT) !== 0;
}

function isCard(digits: string): boolean {
  if (!CARD_RANGES.some(([begin, lengths]) => lengths.includes(digits.length) && begin.test(digits))) return false;
  let sum = 0;
  for (let i = 0; i < digits.length; i++) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 0x30;
    const weighted = i % 2 === 1 ? digit * 2 : digit;
    sum += weighted > 9 ? weighted - 9 : weighted;
  }
  return sum % 10 === 0;
}

/** Bounds of an address. Source: RFC 5321 section 4.5.3.1. */
const EMAIL_LOCAL_CHARS_MAX = 64;
const EMAIL_DOMAIN_CHARS_MAX = 255;

/** Last labels that are no top-level domains, or name files far more often. */
const NOT_TLDS: ReadonlySet<string> = new Set(
  ("png jpg jpeg gif svg webp ico css js mjs cjs ts tsx jsx json toml yaml yml txt lock conf so tgz gz zip " +
    "service socket timer target mount slice scope path local internal").split(" "),
);

/** Notes the address around the `@` at `at`. */
export function scanEmail(scan: Scan, at: number): void {
  const { text } = scan;
  if (at <= scan.userinfo_end) return;
  let start = at;
  while (start > at - EMAIL_LOCAL_CHARS_MAX && isLocalChar(text.charCodeAt(start - 1))) start--;
  scan.steps += at - start + 1;
  let end = at + 1;
  while (end < at + EMAIL_DOMAIN_CHARS_MAX && isDomainChar(text.charCodeAt(end))) end++;
  scan.steps += end - at;
  while (end > at && text.charCodeAt(end - 1) === 0x2e) end--;
  const local = text.slice(start, at);
  if (local === "" || local === "git" || text.startsWith("//", start - 2)) return;
  // host:path, as scp and git write it
  if (text.charCodeAt(end) === 0x3a && text.charCodeAt(end + 1) > 0x20) return;
  const dot = text.lastIndexOf(".", end - 1);
  if (dot <= at + 1) return;
  const tld = text.slice(dot + 1, end);
  if (tld.length < 2 || tld.length > 24 || !isWordOf(tld, LETTER) || NOT_TLDS.has(tld.toLowerCase())) return;
  scan.add(start, end, "email");
}

function isLocalChar(code: number): boolean {
  return (classOf(code) & (ALNUM | JOINER)) !== 0 || code === 0x2e || code === 0x2b || code === 0x25;
}

function isDomainChar(code: number): boolean {
  return (classOf(code) & ALNUM) !== 0 || code === 0x2d || code === 0x2e;
}

function isWordOf(text: string, bits: number): boolean {
  for (let at = 0; at < text.length; at++) if ((classAt(text, at) & bits) === 0) return false;
  return true;
}

/** How far a password in a URL may go on beyond a slash that should have been escaped. */
const USERINFO_CHARS_MAX = 256;

/** Notes the password of `scheme://user:password@host`, where `at` is the colon of the scheme. */
export function scanUrl(scan: Scan, at: number): void {
  const { text } = scan;
  const start = at + 3;
  let end = start;
  let colon = -1;
  let last_at = -1;
  for (; end < text.length && !endsAuthority(text.charCodeAt(end)); end++) {
    const code = text.charCodeAt(end);
    if (code === 0x40) last_at = end;
    else if (code === 0x3a && colon < 0) colon = end;
  }
  scan.steps += end - start + 1;
  if (colon < 0) return;
  if (last_at < colon && (classAt(text, colon + 1) & DIGIT) === 0) {
    const limit = Math.min(text.length, end + USERINFO_CHARS_MAX);
    const space = scan.until(end, SPACE | QUOTE, limit);
    const beyond = text.slice(end, space).lastIndexOf("@");
    if (beyond >= 0) last_at = end + beyond;
  }
  scan.userinfo_end = last_at;
  if (last_at <= colon || isHarmless(text.slice(colon + 1, last_at), "password")) return;
  scan.add(colon + 1, last_at, "url_password");
}

function endsAuthority(code: number): boolean {
  if ((classOf(code) & (SPACE | QUOTE)) !== 0) return true;
  return code === 0x2f || code === 0x3f || code === 0x23 || code === 0x3c || code === 0x3e || code === 0x5c;
}
