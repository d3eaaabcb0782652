/** Listening to an `AbortSignal` without leaving anything behind on it. */
import { AgentguardError } from "../core/mod.ts";

const NOTHING: Disposable = { [Symbol.dispose]: () => undefined };

/**
 * Calls back once when the signal aborts, at once if it has. Disposing the result removes the listener; whoever
 * finishes first must do so, or a long-lived signal collects listeners. Without a signal nothing happens.
 */
export function onAbort(signal: AbortSignal | undefined, callback: () => void): Disposable {
  if (signal === undefined) return NOTHING;
  if (signal.aborted) {
    callback();
    return NOTHING;
  }
  signal.addEventListener("abort", callback, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener("abort", callback) };
}

/** The error of an operation that its signal stopped: code `cancelled`, the signal's reason as cause. */
export function cancelledError(action: string, signal: AbortSignal | undefined): AgentguardError {
  return new AgentguardError("cancelled", `${action}: cancelled by its caller`, { cause: signal?.reason });
}

/** Throws `cancelledError` if the signal has aborted. */
export function throwIfCancelled(action: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw cancelledError(action, signal);
}

/** True if the error says that work stopped because it was told to, and not that it failed. */
export function isCancellation(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  if (error === signal.reason) return true;
  if (error instanceof AgentguardError) return error.code === "cancelled";
  return error instanceof Error && error.name === "AbortError";
}
