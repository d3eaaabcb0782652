/** The policy that decides. */
import type { Decider, PolicyRef } from "../core/mod.ts";

/** The policy that decides, with what the pipeline must know of it. */
export interface ActivePolicy {
  readonly decider: Decider;
  readonly ref: PolicyRef;
  /** Name of a rule by its index. */
  readonly ruleName: (index: number) => string | undefined;
  /** The first of the names of an address that a rule asks for; `undefined` where it asks for none of them. */
  readonly hostOf: (rule_index: number, hosts: readonly string[]) => string | undefined;
  /** Rules that the kernel enforces completely: a difference between its verdict and ours is an alarm. */
  readonly in_kernel: ReadonlySet<number>;
}
