/** Why the probes could not be loaded. */
import type { ProbeSupport } from "../source/mod.ts";

/** One line: what is missing and what to do. */
export function loadFailure(support: readonly ProbeSupport[]): string {
  const failed = support.filter((each) => !each.available);
  const doctor = "agentguard doctor tells more, and policy check, audit and help work without";
  if (failed.every((each) => each.detail.startsWith("EPERM"))) {
    const needed = "run as root (or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_SYS_ADMIN)";
    return `load the BPF probes: not permitted; ${needed}; ${doctor}`;
  }
  return `load the BPF probes: ${failed.map((each) => `${each.group}: ${each.detail}`).join("; ")}; ${doctor}`;
}
