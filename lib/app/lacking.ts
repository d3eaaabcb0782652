/** Which mechanisms a host does not have, by what was tried. */
import type { EnforcementMechanism } from "../decide/mod.ts";
import type { Check } from "./command_doctor.ts";

/**
 * What does not work on this host. Security hooks, and opens that wait by fanotify, are taken to work only where a
 * check says so.
 */
export function lackingMechanisms(checks: readonly Check[]): ReadonlySet<EnforcementMechanism> {
  const failed = checks.filter((check) => check.state === "missing" || check.state === "unknown");
  const lacking = new Set(failed.flatMap((check) => check.needed_for ?? []));
  for (const tried of ["lsm", "fanotify"] as const) {
    if (!checks.some(({ state, needed_for }) => state === "ok" && needed_for?.includes(tried) === true)) {
      lacking.add(tried);
    }
  }
  return lacking;
}
