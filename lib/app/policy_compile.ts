/** A policy in a thread of its own: what main has loaded is taken over and made ready to decide. */
import { type PolicySnapshot, takeSnapshot } from "../decide/mod.ts";
import type { PolicyLoad } from "./reader_protocol.ts";

/** Throws `invariant` for a defect: main has loaded the policy. */
export function compilePolicy(load: PolicyLoad): PolicySnapshot {
  const snapshot = takeSnapshot(load.carried);
  snapshot.compile();
  return snapshot;
}
