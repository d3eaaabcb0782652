/** Trying again, later and later, not for ever. */
import { throwIfCancelled } from "./abort.ts";
import { durationBound, integerBound } from "./bound.ts";
import { sleep, type SleepOptions } from "./sleep.ts";

/** A source of numbers in [0, 1), for jitter. Tests inject a seeded one. */
export type Random = () => number;

/** How delays grow. */
export interface BackoffOptions {
  /** Delay after the first failure, milliseconds, jitter aside. */
  readonly base_ms: number;
  /** Longest delay, milliseconds. */
  readonly delay_ms_max: number;
  /** Default `Math.random`. */
  readonly random?: Random;
}

/** How to try again. */
export interface RetryOptions extends BackoffOptions, SleepOptions {
  /** Tries in all, 1 or more. */
  readonly attempts_max: number;
  /** False for a failure that trying again cannot cure. Default: every failure is worth it. */
  readonly retryable?: (error: unknown) => boolean;
  /** Stops between tries, and is handed to the work. */
  readonly signal: AbortSignal;
}

/** 2^30 times any base is beyond every sensible bound; more doublings only overflow. */
const DOUBLINGS_MAX = 30;

/**
 * The delay after failure number `failures` (1 or more), milliseconds: the base doubled each time up to the maximum,
 * of which a random half is left out so that many waiters do not return together.
 */
export function backoffMs(failures: number, options: BackoffOptions): number {
  const random = options.random ?? Math.random;
  const doubled_ms = options.base_ms * 2 ** Math.min(failures - 1, DOUBLINGS_MAX);
  return Math.min(doubled_ms, options.delay_ms_max) * (0.5 + random() / 2);
}

/**
 * Calls `work` until it succeeds, `attempts_max` times at most, with `backoffMs` between. `work` gets the number of the
 * try, from 1. Throws the last failure as it is; throws `cancelled` when the signal aborts between tries, and `config`.
 */
export async function retry<T>(
  work: (attempt: number, signal: AbortSignal) => T | Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const { signal, retryable = () => true } = options;
  integerBound("attempts of a retry", options.attempts_max, { min: 1, max: Number.MAX_SAFE_INTEGER });
  durationBound("base delay of a retry", options.base_ms);
  durationBound("longest delay of a retry", options.delay_ms_max);
  for (let attempt = 1;; attempt++) {
    throwIfCancelled("retry", signal);
    try {
      return await work(attempt, signal);
    } catch (error) {
      if (attempt >= options.attempts_max || signal.aborted || !retryable(error)) throw error;
    }
    await sleep(backoffMs(attempt, options), signal, options);
  }
}
