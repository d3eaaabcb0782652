/** Which scope a task belongs to, as task storage holds it. */
import { AgScope } from "../../../probes/abi.gen.ts";

/** A process to be put into a scope before its first instruction. */
export interface StoppedProcess {
  readonly pid: number;
  readonly scope: number;
  readonly cgroup_id: bigint;
  /** Its start as records have it, boot-time nanoseconds; 0 where it is not known. */
  readonly start: bigint;
  /** Every program start of it and its children waits for a grant. */
  readonly held: boolean;
}

/** The value of task storage, a `struct ag_scope`. */
export function scopeValue({ scope, cgroup_id, start, held }: Omit<StoppedProcess, "pid">): Uint8Array {
  const value = new Uint8Array(AgScope.SIZE);
  const view = new DataView(value.buffer);
  view.setBigUint64(AgScope.cgroup_id, cgroup_id, true);
  view.setUint32(AgScope.scope, scope, true);
  view.setBigUint64(AgScope.start_ns, start, true);
  view.setUint32(AgScope.held, held ? 1 : 0, true);
  return value;
}
