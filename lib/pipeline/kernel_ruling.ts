/** What is ruled where the kernel refused an action that the policy lets pass. */
import type { KernelVerdict, Ruling } from "../core/mod.ts";

/**
 * True where user space cannot know better: objects that got another name, addresses that may have had others, and what
 * is refused without any rule.
 */
export function isKernelsAlone(kernel: KernelVerdict): boolean {
  return kernel.by_object === true || kernel.names_unsure === true || kernel.why !== undefined;
}

/** The kernel's deed stands. `rule`: the name of its rule, where the policy is the same. */
export function kernelRuling(kernel: KernelVerdict, rule: string | undefined): Ruling {
  const reason = kernel.why ??
    (kernel.by_object === true
      ? "another name of an object that the rule is about"
      : `refused by the kernel's copy of policy generation ${kernel.generation}`);
  return {
    verdict: "deny",
    ...(rule === undefined ? undefined : { rule }),
    rule_index: kernel.rule_index,
    reason,
    mode: "enforce",
  };
}
