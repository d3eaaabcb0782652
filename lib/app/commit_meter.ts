/** How long commits take. */

/** Commits remembered. */
const COMMITS = 1_024;

/** Quantiles over the last commits, milliseconds; zeros before the first. */
export interface CommitTimes {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** Remembers the last 1,024 durations. */
export class CommitMeter {
  readonly #times_ms: Float64Array = new Float64Array(COMMITS);
  #count = 0;

  /** One commit took so long, milliseconds. */
  add(time_ms: number): void {
    this.#times_ms[this.#count++ % COMMITS] = time_ms;
  }

  /** The quantiles now. */
  times(): CommitTimes {
    const sorted = this.#times_ms.slice(0, Math.min(this.#count, COMMITS)).sort();
    const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
    return { p50: at(0.5), p99: at(0.99), max: at(1) };
  }
}
