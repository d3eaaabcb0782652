/** Network addresses as text. */
import type { Frame } from "./frame.ts";

/** Dotted quad of the 4 bytes at `offset`. */
export function ipv4Text(frame: Frame, offset: number): string {
  return `${frame.u8(offset)}.${frame.u8(offset + 1)}.${frame.u8(offset + 2)}.${frame.u8(offset + 3)}`;
}

/** RFC 5952 text of the 16 bytes at `offset`: lower case, the longest run of two or more zero groups as `::`. */
export function ipv6Text(frame: Frame, offset: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 8; i++) groups.push((frame.u8(offset + 2 * i) << 8) | frame.u8(offset + 2 * i + 1));
  const run = longestZeroRun(groups);
  const text = (part: readonly number[]): string => part.map((group) => group.toString(16)).join(":");
  if (run.length < 2) return text(groups);
  return `${text(groups.slice(0, run.from))}::${text(groups.slice(run.from + run.length))}`;
}

function longestZeroRun(groups: readonly number[]): { from: number; length: number } {
  let best = { from: 0, length: 0 };
  let from = 0;
  for (let i = 0; i <= groups.length; i++) {
    if (groups[i] === 0) continue;
    if (i - from > best.length) best = { from, length: i - from };
    from = i + 1;
  }
  return best;
}
