/** What no file tells of this host, so that it is tried: security hooks for the guard, and opens that wait. */
import { BASELINE_PARTS } from "../core/mod.ts";
import type { EnforcementMechanism } from "../decide/mod.ts";
import { loadKernel } from "./loaded_kernel.ts";
import { cannotWatch } from "./watched_policy.ts";

/** Adds `lsm` and `fanotify` where they cannot be had, or where this user may not try. Nothing stays. */
export function lackingTried(known: ReadonlySet<EnforcementMechanism>): ReadonlySet<EnforcementMechanism> {
  const lacking = new Set(known);
  const root = process.geteuid?.() === 0;
  if (!root || !hasSecurityHooks()) lacking.add("lsm");
  if (!root || cannotWatch(BASELINE_PARTS) !== undefined) lacking.add("fanotify");
  return lacking;
}

function hasSecurityHooks(): boolean {
  const { probes } = loadKernel(process.pid);
  if (!probes.ok) return false;
  using loaded = probes.value;
  return loaded.has("lsm");
}
