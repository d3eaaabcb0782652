/** Whether this host can keep what a policy promises. */
import { type ActionType, AgentguardError } from "../core/mod.ts";
import { type EnforcementMechanism, type PolicySnapshot, refusableActions } from "../decide/mod.ts";
import type { ProbeGroup, ProbeSupport } from "../source/mod.ts";
import { BUILT_MECHANISMS, reportDefaults, type ReportOptions, reportRules, type RuleReport } from "./rule_report.ts";

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
  const options = optionsOf(host);
  const refused = reportRules(snapshot, options).filter((rule) => rule.refused !== undefined);
  if (refused.length === 0) return;
  throw new AgentguardError(
    "unsupported",
    `enforce the policy: ${listOf(refused)}; give these rules enforce = "best" or mode = "observe", or run with ` +
      "--mode observe",
  );
}

/**
 * The actions whose calls a command that starts now has waiting under this policy. Programs and files: all that may be
 * refused or asked about. Connections and messages: where nothing else keeps a rule, since programs of the cgroup
 * refuse most of them without anybody's waiting.
 */
export function waitingActions(snapshot: PolicySnapshot, host: HostSupport): ReadonlySet<ActionType> {
  const options = optionsOf(host);
  const parts = [...reportRules(snapshot, options), ...reportDefaults(snapshot, options)].flatMap((each) => each.parts);
  const granted = parts.filter(({ mechanism }) => mechanism === "seccomp").flatMap(({ actions }) => actions);
  return new Set([...refusableActions(snapshot)].filter((type) => !type.startsWith("net.") || granted.includes(type)));
}

/**
 * What a policy that is loaded now cannot do in commands that were started under another one, as sentences: which calls
 * wait for the guard was settled at their start (`held`). Throws `unsupported` where a rule in enforce mode would not
 * be kept there and does not say `enforce = "best"`.
 */
export function checkRunning(
  snapshot: PolicySnapshot,
  host: HostSupport,
  held: ReadonlySet<ActionType>,
): readonly string[] {
  const options = optionsOf(host);
  const [fresh, running] = [reportRules(snapshot, options), reportRules(snapshot, { ...options, held })];
  const refused = running.filter((rule, at) => rule.refused !== undefined && fresh[at]?.refused === undefined);
  if (refused.length > 0) {
    throw new AgentguardError(
      "unsupported",
      `reload the policy: what runs was not started to wait for it: ${listOf(refused)}; ` +
        'start the command again under this policy, or give these rules enforce = "best"',
    );
  }
  const defaults = reportDefaults(snapshot, options);
  return [
    ...running.flatMap((rule, at) => weaker(`${rule.file}:${rule.line} ${rule.rule}`, rule, fresh[at])),
    ...reportDefaults(snapshot, { ...options, held }).flatMap((each, at) =>
      weaker(`${each.file} [default] of ${each.actions.join(", ")}`, each, defaults[at])
    ),
  ];
}

/** The parts that another mechanism must bring about. */
function weaker(
  what: string,
  running: Pick<RuleReport, "parts">,
  fresh: Pick<RuleReport, "parts"> | undefined,
): readonly string[] {
  return running.parts.flatMap(({ actions, mechanism, label }, at) => {
    const wanted = fresh?.parts[at]?.mechanism;
    if (wanted === undefined || wanted === mechanism) return [];
    return [`${what}: ${actions.join(", ")} by ${mechanism} (${label}) and not by ${wanted}`];
  });
}

function listOf(refused: readonly RuleReport[]): string {
  const shown = refused.slice(0, SHOWN_MAX).map((rule) => `${rule.file}:${rule.line} ${rule.rule} (${rule.refused})`);
  const more = refused.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more (agentguard policy check)`] : [])].join("; ");
}

function optionsOf(host: HostSupport): ReportOptions {
  const { home, found_running = false, watched: watchable } = host;
  const loaded = (wanted: ProbeGroup): boolean =>
    host.support.some(({ group, available }) => group === wanted && available);
  const unix_names = loaded("unix");
  return { home, lacking: lackingOf(host), unix_names, names: loaded("names"), found_running, watchable };
}

function lackingOf(host: HostSupport): ReadonlySet<EnforcementMechanism> {
  const lacking = new Set<EnforcementMechanism>();
  for (const mechanism of BUILT_MECHANISMS) {
    const group = NEEDS[mechanism];
    const loaded = group === undefined || host.support.some((each) => each.group === group && each.available);
    if (!loaded || (mechanism === "cgroup" && !host.cgroup)) lacking.add(mechanism);
    if (mechanism === "fanotify" && !host.watched) lacking.add(mechanism);
  }
  return lacking;
}
