/** An `AbortSignal` that counts who listens, and promises that tell how they stand. */
import { AgentguardError, type ErrorCode } from "../../../lib/core/mod.ts";
import { settle } from "./fake_timers.ts";

/** A controller whose signal's listeners can be counted. */
export class WatchedController {
  readonly #controller = new AbortController();
  readonly #listeners = new Set<unknown>();
  #added = 0;

  constructor() {
    const signal = this.#controller.signal;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      this.#added++;
      this.#listeners.add(args[1]);
      add(...args);
    };
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      this.#listeners.delete(args[1]);
      remove(...args);
    };
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Listeners that were added and not removed. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Listeners that were ever added, so that a test knows that it counts something. */
  get added(): number {
    return this.#added;
  }

  abort(reason?: unknown): void {
    this.#controller.abort(reason);
  }
}

/** How a promise stands after everything that is due has run. */
export async function stateOf(promise: Promise<unknown>): Promise<"pending" | "resolved" | "rejected"> {
  let state: "pending" | "resolved" | "rejected" = "pending";
  promise.then(() => state = "resolved", () => state = "rejected");
  await settle();
  return state;
}

/** What the promise, or the call, throws; a failing test if it does not. */
export async function failureOf(work: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof work === "function" ? work() : work);
  } catch (error) {
    return error;
  }
  throw new Error("expected a failure, there was none");
}

/** The code of the `AgentguardError` that it throws; a failing test if it throws nothing or something else. */
export async function codeOf(work: Promise<unknown> | (() => unknown)): Promise<ErrorCode> {
  const error = await failureOf(work);
  if (error instanceof AgentguardError) return error.code;
  throw new Error("expected an AgentguardError", { cause: error });
}
