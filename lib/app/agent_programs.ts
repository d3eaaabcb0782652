/** `[[agent]]` entries as the kernel looks for them. */
import type { PolicySnapshot } from "../decide/mod.ts";

/** What of an `[[agent]]` entry the kernel can look for; a glob in it is looked for by nobody but the bootstrap. */
export function agentPrograms(
  snapshot: PolicySnapshot,
): { readonly index: number; readonly paths: readonly string[]; readonly names: readonly string[] }[] {
  return snapshot.agents.map((agent, index) => {
    const plain = (agent.exe ?? []).filter((pattern) => !/[*?[\]{}~]/.test(pattern));
    return {
      index,
      paths: plain.filter((pattern) => pattern.startsWith("/")),
      names: plain.filter((pattern) => !pattern.includes("/")),
    };
  });
}
