/** Bytes to text and back, bounded. */

const decoder = new TextDecoder();

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
