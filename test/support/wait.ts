/** Waiting for conditions. */

/** Shortest pause between two looks at a condition, milliseconds. */
const POLL_MS = 10;

/** How a wait ends. */
export interface WaitOptions {
  /** Longest wait, milliseconds; default 45,000. */
  readonly deadline_ms?: number;
  /** Adds to the error what is known when the wait failed. */
  readonly detail?: () => string | Promise<string>;
}

/**
 * Returns the first value of `look` that is not undefined.
 * Throws an error that names `what` when the deadline has passed.
 */
export async function waitFor<T>(
  what: string,
  look: () => T | undefined | Promise<T | undefined>,
  options: WaitOptions = {},
): Promise<T> {
  const deadline_ms = options.deadline_ms ?? 45_000;
  const end = performance.now() + deadline_ms;
  while (true) {
    const from = performance.now();
    const value = await look();
    if (value !== undefined) return value;
    if (performance.now() > end) {
      const detail = await options.detail?.();
      throw new Error(`wait for ${what}: not so after ${deadline_ms} ms${detail === undefined ? "" : `: ${detail}`}`);
    }
    // Who looks by starting a program leaves half of the time to what it waits for.
    await Bun.sleep(Math.max(POLL_MS, performance.now() - from));
  }
}

/** Waits until `look` says true; see {@link waitFor}. */
export async function waitUntil(
  what: string,
  look: () => boolean | Promise<boolean>,
  options: WaitOptions = {},
): Promise<void> {
  await waitFor(what, async () => (await look()) ? true : undefined, options);
}
