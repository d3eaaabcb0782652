/** How the recorder waits. */

/** One-shot timers; `lib/task` has the runtime's, tests have ones that they move by hand. */
export interface Timers {
  /** Calls `callback` once after `delay_ms` milliseconds; disposing the result before that cancels the call. */
  after(delay_ms: number, callback: () => void): Disposable;
}

/** When the next attempt is: not at all, once what was only seen has waited, within the time of a decision, at once. */
export type Hurry = "none" | "seen" | "urgent" | "now";

/**
 * Calls `callback` once the work that is already due has run: no timer is as early. Disposing the result cancels the
 * call.
 */
export function soon(callback: () => void): Disposable {
  const immediate = setImmediate(callback);
  return { [Symbol.dispose]: () => clearImmediate(immediate) };
}
