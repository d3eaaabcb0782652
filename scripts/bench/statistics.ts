/** What becomes of samples: medians, percentiles, interleaved orders and confidence intervals. Pure. */

/** The value below which `share` (0 to 1) of the samples lie, by nearest rank; NaN without samples. */
export function quantile(samples: readonly number[], share: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const index = Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * share) - 1));
  return sorted[index] ?? Number.NaN;
}

/** The middle sample; of an even number, the mean of the middle two; NaN without samples. */
export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const upper = sorted[half] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] ?? Number.NaN) + upper) / 2;
}

/** The arithmetic mean; NaN without samples. */
export function mean(samples: readonly number[]): number {
  return samples.reduce((sum, value) => sum + value, 0) / samples.length;
}

/**
 * The order in which conditions run: forwards, backwards, forwards, ... so that each follows and precedes each of the
 * others equally often and a drift of the machine favours none (ABBA for two). One inner list is one pass.
 */
export function passes<Condition>(conditions: readonly Condition[], rounds: number): readonly (readonly Condition[])[] {
  const backwards = [...conditions].reverse();
  return Array.from({ length: rounds * 2 }, (_, pass) => pass % 2 === 0 ? conditions : backwards);
}

/** A mean with the bounds between which the true one lies in 95 of 100 experiments. */
export interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/**
 * The ratio of pairs (`value` to `base`, measured next to each other) with its 95 % confidence interval: Student's t on
 * the logarithms, so that a ratio and its inverse are treated alike. NaN bounds for fewer than two pairs.
 */
export function ratioInterval(pairs: readonly { readonly base: number; readonly value: number }[]): Interval {
  const logs = pairs.map(({ base, value }) => Math.log(value / base));
  const centre = mean(logs);
  const degrees = logs.length - 1;
  const variance = logs.reduce((sum, log) => sum + (log - centre) ** 2, 0) / degrees;
  const half = studentT975(degrees) * Math.sqrt(variance / logs.length);
  return { mean: Math.exp(centre), low: Math.exp(centre - half), high: Math.exp(centre + half) };
}

/**
 * The 97.5 % point of Student's t, by the expansion of Abramowitz and Stegun 26.7.5: within 0.2 % from 5 degrees of
 * freedom on. NaN below 1.
 */
export function studentT975(degrees: number): number {
  if (degrees < 1) return Number.NaN;
  const z = 1.959964;
  const first = (z ** 3 + z) / 4;
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384;
  return z + first / degrees + second / degrees ** 2 + third / degrees ** 3;
}
