/** Classes of characters, as bits, for scanners that look at each character a bounded number of times. */

/** `a` to `z`. */
export const LOWER = 1;
/** `A` to `Z`. */
export const UPPER = 2;
/** `0` to `9`. */
export const DIGIT = 4;
/** `-` and `_`. */
export const JOINER = 8;
/** `+`: with the others the alphabets of base64 and base64url, without `/`. */
export const PLUS = 16;
/** Space, tab, line ends. */
export const SPACE = 32;
/** Quotes. */
export const QUOTE = 64;
/** What ends an unquoted value, besides spaces and quotes. */
export const STOP = 128;

export const LETTER: number = LOWER | UPPER;
export const ALNUM: number = LETTER | DIGIT;
/** What a word is made of. */
export const WORD: number = ALNUM | JOINER | PLUS;

const CLASSES: Readonly<Uint8Array> = classes();

function classes(): Uint8Array {
  const table = new Uint8Array(128);
  const mark = (chars: string, bits: number): void => {
    for (const char of chars) table[char.charCodeAt(0)] = (table[char.charCodeAt(0)] ?? 0) | bits;
  };
  mark("abcdefghijklmnopqrstuvwxyz", LOWER);
  mark("ABCDEFGHIJKLMNOPQRSTUVWXYZ", UPPER);
  mark("0123456789", DIGIT);
  mark("-_", JOINER);
  mark("+", PLUS);
  mark(" \t\n\r\v\f", SPACE);
  mark("\"'`", QUOTE);
  mark(",;&|)]}>\\", STOP);
  return table;
}

/** The bits of a UTF-16 code unit; 0 outside ASCII and for what has no class. */
export function classOf(code: number): number {
  return code < 128 ? CLASSES[code] ?? 0 : 0;
}

/** The bits of the character at `index`; 0 outside the text. */
export function classAt(text: string, index: number): number {
  // Outside the text charCodeAt gives NaN, which no comparison takes.
  return classOf(text.charCodeAt(index));
}
