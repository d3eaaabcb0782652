/** A text is written anew with marks in place of its secrets, cut to its bound. */
import { endOfMark, findingsOf, isSuspicious, scanText } from "./text.ts";
import type { Finding, ScanMode } from "./scan.ts";

/** Hex digits of a keyed hash in a mark. */
const SECRET_HEX = 8;
const CUT_HEX = 16;
/** Room for the mark of a cut, characters. */
const CUT_MARK_CHARS = 36;
/** What is scanned beyond the bound, so that a secret that stands across it is seen whole: the longest keys in PEM. */
const BEYOND_CHARS = 16_384;
/** A mark can bring out what its secret hid: so often a text is scanned before it is given up as a whole. */
const PASSES_MAX = 4;

/** Writes texts anew with one key and one bound. */
export class Renderer {
  readonly #key: Uint8Array;
  readonly #text_chars_max: number;

  constructor(key: Uint8Array, text_chars_max: number) {
    this.#key = key;
    this.#text_chars_max = text_chars_max;
  }

  /** The text without its secrets, at most `text_chars_max` characters; the same string where nothing had to change. */
  render(text: string, mode: ScanMode): string {
    if (text.length <= this.#text_chars_max && !isSuspicious(text)) return text;
    const first = this.#scanned(text, mode);
    return first === text ? text : this.#settle(first, mode);
  }

  /** The same for a text of which parts are known to be secret. */
  renderKnown(text: string, mode: ScanMode, known: readonly Finding[]): string {
    return this.#settle(this.#scanned(text, mode, known), mode);
  }

  /** A whole text as one mark of this kind. */
  mark(text: string, kind: string): string {
    return `[redacted:${kind}:${this.#hash(text, SECRET_HEX)}]`;
  }

  /** Scans what was written until it holds nothing more. */
  #settle(first: string, mode: ScanMode): string {
    let text = first;
    for (let pass = 1; pass < PASSES_MAX; pass++) {
      if (!isSuspicious(text)) return text;
      const again = this.#scanned(text, mode);
      if (again === text) return text;
      text = again;
    }
    return this.#scanned(text, mode) === text ? text : this.mark(text, "text");
  }

  #scanned(text: string, mode: ScanMode, known: readonly Finding[] = []): string {
    const max = this.#text_chars_max;
    const is_long = text.length > max;
    const window = is_long ? text.slice(0, max + BEYOND_CHARS) : text;
    const scan = scanText(window, mode);
    for (const { start, end, kind } of known) scan.add(start, Math.min(end, window.length), kind);
    const findings = findingsOf(scan);
    if (!is_long && findings.length === 0) return text;
    return this.#write(text, findings);
  }

  /** The text with marks; what does not fit is cut behind the last piece that does. */
  #write(text: string, findings: readonly Finding[]): string {
    const whole = text.length <= this.#text_chars_max ? this.#pieces(text, findings, Infinity) : undefined;
    if (whole !== undefined && whole.written.length <= this.#text_chars_max) return whole.written;
    const { written, end } = this.#pieces(text, findings, this.#text_chars_max - CUT_MARK_CHARS);
    const cut = text.slice(end);
    return `${written}[cut:${cut.length}:${this.#hash(cut, CUT_HEX)}]`;
  }

  #pieces(
    text: string,
    findings: readonly Finding[],
    room: number,
  ): { readonly written: string; readonly end: number } {
    let written = "";
    let end = 0;
    for (const finding of findings) {
      const plain = text.slice(end, finding.start);
      const mark = this.mark(text.slice(finding.start, finding.end), finding.kind);
      if (written.length + plain.length + mark.length > room) break;
      written += plain + mark;
      end = finding.end;
    }
    const stop = findings.find((finding) => finding.start >= end)?.start ?? text.length;
    // What lies beyond the bound of a long text was scanned only to see secrets whole: it is not kept.
    const bound = room === Infinity ? text.length : Math.max(end, this.#text_chars_max);
    const last = cutPlace(text, end, Math.min(stop, bound, end + room - written.length));
    return { written: written + text.slice(end, last), end: last };
  }

  #hash(text: string, digits: number): string {
    return new Bun.CryptoHasher("sha256", this.#key).update(text).digest("hex").slice(0, digits);
  }
}

/** A place at or before `to` that does not part a surrogate pair or a mark. */
function cutPlace(text: string, from: number, to: number): number {
  if (to >= text.length) return text.length;
  const open = text.lastIndexOf("[", to - 1);
  if (open >= from && endOfMark(text, open) > to) return open;
  const code = text.charCodeAt(to - 1);
  return to > from && code >= 0xd800 && code <= 0xdbff ? to - 1 : to;
}
