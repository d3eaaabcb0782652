/**
 * lib/act: the only place with effects on guarded processes. Owns the kernel's copy of the policy, session cgroups, and
 * ending processes. It never decides. Outcomes are labelled for what happened; a failure is the outcome `failed`, or an
 * `AgentguardError` (`io`, `overflow`) from set-up. Cgroups are disposable and belong to a session.
 */
export { type FileObject, HostObjects, type ObjectFinder } from "./file_objects.ts";
export { KernelActor, type ProcessKiller } from "./actor.ts";
export {
  type AllowedLists,
  type BaselineContext,
  type OwnPlaces,
  planBaseline,
  type PlannedBaseline,
} from "./baseline.ts";
export { cgroup2Mounts, findCgroup2, SessionCgroup } from "./cgroup.ts";
export { callMark, execGrant, type GrantTerms, netGrant } from "./hold/grant.ts";
export { execCalls, HELD_ACTIONS, heldClasses, netCalls, notifyRules, unansweredCalls } from "./hold/notify.ts";
export { KernelPolicy, type PolicyMap, type PolicyMaps } from "./kernel_policy.ts";
export type { NameLesson, Teach } from "./taught_names.ts";
export { PidfdKiller, processStart } from "./process_killer.ts";
