/** An action on its road through the stages. */
import type { Action } from "./action.ts";
import type { KernelVerdict } from "./decision.ts";
import type { Gap } from "./entry.ts";
import type { DecisionId } from "./ids.ts";
import type { HostSource } from "./net_action.ts";
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
    readonly session?: SessionInfo | undefined;
    readonly shown: ProcessInfo;
    readonly file: FileRef;
    readonly read_bytes: number;
    readonly written_bytes: number;
  }
  /** A loss, located. */
  | {
    readonly kind: "gap";
    readonly time_us: WallUs;
    readonly session?: SessionInfo | undefined;
    readonly shown?: ProcessInfo | undefined;
    readonly gap: Gap;
  };

/** A call of a language model. Token counts are absent where the source does not say them. */
export interface LlmUse {
  readonly model?: string;
  readonly input_tokens?: number;
  readonly output_tokens?: number;
  readonly cached_tokens?: number;
}

/** A decoded action with everything that a rule may ask about it. */
export interface Event {
  readonly time_us: WallUs;
  readonly session?: SessionInfo | undefined;
  /** Who acts. For an exec it is the caller, the process as it was before. */
  readonly process?: ProcessInfo | undefined;
  readonly action: Action;
  /** The process as entries show it: after an exec the new program in full, else without argv and cwd. */
  readonly shown?: ProcessInfo | undefined;
  /** Directory that a relative requested name begins from, where the source knows it; else the process's `cwd`. */
  readonly base?: string | undefined;
  /** The same for the second name of a rename or a link. */
  readonly new_base?: string | undefined;
  /** Resolved paths of the programs above the process, its parent's first; absent where the lineage is not known. */
  readonly ancestors?: readonly string[] | undefined;
  /** True if a declared intent covers this effect; absent where nobody compared. */
  readonly declared?: boolean;
  /** How dangerous the action is taken to be, 0-100; absent where nobody judged: rules then ask an estimate. */
  readonly risk?: number;
  /** The model call that asked for this action, where one is known. */
  readonly llm?: LlmUse;
  /** Where each of `hosts` of a network action comes from, in the same order; absent where it has none. */
  readonly host_sources?: readonly HostSource[] | undefined;
  /** Identity of the opened file, to join its bytes to this event. */
  readonly file?: FileRef | undefined;
  /** The call waits, or waited, in the kernel for the guard; so will every program start that comes of it. */
  readonly held?: true | undefined;
  /** The decision that let this held call go; what is seen now is what came of it. */
  readonly decided?: DecisionId | undefined;
  /** That decision refused it, and the record says so already. */
  readonly refused?: boolean | undefined;
  /** Present when the kernel's copy of the policy has decided (and acted) already. */
  readonly kernel?: KernelVerdict | undefined;
}
