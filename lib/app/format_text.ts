/**
 * Text for terminals. Paths, arguments and names come from programs that may be hostile: nothing of theirs may move the
 * cursor, change colours or the direction of writing, or end a line.
 */

/**
 * Characters that a terminal acts on, or that are invisible or change what is seen around them: control characters (C0,
 * DEL, C1), Unicode's format characters (bidirectional embeddings, overrides, isolates and marks, zero-width
 * characters, tags), line and paragraph separators, surrogates without a partner, private use, and all that is ignored
 * by default (variation selectors, fillers). Source: Unicode Standard Annex 44, sections 5.7.1 and 5.1.
 */
const ACTIVE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}]/u;

const NAMED: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/**
 * Escapes what a terminal would act on, and cuts to `chars_max` characters (the cut is shown as `...`). Can be undone.
 */
export function escapeText(text: string, chars_max: number = Number.POSITIVE_INFINITY): string {
  return escapeWith(text, chars_max, { also: ["\\"] });
}

/**
 * The same for a message of ours that quotes foreign text: backslashes stay, as the message may hold escapes already.
 */
export function escapeMessage(text: string): string {
  return escapeWith(text, Number.POSITIVE_INFINITY, { also: [] });
}

/** Escapes, with a backslash before each character of `also`. */
function escapeWith(text: string, chars_max: number, how: { readonly also: readonly string[] }): string {
  const special = how.also.some((character) => text.includes(character));
  if (!special && text.length <= chars_max && !ACTIVE.test(text)) return text;
  let shown = "";
  for (const character of text) {
    let piece = ACTIVE.test(character) ? escapeCharacter(character) : character;
    if (how.also.includes(character)) piece = `\\${character}`;
    if (shown.length + piece.length > chars_max) return `${cutTo(shown, chars_max - 3)}...`;
    shown += piece;
  }
  return shown;
}

function escapeCharacter(character: string): string {
  const named = NAMED[character];
  if (named !== undefined) return named;
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

/** Cuts between code points. */
function cutTo(text: string, chars_max: number): string {
  const cut = text.slice(0, Math.max(0, chars_max));
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}

/** Characters that a POSIX shell takes literally. */
const PLAIN_WORD = /^[A-Za-z0-9_@%+=:,./~^-]+$/;

/**
 * One argument as a reader can tell it from its neighbours: quoted where it holds spaces or other special characters.
 */
export function formatWord(word: string, chars_max: number = Number.POSITIVE_INFINITY): string {
  if (PLAIN_WORD.test(word)) return escapeText(word, chars_max);
  return `'${escapeWith(word, chars_max - 2, { also: ["\\", "'"] })}'`;
}

/** A command line of at most `chars_max` characters; what does not fit is counted: `(+3 more)`. */
export function formatArgv(argv: readonly string[], chars_max: number): string {
  let shown = "";
  for (const [index, word] of argv.entries()) {
    const room = chars_max - shown.length - (index === 0 ? 0 : 1);
    const piece = formatWord(word, Math.max(room, 8));
    if (index > 0 && piece.length > room) return `${shown} (+${argv.length - index} more)`;
    shown += index === 0 ? piece : ` ${piece}`;
    if (room < 8 && index + 1 < argv.length) return `${shown} (+${argv.length - index - 1} more)`;
  }
  return shown;
}

/** A duration in at most two units: `3d 4h`, `12m 5s`, `0.250s`. */
export function formatDuration(duration_ms: number): string {
  if (duration_ms < 1_000) return `${(duration_ms / 1_000).toFixed(3)}s`;
  const seconds = Math.floor(duration_ms / 1_000);
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts.slice(first, first + 2).map(([count, unit]) => `${count}${unit}`).join(" ");
}

/** Colours that human output uses. */
export type Colour = "red" | "green" | "yellow" | "dim" | "bold";

/** Puts text in a colour, or leaves it as it is. */
export type Paint = (colour: Colour, text: string) => string;

/** Select Graphic Rendition codes (ECMA-48 section 8.3.117): on and off. */
const SGR: Readonly<Record<Colour, readonly [number, number]>> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  dim: [2, 22],
  bold: [1, 22],
};

/** Colours only on a terminal and only while NO_COLOR (no-color.org) is unset or empty. */
export function painter(
  io: { readonly isTty: boolean; readonly env: Readonly<Record<string, string | undefined>> },
): Paint {
  const on = io.isTty && (io.env["NO_COLOR"] ?? "") === "" && io.env["TERM"] !== "dumb";
  if (!on) return (_colour, text) => text;
  return (colour, text) => `\x1b[${SGR[colour][0]}m${text}\x1b[${SGR[colour][1]}m`;
}

/** Lines of a table: columns padded to their widest cell, two spaces between, no spaces at the end. */
export function formatTable(rows: readonly (readonly string[])[]): readonly string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ").trimEnd());
}
