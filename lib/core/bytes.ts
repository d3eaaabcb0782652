/** Bytes to text and back, bounded. */

// A byte order mark is a character of a name like any other.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** UTF-8 text of `bytes[from, to)`; invalid sequences become U+FFFD. */
export function utf8(bytes: Uint8Array, from: number, to: number): string {
  return decoder.decode(bytes.subarray(from, to));
}

/** Offset of the first NUL in `[from, to)`, or `to`. */
export function nulOffset(bytes: Uint8Array, from: number, to: number): number {
  const at = bytes.subarray(from, to).indexOf(0);
  return at < 0 ? to : from + at;
}

/** Lower-case hex. */
export function hex(bytes: Uint8Array): string {
  return bytes.toHex();
}

/** NUL-terminated texts one after the other, as argv lies in memory; the last one may lack its NUL where it was cut. */
export function splitTexts(blob: Uint8Array): string[] {
  if (blob.length === 0) return [];
  const parts = decoder.decode(blob).split("\0");
  if (blob.at(-1) === 0) parts.pop();
  return parts;
}
