/** What really happened, with an honest label. */
import type { ApprovalId, DecisionId } from "./ids.ts";

/**
 * `prevented`: no effect. `killed_before_effect`: the program ran no instruction. `unenforceable`: nothing here could
 * stop it.
 */
export type OutcomeLabel =
  | "prevented"
  | "held"
  | "killed_before_effect"
  | "killed_after_effect"
  | "allowed"
  | "observed"
  | "unenforceable"
  | "replied"
  | "failed";

/** What brought the outcome about. `mounts` and `privileges` are what a command gave up before it began. */
export type Mechanism =
  | "lsm"
  | "cgroup"
  | "seccomp"
  | "fanotify"
  | "landlock"
  | "mounts"
  | "privileges"
  | "signal"
  | "reply"
  | "proxy"
  | "none";

/** The end of a decision. */
export interface Outcome {
  readonly decision_id: DecisionId;
  readonly label: OutcomeLabel;
  readonly mechanism: Mechanism;
  readonly held_ms?: number;
  readonly approval_id?: ApprovalId;
  readonly by?: string;
  readonly error?: string;
  /** Bytes through the opened file until this close. */
  readonly bytes_read?: number;
  readonly bytes_written?: number;
}
