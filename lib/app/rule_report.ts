/** What enforces each rule on this host, and which rules make enforce mode refuse to start. */
import { HELD_ACTIONS } from "../act/mod.ts";
import type { ActionType } from "../core/mod.ts";
import {
  BASE_MECHANISMS,
  type DefaultEnforcement,
  type EnforcementMechanism,
  lower,
  type Lowering,
  MECHANISM_TRAITS,
  type PolicySnapshot,
  type RuleEnforcement,
} from "../decide/mod.ts";
import { unwatchable } from "./watched_policy.ts";

/** What this version brings into place where the host lets it. */
export const BUILT_MECHANISMS: ReadonlySet<EnforcementMechanism> = new Set([
  ...BASE_MECHANISMS,
  "fanotify",
  "seccomp",
  "lsm",
]);

/** A rule with what enforces it. */
export interface RuleReport extends RuleEnforcement {
  /** Why enforce mode must refuse to start with this rule; absent where it need not. */
  readonly refused?: string;
}

/** What is known of the host. */
export interface ReportOptions {
  readonly home: string | undefined;
  /** What of `BUILT_MECHANISMS` this host does not have. */
  readonly lacking: ReadonlySet<EnforcementMechanism>;
  /** Programs of session cgroups see addresses of unix sockets. */
  readonly unix_names?: boolean;
  /** Programs of session cgroups learn the names of addresses; absent: they do, as on every kernel that will do. */
  readonly names?: boolean;
  /** Only sessions that were found running are meant. */
  readonly found_running?: boolean;
  /** Actions whose calls the sessions have waiting; absent: all that can wait, as in a command that starts now. */
  readonly held?: ReadonlySet<ActionType>;
  /** Reads under this policy can wait by fanotify, as far as the policy is concerned; absent: found out here. */
  readonly watchable?: boolean;
}

/**
 * What enforces each rule, and which rules make enforce mode refuse to start: those that forbid, act in enforce mode,
 * are not enforced completely, and do not say `enforce = "best"`.
 */
export function reportRules(snapshot: PolicySnapshot, options: ReportOptions): readonly RuleReport[] {
  const { lacking } = options;
  return lowerHere(snapshot, options).report.map((enforcement) => {
    const rule = snapshot.rules[enforcement.rule_index];
    const forbids = rule !== undefined && (rule.verdict === "deny" || rule.verdict === "ask");
    if (!forbids || rule.mode !== "enforce" || rule.enforce === "best" || enforcement.complete) return enforcement;
    const wanted = enforcement.parts.flatMap(({ candidates }) => candidates.map(({ mechanism }) => mechanism));
    const missing = [...new Set(wanted)].filter((mechanism) => lacking.has(mechanism));
    const lacks = missing.length === 0 ? [] : [`this host lacks ${missing.join(", ")}`];
    return { ...enforcement, refused: [...lacks, enforcement.note].filter((text) => text !== "").join("; ") };
  });
}

/** What enforces the defaults that refuse. They keep nobody from starting: a default has nobody who vouches for it. */
export function reportDefaults(snapshot: PolicySnapshot, options: ReportOptions): readonly DefaultEnforcement[] {
  return lowerHere(snapshot, options).defaults;
}

function lowerHere(snapshot: PolicySnapshot, options: ReportOptions): Lowering {
  const { lacking, home, unix_names = false, names = true, found_running = false } = options;
  const { held = HELD_ACTIONS, watchable } = options;
  const available = new Set([...BUILT_MECHANISMS].filter((mechanism) => !lacking.has(mechanism)));
  if (!(watchable ?? unwatchable(snapshot) === undefined)) available.delete("fanotify");
  return lower(snapshot, {
    host: { available, held, unix_names, names, found_running },
    ...(home === undefined ? {} : { home }),
  });
}

/** Why reads that could wait by fanotify wait by their calls under this policy; `undefined` where that is not so. */
export function readsByCall(
  snapshot: PolicySnapshot,
  rules: readonly Pick<RuleReport, "parts">[],
): string | undefined {
  const by_call = rules.flatMap(({ parts }) => parts).some(({ actions, mechanism }) =>
    mechanism === "seccomp" && actions.includes("file.read")
  );
  const why = by_call ? unwatchable(snapshot) : undefined;
  return why === undefined ? undefined : `reads wait by seccomp, each time, and not by fanotify: ${why}`;
}

/** What the report must say beside its rows: mechanisms that only a command that agentguard starts has. */
export function startedOnly(rules: readonly Pick<RuleReport, "parts">[]): string | undefined {
  const parts = rules.flatMap(({ parts }) => parts).filter(({ mechanism, found_running }) =>
    MECHANISM_TRAITS[mechanism].started_only && found_running !== mechanism
  );
  if (parts.length === 0) return undefined;
  const used = [...new Set(parts.map(({ mechanism }) => mechanism))].join(", ");
  const instead = [...new Set(parts.map(({ found_running }) => found_running))].join(", ");
  return `${used}: only for commands that agentguard starts; a session found running has ${instead} instead`;
}
