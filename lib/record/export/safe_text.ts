/** Text that no terminal, viewer or parser of lines acts on. */

/**
 * Characters that a terminal acts on, or that are invisible or change what is seen around them: controls, format
 * characters (directions, zero widths, tags), separators of lines, lone surrogates, private use, what is ignored by
 * default.
 */
const ACTIVE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}]/gu;

/** One JSON text on one line whose active characters are escaped; every parser reads the same value. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(ACTIVE, escapeUnits);
}

/** Active characters as `\uXXXX`, one for each UTF-16 code unit; the backslash is doubled where `doubled` says so. */
export function escapeActive(text: string, doubled: boolean): string {
  return text.replace(ACTIVE, (char) => doubled ? escapeUnits(char).replaceAll("\\", "\\\\") : escapeUnits(char));
}

function escapeUnits(char: string): string {
  let escaped = "";
  for (let at = 0; at < char.length; at++) escaped += `\\u${char.charCodeAt(at).toString(16).padStart(4, "0")}`;
  return escaped;
}
