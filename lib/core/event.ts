/** An action on its road through the stages. */
import type { Action } from "./action.ts";
import type { KernelVerdict } from "./decision.ts";
import type { Gap } from "./entry.ts";
import type { ProcessInfo, SessionInfo } from "./process.ts";
import type { WallUs } from "./time.ts";

/** A file by device (the kernel's `s_dev`) and inode. */
export interface FileRef {
  readonly dev: number;
  readonly ino: number;
}

/** What enriching one record gives. */
export type Enriched =
  | { readonly kind: "event"; readonly event: Event }
  /** Bytes through an open file, to be joined to its open. */
  | {
    readonly kind: "bytes";
    readonly time_us: WallUs;
    readonly session?: SessionInfo;
    readonly shown: ProcessInfo;
    readonly file: FileRef;
    readonly read_bytes: number;
    readonly written_bytes: number;
  }
  /** A loss, located. */
  | {
    readonly kind: "gap";
    readonly time_us: WallUs;
    readonly session?: SessionInfo;
    readonly shown?: ProcessInfo;
    readonly gap: Gap;
  };

/** A decoded action with everything that a rule may ask about it. */
export interface Event {
  readonly time_us: WallUs;
  readonly session?: SessionInfo;
  readonly process?: ProcessInfo;
  readonly action: Action;
  /** The process without argv and cwd, for entries that repeat it. */
  readonly shown?: ProcessInfo;
  /** Identity of the opened file, to join its bytes to this event. */
  readonly file?: FileRef;
  /** Present when the kernel's copy of the policy has decided (and acted) already. */
  readonly kernel?: KernelVerdict;
}
