/** What a recorder is told and what it tells, wherever it runs. */
import type { Log } from "../core/mod.ts";
import type { CommitterOptions } from "./committer.ts";
import type { OpenOptions } from "./open.ts";
import type { Timers } from "./timers.ts";

/** What a writer needs to know. */
export interface RecordWriterOptions extends OpenOptions, CommitterOptions {
  readonly log: Log;
  readonly timers: Timers;
  /** Told when writing begins to fail, each time the reason changes, and when it works again. Must not throw. */
  readonly onState?: (state: RecorderState) => void;
  /**
   * Asked before each commit: why nothing may be committed now, or `undefined`. The writer is stalled meanwhile, and
   * asks again as it tries a failed commit again. Not asked by `close`.
   */
  readonly brake?: () => string | undefined;
  /** Drafts that may wait; four times `LIMITS.recorder_queue_soft` by default. */
  readonly queue_max?: number;
  /** Entries in one commit; `LIMITS.commit_entries_max` by default. */
  readonly commit_entries_max?: number;
}

/** Whether entries become durable. */
export type RecorderState = { readonly status: "writing" } | { readonly status: "stalled"; readonly reason: string };

/** A committed entry: its number and its canonical JSON. */
export interface CommittedEntry {
  readonly seq: number;
  readonly line: string;
}

/** Takes each batch once it is durable, in order. */
export type CommitListener = (entries: readonly CommittedEntry[]) => void;

/** Figures of one writer since its start. */
export interface RecorderStats {
  readonly appended: number;
  readonly committed: number;
  readonly commits: number;
  /** Duration of the last commit, milliseconds. */
  readonly last_commit_ms: number;
  readonly stalled: boolean;
  /** Drafts that a full queue pushed out; each is counted in a `gap` entry. */
  readonly dropped: number;
}
