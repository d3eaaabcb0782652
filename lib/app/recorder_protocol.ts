/** What main and the recorder thread say to each other, beside the entries that travel through ports. */
import type { ErrorCode } from "../core/mod.ts";
import type { OnTamper, RecorderState } from "../record/mod.ts";

/** What may be set of the record. */
export interface RecorderSettings {
  /** Name of the log in its checkpoints; only for a new record. */
  readonly origin?: string;
  /** `refuse` by default: the guard does not start on a record that does not verify. */
  readonly on_tamper?: OnTamper;
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
  | { readonly op: "close" };

/** What the recorder reports. */
export type RecorderReport =
  | { readonly op: "opened" }
  | { readonly op: "closed" }
  | { readonly op: "failed"; readonly code: ErrorCode; readonly message: string }
  | { readonly op: "state"; readonly state: RecorderState }
  | { readonly op: "log"; readonly level: "warn" | "error"; readonly message: string };
