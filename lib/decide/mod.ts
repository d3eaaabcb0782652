/**
 * lib/decide: the policy language. It owns reading policy files, checking them, compiling them to an immutable
 * `PolicySnapshot`, evaluating events, and lowering a snapshot to what the kernel can hold.
 *
 * It never reads a file, a clock or the environment. A snapshot keeps no state: the same event against the same
 * snapshot and `PolicyState` gives the same ruling. `StatefulDecider` owns a state and moves it on. It imports only
 * `lib/core` and the TOML parser.
 *
 * Errors: `loadPolicy` returns every finding with `file:line:column` and never throws. `evaluate` never throws: an
 * internal error is a deny that says so (in a policy that only observes: an allow that would be a deny). Input is
 * bounded by `LIMITS.policy_*` and `pattern_bytes_max`; no pattern costs more than the product of its length and that
 * of the text.
 *
 * Lifetimes: a snapshot lives as long as somebody refers to it. One snapshot must not be used by two threads at once
 * (`carrySnapshot` and `takeSnapshot` make another there); it owns scratch memory that one evaluation uses.
 *
 * What the language leaves open and this folder decides:
 * - `DIRECTORY/**` covers the directory itself and everything below; `*`, `?` and classes stay within a segment.
 * - What forbids (deny, ask, redact, log) holds if any name matches: resolved or requested. What permits (allow) needs
 *   every name to match. An exception takes the other side of its rule. An unknown home is any home for the one, none
 *   for the other.
 * - In an action with two names (rename, link, symlink), `path` without `new_path` speaks of both names.
 * - A default or action that begins with a wildcard speaks of what agents ask for (exec, file, net, unix, tool); facts
 *   (`exec.failed`, `process.*`) and the guard's own actions must be named.
 * - A host predicate holds if any name of the address matches. What permits by name does not hold for addresses of
 *   special purpose, unless the same set of predicates asks for the address. Nothing that is bound has a name.
 * - What forbids rests on attempts, what permits on what surely passed: `after`, `since`, `label` and `rate` are asked
 *   from these two sides. What a file permits rests only on labels that it sets itself; what is enforced never sees
 *   what only observing rules leave behind. In a log rule `label` is what it sets, elsewhere what must be set; `after`
 *   counts from the last time, `since` from the first.
 * - An ask or a redaction takes the place of a stricter default only where it would hold also as a rule that permits.
 * - A rule with `rate` that forbids holds beyond the rate (attempts count), one that permits up to it.
 * - A command line is decided as if each command in it were started by itself; the strictest of all decides, so
 *   looking inside never widens. Builtins of the shell need no allow. A program that has started is stopped only for
 *   rules that ask for `argv`: all others decide each command at its own start. What permits by `argv` does not rest
 *   on a line that is opaque, unless the rule says `opaque = true`.
 * - Of a tool call `exe`, `argv` and `opaque` speak of the commands in its command line: what forbids holds for any of
 *   them, what permits for all that start a program, in a line that can be followed.
 * - `risk` is what the source says, else a fixed estimate (`risk.ts`).
 * - A layer's allow lifts only its own default; a layer's mode is about its own rules and default.
 */
export { type AgentPattern, type AgentProcess } from "./agents.ts";
export { type FileMode } from "./ast.ts";
export { BUILTIN_POLICY } from "./builtin.ts";
export { type Diagnostic, formatDiagnostic, type Position } from "./diagnostic.ts";
export { type AllowedPlaces, allowedPlaces } from "./allowed_places.ts";
export { type ClosedPlace, closedPlaces } from "./closed_places.ts";
export {
  BASE_MECHANISMS,
  type ChosenEnforcement,
  ENFORCEMENT_MECHANISMS,
  type EnforcementCandidate,
  type EnforcementMechanism,
  type EnforcementPart,
  type HostMechanisms,
  MECHANISM_TRAITS,
  type MechanismTraits,
} from "./enforcement.ts";
export { parseSize } from "./duration.ts";
export { asksThePast, refusableActions } from "./held.ts";
export { type ProtectedPlace, protectedPlaces } from "./protected.ts";
export { carrySnapshot, takeSnapshot } from "./carried.ts";
export { type LoadOptions, loadPolicy } from "./load.ts";
export { wantsNames } from "./lower_hosts.ts";
export { lower, type Lowering, type LowerOptions } from "./lower.ts";
export {
  NO_RECORD_CONFIG,
  type RecordAnchorConfig,
  type RecordConfig,
  type RecordSinkConfig,
} from "./record_config.ts";
export { type DefaultEnforcement, type RuleEnforcement } from "./report.ts";
export type { GuardSettings } from "./guard_settings.ts";
export { PolicySnapshot, type RuleInfo } from "./snapshot.ts";
export { type CommandLine, type InnerCommand, readCommandLine, readShellScript } from "./shell.ts";
export { PolicyState, type StateView } from "./state.ts";
export { StatefulDecider } from "./stateful.ts";
export { type PolicySource } from "./toml.ts";
export { type NeededNames, neededNames, type NeededText, speaksOfProc } from "./watched.ts";
export { type NeededStarts, neededStarts, type ProgramText } from "./starts.ts";
export * from "./tools.ts";
