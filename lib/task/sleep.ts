/** Waiting for time to pass. */
import { cancelledError, onAbort, throwIfCancelled } from "./abort.ts";
import { durationBound } from "./bound.ts";
import { systemTimers, type TimerOptions, type Timers } from "./timers.ts";

/** How a sleep waits. */
export interface SleepOptions extends TimerOptions {
  /** Default `systemTimers`. */
  readonly timers?: Timers;
}

/** Resolves after `duration_ms` (0 or more, milliseconds). Throws `cancelled` as soon as the signal aborts. */
export async function sleep(duration_ms: number, signal?: AbortSignal, options: SleepOptions = {}): Promise<void> {
  durationBound("duration of a sleep", duration_ms);
  throwIfCancelled("sleep", signal);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  using _timer = (options.timers ?? systemTimers).after(duration_ms, resolve, options);
  using _listener = onAbort(signal, () => reject(cancelledError("sleep", signal)));
  await promise;
}
