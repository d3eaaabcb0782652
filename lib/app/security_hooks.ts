/** Whether this host has security hooks for the guard: no file tells, so they are tried. */
import type { EnforcementMechanism } from "../decide/mod.ts";
import { loadKernel } from "./loaded_kernel.ts";

/** Adds `lsm` where the hooks cannot be had, or where this user may not try. Nothing stays loaded. */
export function lackingTried(lacking: ReadonlySet<EnforcementMechanism>): ReadonlySet<EnforcementMechanism> {
  return process.geteuid?.() === 0 && hasSecurityHooks() ? lacking : new Set([...lacking, "lsm"]);
}

function hasSecurityHooks(): boolean {
  const { probes } = loadKernel(process.pid);
  if (!probes.ok) return false;
  using loaded = probes.value;
  return loaded.has("lsm");
}
