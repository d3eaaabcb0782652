/** A policy in a thread of its own: what main has loaded already is loaded again there. */
import { AgentguardError } from "../core/mod.ts";
import { loadPolicy, type PolicySnapshot } from "../decide/mod.ts";
import type { PolicyLoad } from "./reader_protocol.ts";

/** Throws `policy` for a defect: main has loaded the same sources. */
export function compilePolicy(load: PolicyLoad): PolicySnapshot {
  const loaded = loadPolicy(load.sources, {
    generation: load.generation,
    only: "decide",
    ...(load.mode === undefined ? undefined : { mode: load.mode }),
  });
  if (loaded.ok) return loaded.value;
  throw new AgentguardError("policy", `load policy in a thread: ${loaded.error[0]?.message ?? "no reason"}`);
}
