/** Second places for checkpoints: what they take and what they answer. */
import type { Store } from "../store/mod.ts";
import { type LogState, readLogState } from "./log_state.ts";
import { storedTiles } from "./log_tables.ts";
import { TileTree } from "./merkle.ts";

/** One place, as data. */
export type AnchorSettings =
  | { readonly kind: "file"; readonly path: string }
  /** `url`: the absolute path of a control socket, or http(s); `key`: the witness's verifier key. */
  | { readonly kind: "witness"; readonly url: string; readonly key: string }
  | {
    readonly kind: "nats";
    readonly url: string;
    readonly subject: string;
    readonly credentials: string | undefined;
    readonly ca: string | undefined;
  };

/** The log as an anchor may see it. */
export interface AnchoredLog {
  /** The state as of the last commit; `undefined` where nothing was ever signed. */
  state(): LogState | undefined;
  tree(): TileTree;
}

/** A checkpoint on its way. */
export interface AnchorNote {
  readonly origin: string;
  readonly size: number;
  /** The signed note. */
  readonly note: string;
}

/** One place. */
export interface Anchor {
  /** For people: `file /a`, `witness /run/x`, `nats nats://h subject s`. */
  readonly name: string;
  /**
   * Puts the checkpoint there; gives what the place signed, or "". Rejects with `tamper` where the place knows another
   * history of this log, with `io`, `timeout`, `config`.
   */
  put(note: AnchorNote, log: AnchoredLog, signal: AbortSignal): Promise<string>;
}

/** How one place stands. */
export interface AnchorStatus {
  readonly name: string;
  /** Size of the checkpoint that is there; 0 for none since the start. */
  readonly size: number;
  /** Why the last attempt failed; absent where it did not. */
  readonly error?: string;
}

/** The log of a record that is being written, as of its last commit. */
export function anchoredLog(look: <T>(work: (store: Store) => T) => T): AnchoredLog {
  return {
    state: () => look((store) => readLogState(store)),
    tree: () => look((store) => new TileTree(storedTiles(store))),
  };
}
