/** How a JSON-lines sink works and what it says of itself. */
import type { Clock, Gap, Log } from "../core/mod.ts";
import type { FileCalls } from "./jsonl_calls.ts";
import type { RotationOptions } from "./jsonl_output.ts";
import type { CommittedEntry } from "./recorder.ts";
import type { Timers } from "./timers.ts";

/**
 * What happens to an entry that finds no room: `block` lets the caller wait, `drop` leaves it out, counts it and puts a
 * line of kind `gap` in its place, `fallback` gives it to the second sink.
 */
export type JsonLinesStrategy = "block" | "drop" | "fallback";

/** When lines are made durable: never, after each group, or at most so long after they were written. */
export type SyncPolicy = "never" | "batch" | { readonly interval_ms: number };

/** Takes committed entries in order. The caller waits for the promise before he gives more. */
export interface LineConsumer {
  accept(entries: readonly CommittedEntry[]): Promise<void>;
}

/** How a sink works. */
export interface JsonLinesOptions extends RotationOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly timers: Timers;
  /** For everything but observations; `block` by default. */
  readonly decisions?: JsonLinesStrategy;
  /** For observations; `drop` by default. */
  readonly observations?: JsonLinesStrategy;
  /** The second sink, for `fallback`. It should not have a fallback itself. */
  readonly fallback?: LineConsumer;
  /** Lines that may wait; 65,536 by default. */
  readonly queue_lines_max?: number;
  /** Characters that may wait; 67,108,864 by default. */
  readonly queue_chars_max?: number;
  /** `never` by default: the record itself is durable. */
  readonly sync?: SyncPolicy;
  /** Told of each loss, once what it left out is known; for an entry in the record. Must not throw. */
  readonly onLoss?: (gap: Gap) => void;
  /** The calls on files; for tests. */
  readonly calls?: FileCalls;
}

/** Figures of one sink since it was opened. */
export interface JsonLinesMetrics {
  readonly queued: number;
  readonly written: number;
  readonly dropped: number;
  readonly bytes: number;
  /** Entries given to the second sink. */
  readonly diverted: number;
  /** Calls that failed. */
  readonly errors: number;
  readonly rotations: number;
}
