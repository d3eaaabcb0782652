/** The mechanisms that can bring a rule about, how strong each is, and which of them a host uses. */
import type { ActionType, OutcomeLabel, Verdict } from "../core/mod.ts";

/**
 * How a rule is brought about, the strongest first. `lsm`: a program at a security hook refuses the call. `cgroup`: a
 * program of the session's cgroup refuses it. `fanotify`: the open waits while user space decides. `seccomp`: the call
 * waits. `exec_kill`: the program is killed before its first instruction. `kill_after`: user space ends the process
 * when the event arrives, after the effect. `observe_only`: nothing is prevented.
 */
export const ENFORCEMENT_MECHANISMS = [
  "lsm",
  "cgroup",
  "fanotify",
  "seccomp",
  "exec_kill",
  "kill_after",
  "observe_only",
] as const;

/** One of `ENFORCEMENT_MECHANISMS`. */
export type EnforcementMechanism = (typeof ENFORCEMENT_MECHANISMS)[number];

/** What a mechanism gives. */
export interface MechanismTraits {
  /** The label of what it refuses. */
  readonly label: OutcomeLabel;
  /** A question can be asked while the action waits; without this `ask` refuses at once. */
  readonly holds: boolean;
  /** It must be in place before the command's first instruction: nothing that was found running has it. */
  readonly started_only: boolean;
}

/** The traits of each mechanism. */
export const MECHANISM_TRAITS: Readonly<Record<EnforcementMechanism, MechanismTraits>> = {
  lsm: { label: "prevented", holds: false, started_only: false },
  cgroup: { label: "prevented", holds: false, started_only: false },
  seccomp: { label: "prevented", holds: true, started_only: true },
  fanotify: { label: "prevented", holds: true, started_only: true },
  exec_kill: { label: "killed_before_effect", holds: false, started_only: false },
  kill_after: { label: "killed_after_effect", holds: false, started_only: false },
  observe_only: { label: "unenforceable", holds: false, started_only: false },
};

/** A mechanism that could bring a part of a rule about, on a host that has it. */
export interface EnforcementCandidate {
  readonly mechanism: EnforcementMechanism;
  /** It prevents everything that this part of the rule forbids. */
  readonly complete: boolean;
  /** What it leaves, or how it compares; empty where there is nothing to say. */
  readonly note: string;
}

/** Action types of a rule that have the same candidates. */
export interface EnforcementPart {
  readonly actions: readonly ActionType[];
  /** In the order in which a host takes the first that it has; never empty, the last needs nothing. */
  readonly candidates: readonly EnforcementCandidate[];
}

/** What a host does for one part of a rule. */
export interface ChosenEnforcement extends EnforcementPart, EnforcementCandidate {
  /** The label of what is refused; for `ask` `held` where the mechanism can hold. */
  readonly label: OutcomeLabel;
  /** What keeps this part in a session that agentguard found running. */
  readonly found_running: EnforcementMechanism;
}

/** What a host has. */
export interface HostMechanisms {
  readonly available: ReadonlySet<EnforcementMechanism>;
  /** Actions whose calls `seccomp` can hold; absent: all that a rule may need it for. */
  readonly held?: ReadonlySet<ActionType>;
  /** Programs of the session's cgroup see addresses of unix sockets (Linux 6.7). */
  readonly unix_names?: boolean;
  /** Programs of the session's cgroup know the names of addresses, from answers of resolvers. */
  readonly names?: boolean;
  /** Only sessions that were found running are meant. */
  readonly found_running?: boolean;
}

/** What needs no more than the programs that every start loads. */
export const BASE_MECHANISMS: ReadonlySet<EnforcementMechanism> = new Set(["cgroup", "exec_kill", "kill_after"]);

/** Sorts candidates: for `ask` what can hold comes first, then by strength. */
export function orderCandidates(
  candidates: readonly EnforcementCandidate[],
  verdict: Verdict,
): readonly EnforcementCandidate[] {
  const rank = ({ mechanism }: EnforcementCandidate): number =>
    ENFORCEMENT_MECHANISMS.indexOf(mechanism) -
    (verdict === "ask" && MECHANISM_TRAITS[mechanism].holds ? ENFORCEMENT_MECHANISMS.length : 0);
  return [...candidates].sort((a, b) => rank(a) - rank(b));
}

/** Takes the first candidate that the host has and that prevents all; else the first that it has. */
export function chooseEnforcement(
  part: EnforcementPart,
  verdict: Verdict,
  host: HostMechanisms,
): ChosenEnforcement {
  const chosen = pick(part, host);
  const found = pick(part, { ...host, found_running: true });
  const traits = MECHANISM_TRAITS[chosen.mechanism];
  return {
    ...part,
    ...chosen,
    note: noteOf(part, chosen, verdict),
    label: verdict === "ask" && traits.holds ? "held" : traits.label,
    found_running: found.mechanism,
  };
}

const NOTHING: EnforcementCandidate = { mechanism: "observe_only", complete: false, note: "" };

function pick({ actions, candidates }: EnforcementPart, host: HostMechanisms): EnforcementCandidate {
  const { held } = host;
  const unseen = host.unix_names !== true && actions.includes("unix.connect");
  // What goes to an address is compared by a program of the session's cgroup when it is let go.
  const compared = !actions.some((action) => action.startsWith("net.")) || host.available.has("cgroup");
  const holds = compared && (held === undefined || actions.every((action) => held.has(action)));
  const usable = candidates.filter(({ mechanism }) =>
    mechanism === "observe_only" ||
    (mechanism !== "seccomp" || holds) && (mechanism !== "cgroup" || !unseen) &&
      (host.available.has(mechanism) && !(host.found_running === true && MECHANISM_TRAITS[mechanism].started_only))
  );
  return usable.find(({ complete }) => complete) ?? usable[0] ?? NOTHING;
}

function noteOf({ candidates }: EnforcementPart, chosen: EnforcementCandidate, verdict: Verdict): string {
  const notes = chosen.note === "" ? [] : [chosen.note];
  if (chosen.complete) {
    const refuses = verdict === "ask" && !MECHANISM_TRAITS[chosen.mechanism].holds;
    return [...notes, ...(refuses ? [`${chosen.mechanism} cannot hold: refused without asking`] : [])].join("; ");
  }
  if (chosen.mechanism === "kill_after") notes.push("ended after the effect");
  // Where both would, seccomp rests on the program of the cgroup.
  const by_cgroup = candidates.some(({ complete, mechanism }) => complete && mechanism === "cgroup");
  const better = candidates.filter(({ complete, mechanism }) => complete && !(by_cgroup && mechanism === "seccomp"))
    .map(({ mechanism }) => mechanism);
  if (better.length > 0) {
    notes.push(`${better.join(" or ")} would ${verdict === "ask" ? "hold or refuse" : "prevent"} it`);
  }
  return notes.join("; ");
}
