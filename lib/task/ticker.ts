/** Work at an interval. */
import { AgentguardError } from "../core/mod.ts";
import { isCancellation } from "./abort.ts";
import { sleep, type SleepOptions } from "./sleep.ts";
import { systemTimers } from "./timers.ts";

/** How a ticker runs and ends. */
export interface TickerOptions extends SleepOptions {
  /** Ends the ticker. */
  readonly signal: AbortSignal;
}

/**
 * Does the work every `interval_ms` (above 0, milliseconds), first after one interval, never two at a time: ticks that
 * fall into a running work are left out, and later ones keep the rhythm of the first. Resolves when the signal aborts
 * and no work runs; throws what the work throws. Made for `scope.spawn(name, (signal) => runTicker(...))`.
 */
export async function runTicker(
  interval_ms: number,
  work: (signal: AbortSignal) => void | Promise<void>,
  options: TickerOptions,
): Promise<void> {
  if (!(interval_ms > 0)) {
    throw new AgentguardError("config", `set the interval of a ticker above 0 milliseconds: got ${interval_ms}`);
  }
  const { signal, timers = systemTimers } = options;
  let due_ms = timers.nowMs();
  while (!signal.aborted) {
    // Never below 0: a timer that fires a little early must not give a second tick.
    const behind = Math.max(0, Math.floor((timers.nowMs() - due_ms) / interval_ms));
    due_ms += (behind + 1) * interval_ms;
    try {
      await sleep(due_ms - timers.nowMs(), signal, options);
      await work(signal);
    } catch (error) {
      if (!isCancellation(error, signal)) throw error;
    }
  }
}
