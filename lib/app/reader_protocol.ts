/** What main and the kernel reader thread say to each other. Structured clones of plain data. */
import type { ActionType, Gap, ProcessInfo, SessionInfo, StartedBaseline } from "../core/mod.ts";
import type { OwnPlaces } from "../act/mod.ts";
import type { HeldClasses, ProbeSupport } from "../source/mod.ts";
import type { SessionLimits } from "./baseline_refusals.ts";
import type { TallyReport } from "./tally_sink.ts";
import type { ThreadAnswer } from "./thread_calls.ts";
import type { HolderMaps } from "./holder_protocol.ts";

/** A policy as the threads load it. */
export interface PolicyLoad {
  /** From `carrySnapshot`: what main has read is not read again. */
  readonly carried: string;
  /** What `~` stands for in rules that the kernel holds. */
  readonly home?: string;
  /** What guarded processes are kept from. */
  readonly own: OwnPlaces;
}

/** How a session ended, as far as it is known. */
export interface SessionEnd {
  readonly exit_code?: number;
  readonly signal?: number;
}

/** A session to begin. */
export interface BeginSession {
  readonly scope: number;
  readonly session: SessionInfo;
  /** A single-threaded process that waits before its exec; absent for agents that run already. */
  readonly stopped_pid?: number;
  /** Which of its calls wait for the guard; none where absent. */
  readonly held?: HeldClasses;
  /** The actions that these calls do. */
  readonly held_actions?: readonly ActionType[];
  /** What its command gave up. */
  readonly baseline?: StartedBaseline;
  /** What its baseline refuses without asking a rule, to be told as what it was. */
  readonly limits?: SessionLimits;
  /** The session's leaf: absolute directory and the kernel's id, decimal. */
  readonly cgroup?: { readonly directory: string; readonly id: string };
}

/** First message of main: the probes are loaded at once. */
export interface ReaderStart {
  /** The guard's own process, which the programs leave alone. */
  readonly self_pid: number;
}

/** Second message; requests come after it. */
export interface ReaderConnect {
  readonly recorder: MessagePort;
}

/** Requests of main. Each is answered with its id. */
export type ReaderRequest =
  | { readonly op: "open"; readonly policy: PolicyLoad; readonly stats: SharedArrayBuffer }
  | { readonly op: "policy"; readonly policy: PolicyLoad }
  | { readonly op: "begin"; readonly begin: BeginSession }
  /** Held calls are decided on `port` where that depends on the past. */
  | { readonly op: "past"; readonly port: MessagePort }
  /** Everything of the session is durable when it is answered, its end last. */
  | { readonly op: "end"; readonly scope: number; readonly exit: SessionEnd }
  /** Looks for `[[agent]]` programs from now on, and among those that run. */
  | { readonly op: "search" }
  /** Everything that happened before this is in the record when it is answered. */
  | { readonly op: "flush" }
  | { readonly op: "close" };

/** Answer to `open`. */
export interface ReaderOpened {
  readonly support: readonly ProbeSupport[];
  /** Wakes the reader's wait. */
  readonly wake_fd: number;
  /** For the thread that answers held calls. */
  readonly maps: HolderMaps;
}

/** What the reader tells unasked. */
export type ReaderEvent =
  | {
    readonly event: "agent";
    readonly scope: number;
    readonly session: SessionInfo;
    readonly process: ProcessInfo;
    /** It ran before the search began. */
    readonly running: boolean;
    readonly pids: readonly number[];
  }
  /** The last process of a scope ended. */
  | { readonly event: "empty"; readonly scope: number }
  | { readonly event: "loss"; readonly gap: Gap; readonly session_id?: string }
  /** What was counted since the last time. */
  | { readonly event: "tally"; readonly reports: readonly TallyReport[] };

/** What concerns the sessions that the reader finds by itself. */
export type SessionEvent = Extract<ReaderEvent, { event: "agent" | "empty" }>;

/** Everything that the reader posts. */
export type ReaderMessage =
  | ThreadAnswer
  | ReaderEvent;

/** Places in the shared statistics, doubles written by the reader and read by main at any time. */
export const STAT_NAMES = [
  "records",
  "actions",
  "denied",
  "asked",
  "observed_denials",
  "lost",
  "mismatches",
  "bytes_unmatched",
  "coalesced",
  "decode_errors",
  "processes",
  "processes_evicted",
  "recorder_pending",
  "recorder_dropped",
  "ring_decisions_bytes",
  "ring_telemetry_bytes",
] as const;

/** Name of one of them. */
export type StatName = (typeof STAT_NAMES)[number];

/** Bytes of the shared statistics. */
export const STATS_BYTES: number = STAT_NAMES.length * 8;
