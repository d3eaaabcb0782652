/** What the thread that answers held calls works with while it is open. */
import type { SessionInfo } from "../core/mod.ts";
import type { Epoll, HeldCalls, SystemCalls } from "../../ffi/mod.ts";
import type { HeldChanges } from "./held_changes.ts";
import type { HeldDecisions } from "./held_decisions.ts";
import type { HeldLedger } from "./held_ledger.ts";
import type { HeldTakers } from "./held_takers.ts";
import type { HeldWait } from "./held_wait.ts";
import type { PastPort } from "./past_port.ts";
import type { WatchedReads } from "./watched_reads.ts";
import type { WritePlace } from "./write_places.ts";

/** A session whose calls wait. */
export interface HeldSession {
  readonly session: SessionInfo;
  readonly listener: number;
  readonly places: readonly WritePlace[] | undefined;
  /** Where its calls are noted for the launcher; absent where its command ends with the guard. */
  readonly ledger: HeldLedger | undefined;
}

/** Everything that opening makes. */
export interface Opened {
  readonly system: SystemCalls;
  readonly epoll: Epoll;
  readonly wait: HeldWait;
  readonly calls: HeldCalls;
  readonly decisions: HeldDecisions;
  readonly takers: HeldTakers;
  readonly changes: HeldChanges;
  readonly reads: WatchedReads;
  readonly past: PastPort;
  readonly stats: Float64Array;
  /** Messages that main sent, at index 0. */
  readonly sent: Int32Array;
}
