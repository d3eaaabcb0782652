/** Short names of policies. */
import type { PolicyRef } from "../core/mod.ts";

/** The policy of an observation is named by the first 16 digits; decisions and the `policy` entry hold all 64. */
export function shortRef(ref: PolicyRef): PolicyRef {
  return { ...ref, digest: ref.digest.slice(0, 16) };
}
