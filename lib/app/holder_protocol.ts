/** What main and the thread that answers held calls say to each other. Structured clones of plain data. */
import type { ApprovalAnswer, ApprovalId, ApprovalRequest, SessionId, SessionInfo } from "../core/mod.ts";
import type { PolicyLoad } from "./reader_protocol.ts";
import type { WritePlace } from "./write_places.ts";
import type { TallyReport } from "./tally_sink.ts";
import type { ThreadAnswer } from "./thread_calls.ts";

/** Maps of the loaded probes, open in this process. */
export interface HolderMaps {
  readonly grants_fd: number;
  readonly scopes_fd: number;
  /** What looks at callers; absent: `/proc` tells. */
  readonly looker?: { readonly program_fd: number; readonly map_fd: number };
  /** Key of the hashes in grants, 16 bytes. */
  readonly hash_key: Uint8Array;
  /** Grants are found by the caller's process, not its thread: this guard has a pid namespace of its own. */
  readonly by_process: boolean;
}

/** By which number the probes look for the grant of whoever called. */
export function grantKey(
  { by_process }: Pick<HolderMaps, "by_process">,
  { tid, tgid }: { readonly tid: number; readonly tgid: number },
): number {
  return by_process ? tgid : tid;
}

/** Requests of main. Each is answered with its id. */
export type HolderRequest =
  | {
    readonly op: "open";
    readonly policy: PolicyLoad;
    readonly maps: HolderMaps;
    readonly stats: SharedArrayBuffer;
    /** The reader's way in, for what depends on the past. */
    readonly past: MessagePort;
    /** Ends the reader's wait. */
    readonly reader_wake_fd: number;
  }
  | { readonly op: "policy"; readonly policy: PolicyLoad }
  /** Has the opens of `pid`, which waits before its exec, and of its descendants wait by fanotify. */
  | { readonly op: "watch"; readonly session: SessionInfo; readonly pid: number }
  /** Answers the calls of `listener_fd`, which the holder closes. */
  | {
    readonly op: "begin";
    readonly session: SessionInfo;
    readonly listener_fd: number;
    /** Where its command may change files at all; absent: everywhere. */
    readonly places: readonly WritePlace[] | undefined;
    /** Where what waits is noted for the launcher; absent: the command ends with the guard. */
    readonly held_file: string | undefined;
  }
  /** Nobody of the session is left: what still waits is refused. */
  | { readonly op: "end"; readonly session_id: SessionId }
  | { readonly op: "answer"; readonly answer: ApprovalAnswer }
  /** Refuses everything that waits; what was decided is durable when it is answered. */
  | { readonly op: "close" };

/** Answer to `open`. */
export interface HolderOpened {
  /** Ends the holder's wait. */
  readonly wake_fd: number;
}

/** What the holder tells unasked. */
export type HolderEvent =
  | { readonly event: "ask"; readonly request: ApprovalRequest }
  | { readonly event: "withdraw"; readonly approval_id: ApprovalId }
  /** What was counted since the last time. */
  | { readonly event: "tally"; readonly reports: readonly TallyReport[] }
  /** It cannot go on: whatever waits is refused by the kernel. */
  | { readonly event: "failed"; readonly reason: string };

/** Everything that the holder posts. */
export type HolderMessage =
  | ThreadAnswer
  | HolderEvent;

/** Places in the shared statistics. */
export const HOLD_STAT_NAMES = ["held", "answered", "denied", "asked", "waiting"] as const;

/** Name of one of them. */
export type HoldStatName = (typeof HOLD_STAT_NAMES)[number];

/** Bytes of the shared statistics: the counts, then the number of messages that main sent. */
export const HOLD_STATS_BYTES: number = (HOLD_STAT_NAMES.length + 1) * 8;
