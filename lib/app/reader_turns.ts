/** One turn of the reader's loop: what is done every time, and what only now and then. */
import type { Clock } from "../core/mod.ts";
import type { KernelStages } from "./kernel_stages.ts";
import { Pace } from "./pace.ts";
import { lowerHelpers } from "./runtime_threads.ts";

/** Between two looks at the loss counters, and between two publications of the figures, microseconds. */
const LOOK_EVERY_US = 1_000_000;
const PUBLISH_EVERY_US = 100_000;

/** What a turn works with. */
export interface ReaderTurnsParts {
  readonly clock: Clock;
  /** Writes the figures to where main reads them. */
  readonly publish: () => void;
  /** Tells main what was counted for each session. */
  readonly report: () => void;
}

/** The turns of one loop. */
export class ReaderTurns {
  readonly #parts: ReaderTurnsParts;
  readonly #looking = new Pace(LOOK_EVERY_US);
  readonly #publishing = new Pace(PUBLISH_EVERY_US);

  constructor(parts: ReaderTurnsParts) {
    this.#parts = parts;
  }

  /** Waits for records, blocking the thread, and takes them through all stages. */
  turn(stages: KernelStages): void {
    stages.reader.wait();
    const drained = stages.drain();
    const now_us = this.#parts.clock.monotonicUs();
    // Without records the next turn may be long in coming.
    if (drained === 0 || this.#publishing.due(now_us)) this.#parts.publish();
    if (!this.#looking.due(now_us)) return;
    if (drained > 0) lowerHelpers(stages.system);
    stages.countLosses();
    this.#parts.report();
  }
}
