/** On which terms one thread takes held calls. */
import type { PlaceEntry } from "./needed_table.ts";

/** Whose calls come from a listener. */
export interface HeldListener {
  /** `wait` may answer some of them by itself. */
  readonly serves: boolean;
  /** Where the call that was received last is noted, at its beginning. */
  readonly noted: Uint8Array | undefined;
  /** Where its command may change files; `undefined`: everywhere. */
  readonly places: readonly PlaceEntry[] | undefined;
}

/** What is needed. */
export interface HeldCallsParts {
  /** 16 bytes, that of the loaded probes. */
  readonly key: Uint8Array;
  /** Two numbers that count what is held and answered by `wait`. */
  readonly stats: Float64Array;
  /** The map for what `wait` lets start; `by_process`: it is looked up by the caller's process, not its thread. */
  readonly grants: { readonly grants_fd: number; readonly by_process: boolean };
  /** A program of the probes that looks at callers, where there is one; it must stay loaded. */
  readonly looker: { readonly program_fd: number; readonly map_fd: number } | undefined;
}

/** How to wait. */
export interface HeldWaitTerms {
  readonly count: number;
  readonly timeout_ms: number;
  /** Calls to answer before it ends; none are where it is 0. */
  readonly calls: number;
}
