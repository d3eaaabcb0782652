/** What main and the recorder thread say to each other, beside the entries that travel through ports. */
import type { ErrorCode } from "../core/mod.ts";
import type { RecorderState } from "../record/mod.ts";

/** Requests of main. */
export type RecorderRequest =
  | { readonly op: "open"; readonly directory: string; readonly boot_id: string }
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
