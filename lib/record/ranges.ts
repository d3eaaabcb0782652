/** Runs of entry numbers. */

/** First and last number. */
export type SeqRange = readonly [number, number];

/** Collects ascending numbers into runs. */
export class RangeBuilder {
  readonly ranges: [number, number][] = [];
  /** Numbers added so far. */
  count = 0;

  /** Adds one, greater than all before; `bridge` says that the numbers since the last one belong to its run, too. */
  add(seq: number, bridge: boolean = false): void {
    const last = this.ranges.at(-1);
    if (last !== undefined && (bridge || last[1] === seq - 1)) last[1] = seq;
    else this.ranges.push([seq, seq]);
    this.count++;
  }
}

/** The runs that a value of unknown origin holds: ascending, apart, of whole numbers from 1; else `undefined`. */
export function readRanges(value: unknown): readonly SeqRange[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const ranges: SeqRange[] = [];
  let before = 0;
  for (const range of value) {
    if (!Array.isArray(range) || range.length !== 2) return undefined;
    const [first, last]: readonly unknown[] = range;
    if (!Number.isSafeInteger(first) || !Number.isSafeInteger(last)) return undefined;
    if (typeof first !== "number" || typeof last !== "number" || first <= before || last < first) return undefined;
    ranges.push([first, last]);
    before = last;
  }
  return ranges;
}

/** Sorted and joined where they touch or overlap. */
export function joinRanges(ranges: readonly SeqRange[]): readonly SeqRange[] {
  const joined: [number, number][] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const before = joined.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else joined.push([first, last]);
  }
  return joined;
}

/** The first number of `ranges` (joined) that none of `cover` (joined) has; `undefined` if all are covered. */
export function firstUncovered(ranges: readonly SeqRange[], cover: readonly SeqRange[]): number | undefined {
  let at = 0;
  for (const [first, last] of ranges) {
    for (; at < cover.length && (cover[at]?.[1] ?? 0) < first; at++);
    const over = cover[at];
    if (over === undefined || over[0] > first) return first;
    if (over[1] < last) return over[1] + 1;
  }
  return undefined;
}

/** How many numbers of `ranges` (joined) are not in `cover` (joined). */
export function countWithout(ranges: readonly SeqRange[], cover: readonly SeqRange[]): number {
  let count = 0;
  let at = 0;
  for (const [first, last] of ranges) {
    count += last - first + 1;
    while (at < cover.length && (cover[at]?.[1] ?? 0) < first) at++;
    for (let over = at; over < cover.length && (cover[over]?.[0] ?? 0) <= last; over++) {
      const [from, to] = cover[over] ?? [0, 0];
      count -= Math.min(last, to) - Math.max(first, from) + 1;
    }
  }
  return count;
}
