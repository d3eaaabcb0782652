/** Who is given each committed batch. */
import { errorMessage, type Log } from "../core/mod.ts";
import type { CommitListener } from "./recorder.ts";
import type { SealedBatch } from "./sealed_batch.ts";

/** Listeners, called in the order in which they came. */
export class CommitListeners {
  readonly #log: Log;
  readonly #listeners: Set<CommitListener> = new Set();

  constructor(log: Log) {
    this.#log = log;
  }

  /** Adds one; gives the way to take it away. */
  add(listener: CommitListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Calls all; true if there was one, which may have kept entries of the batch. One that fails is a defect of that
   * listener, not a reason to stop recording: it is logged.
   */
  publish(batch: SealedBatch): boolean {
    if (this.#listeners.size === 0) return false;
    const entries = batch.entries();
    for (const listener of this.#listeners) {
      try {
        listener(entries);
      } catch (thrown) {
        this.#log.error("commit listener failed", { error: errorMessage(thrown) });
      }
    }
    return true;
  }

  /** Takes all away. */
  clear(): void {
    this.#listeners.clear();
  }
}
