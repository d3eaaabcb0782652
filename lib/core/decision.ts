/** Verdicts. */
import type { DecisionId } from "./ids.ts";

/** What happens to an action. `redact` lets it through with parts removed; `log` lets it through and labels it. */
export type Verdict = "allow" | "deny" | "ask" | "redact" | "log";

/** `enforce` acts on the verdict; `observe` only says what it would have been. */
export type Mode = "enforce" | "observe";

/** Which policy decided. */
export interface PolicyRef {
  readonly name: string;
  /** SHA-256 of the policy's source, hex. */
  readonly digest: string;
  /** Counts reloads, from 1. */
  readonly generation: number;
}

/** The result of pure evaluation: no id, no clock. */
export interface Ruling {
  /** What happens: in observe mode `allow`, with the real verdict in `would`. */
  readonly verdict: Verdict;
  /** Name of the rule; absent when the default decided. */
  readonly rule?: string;
  /** Index of that rule in the snapshot, -1 for the default. */
  readonly rule_index: number;
  readonly reason: string;
  readonly mode: Mode;
  readonly would?: Verdict;
}

/** A ruling with its identity, as recorded. */
export interface Decision {
  readonly decision_id: DecisionId;
  readonly verdict: Verdict;
  readonly rule?: string;
  readonly reason: string;
  readonly mode: Mode;
  readonly policy: PolicyRef;
  readonly would?: Verdict;
  readonly latency_us?: number;
}

/** What the kernel's lowered copy of the policy decided by itself. */
export interface KernelVerdict {
  readonly verdict: "allow" | "deny";
  /** Index of the rule in the snapshot of `generation`; -1 for the default. */
  readonly rule_index: number;
  readonly generation: number;
  /** What the kernel did about it. `ended`: the process was killed when the effect was there, before it went on. */
  readonly effect: "none" | "refused" | "killed" | "ended";
  /** Why a program was killed that the policy might allow: what came up is not what was let go. */
  readonly grant?: GrantFailure;
  /** What refused; absent: a program of the session's cgroup. */
  readonly mechanism?: "lsm" | "mounts" | "landlock";
  /** The object is one that the rule names, under a name that it does not. */
  readonly by_object?: true;
  /** The kernel may have known the address by other names than the event has. */
  readonly names_unsure?: true;
  /** Why the kernel refused what no rule speaks of. */
  readonly why?: string;
}

/**
 * A held program start that did not come up as it was let go, or a held connection that goes elsewhere. `missing`:
 * nobody let it go; `different`: the image, its name or its arguments, or the address, are others than those that were
 * decided; `expired`: it came too late.
 */
export type GrantFailure = "missing" | "different" | "expired";
