/** What can be asked of the keeper of a record, and what it answers. */
import type { HoldTerms } from "../core/mod.ts";

/** How long entries are kept; `undefined` does not limit. */
export interface KeepSettings {
  /** Age, milliseconds. */
  readonly keep_ms: number | undefined;
  /** Bytes of the database that are in use. */
  readonly max_bytes: number | undefined;
  /** Ended sessions that newer ones are not counted against. */
  readonly keep_sessions: number | undefined;
}

/** What is to go, or to stay. */
export type KeepRequest =
  /** What the settings say; without any that limits, nothing goes. */
  | ({ readonly op: "prune"; readonly dry_run: boolean } & KeepSettings)
  /** The data of one subject; `principal` or `session_id` is given. */
  | {
    readonly op: "erase";
    readonly terms: Omit<HoldTerms, "name">;
    readonly reason: string | undefined;
    readonly dry_run: boolean;
  }
  | { readonly op: "hold.add"; readonly terms: HoldTerms; readonly reason: string | undefined }
  | { readonly op: "hold.release"; readonly name: string; readonly reason: string | undefined };

/** What was done. */
export interface KeepReport {
  /** Entries whose text is gone, or would be. */
  readonly entries: number;
  /** Of their texts. */
  readonly bytes: number;
  /** Entries that stay because of a hold. */
  readonly held_back: number;
  /** The record's entries that say so. */
  readonly statements: readonly number[];
  /** True if traces may be left in the file or the log beside it: somebody read them meanwhile. */
  readonly traces: boolean;
}

/** Nothing done. */
export const NOTHING_KEPT: KeepReport = { entries: 0, bytes: 0, held_back: 0, statements: [], traces: false };
