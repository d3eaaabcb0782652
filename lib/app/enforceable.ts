/** Whether this host can keep what a policy promises. */
import { AgentguardError } from "../core/mod.ts";
import type { EnforcementMechanism, PolicySnapshot } from "../decide/mod.ts";
import type { ProbeGroup, ProbeSupport } from "../source/mod.ts";
import { BUILT_MECHANISMS, reportRules } from "./rule_report.ts";

/** Which mechanism needs which programs. */
const NEEDS: Readonly<Partial<Record<EnforcementMechanism, ProbeGroup>>> = {
  lsm: "lsm",
  cgroup: "network",
  exec_kill: "process",
  kill_after: "syscall",
  fanotify: "process",
  seccomp: "process", // what is let go is compared at its start
};

/** Rules that one message names. */
const SHOWN_MAX = 5;

/** What is known of the host when a session begins. */
export interface HostSupport {
  readonly support: readonly ProbeSupport[];
  /** Session cgroups can be made. */
  readonly cgroup: boolean;
  /** What a command reads waits by fanotify. */
  readonly watched: boolean;
  readonly home: string | undefined;
  /** Only sessions that were found running are meant. */
  readonly found_running?: boolean;
}

/**
 * Throws `unsupported` where a rule in enforce mode cannot be kept on this host and does not say `enforce = "best"`. A
 * promise that is silently not kept is worse than no start.
 */
export function requireEnforceable(snapshot: PolicySnapshot, host: HostSupport): void {
  const lacking = new Set<EnforcementMechanism>();
  for (const mechanism of BUILT_MECHANISMS) {
    const group = NEEDS[mechanism];
    const loaded = group === undefined || host.support.some((each) => each.group === group && each.available);
    if (!loaded || (mechanism === "cgroup" && !host.cgroup)) lacking.add(mechanism);
    if (mechanism === "fanotify" && !host.watched) lacking.add(mechanism);
  }
  const { home, found_running = false } = host;
  const unix_names = host.support.some(({ group, available }) => group === "unix" && available);
  const rules = reportRules(snapshot, { home, lacking, unix_names, found_running });
  const refused = rules.filter((rule) => rule.refused !== undefined);
  if (refused.length === 0) return;
  const shown = refused.slice(0, SHOWN_MAX).map((rule) => `${rule.file}:${rule.line} ${rule.rule} (${rule.refused})`);
  if (refused.length > shown.length) shown.push(`and ${refused.length - shown.length} more (agentguard policy check)`);
  const list = shown.join("; ");
  throw new AgentguardError(
    "unsupported",
    `enforce the policy: ${list}; give these rules enforce = "best" or mode = "observe", or run with --mode observe`,
  );
}
