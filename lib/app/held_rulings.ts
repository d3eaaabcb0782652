/** Rulings about held calls whose records have not come yet. Bounded: the one that waits longest goes first. */
import type { DecisionId, Ruling } from "../core/mod.ts";

/** Rulings that wait: calls that failed in the kernel leave theirs behind. */
const RULINGS_MAX = 8_192;

/** Rulings by decision. */
export class HeldRulings {
  readonly #rulings: Map<DecisionId, Ruling> = new Map();

  /** Remembers what was ruled. */
  put(id: DecisionId, ruling: Ruling): void {
    if (this.#rulings.size >= RULINGS_MAX) {
      const oldest = this.#rulings.keys().next();
      if (!oldest.done) this.#rulings.delete(oldest.value);
    }
    this.#rulings.set(id, ruling);
  }

  /** What was ruled; once. */
  take(id: DecisionId): Ruling | undefined {
    const ruling = this.#rulings.get(id);
    this.#rulings.delete(id);
    return ruling;
  }
}
