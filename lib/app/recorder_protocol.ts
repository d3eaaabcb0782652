/** What main and the recorder thread say to each other, beside the entries that travel through ports. */
import type { ErrorCode } from "../core/mod.ts";
import type {
  AnchorSettings,
  AnchorStatus,
  KeepReport,
  KeepRequest,
  KeepSettings,
  LineSinkMetrics,
  LineSinkSettings,
  OnTamper,
  RecorderState,
} from "../record/mod.ts";

/** What may be set of the record. */
export interface RecorderSettings {
  /** Name of the log in its checkpoints; only for a new record. */
  readonly origin: string | undefined;
  /** `refuse` by default: the guard does not start on a record that does not verify. */
  readonly on_tamper: OnTamper | undefined;
  /** Where committed entries go, too. */
  readonly sinks: readonly LineSinkSettings[];
  /** How long entries are kept. */
  readonly keep: KeepSettings;
  /** Second places for checkpoints, and how often, milliseconds. */
  readonly anchors: readonly AnchorSettings[];
  readonly anchor_every_ms: number;
}

/** Requests of main. */
export type RecorderRequest =
  | {
    readonly op: "open";
    readonly directory: string;
    readonly boot_id: string;
    readonly settings: RecorderSettings;
  }
  /** Entries come through `port` from now on. */
  | { readonly op: "serve"; readonly port: MessagePort }
  /** Opens the files of the sinks anew. */
  | { readonly op: "reopen" }
  /** Puts sinks, retention and anchors in force; answered by `configured` or `configure_failed`. */
  | { readonly op: "configure"; readonly settings: RecorderSettings }
  /** Answered by `kept` or `keep_failed` with the same id. */
  | { readonly op: "keep"; readonly id: number; readonly request: KeepRequest }
  | { readonly op: "close" };

/** Figures of the recorder, at most 250 ms old while entries come. */
export interface RecorderMetrics {
  readonly appended: number;
  readonly committed: number;
  readonly commits: number;
  /** Drafts that a full queue pushed out. */
  readonly dropped: number;
  /** Drafts that wait. */
  readonly pending: number;
  /** Durations of the last 1,024 commits, milliseconds. */
  readonly commit_ms: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly sinks: readonly LineSinkMetrics[];
  readonly anchors: readonly AnchorStatus[];
}

/** What the recorder reports. */
export type RecorderReport =
  | { readonly op: "opened" }
  | { readonly op: "closed" }
  | { readonly op: "failed"; readonly code: ErrorCode; readonly message: string }
  | { readonly op: "kept"; readonly id: number; readonly report: KeepReport }
  | { readonly op: "keep_failed"; readonly id: number; readonly code: ErrorCode; readonly message: string }
  | { readonly op: "configured" }
  | { readonly op: "configure_failed"; readonly code: ErrorCode; readonly message: string }
  | { readonly op: "state"; readonly state: RecorderState }
  | { readonly op: "metrics"; readonly metrics: RecorderMetrics }
  | { readonly op: "log"; readonly level: "info" | "warn" | "error"; readonly message: string };
