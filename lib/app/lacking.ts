/** Which mechanisms a host does not have, by what was tried. */
import type { EnforcementMechanism } from "../decide/mod.ts";
import type { Check } from "./command_doctor.ts";

/** What does not work on this host. Security hooks are taken to work only where a check says so. */
export function lackingMechanisms(checks: readonly Check[]): ReadonlySet<EnforcementMechanism> {
  const failed = checks.filter((check) => check.state === "missing" || check.state === "unknown");
  const lacking = new Set(failed.flatMap((check) => check.needed_for ?? []));
  if (!checks.some(({ state, needed_for }) => state === "ok" && needed_for?.includes("lsm") === true)) {
    lacking.add("lsm");
  }
  return lacking;
}
