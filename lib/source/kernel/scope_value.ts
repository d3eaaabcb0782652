/** Which scope a task belongs to, as task storage holds it. */
import { AgHeld, AgScope } from "../../../probes/abi.gen.ts";

/** Classes of calls that wait for the guard. */
export interface HeldClasses {
  /** Program starts: each needs a grant. */
  readonly exec: boolean;
  /** Changes of files. */
  readonly files: boolean;
  /** Connections: each needs a grant. */
  readonly connect: boolean;
  /** Messages to addresses: each needs a grant. */
  readonly send: boolean;
}

/** Nothing waits. */
export const NOTHING_HELD: HeldClasses = { exec: false, files: false, connect: false, send: false };

/** A process to be put into a scope before its first instruction. */
export interface StoppedProcess {
  readonly pid: number;
  readonly scope: number;
  readonly cgroup_id: bigint;
  /** Its start as records have it, boot-time nanoseconds; 0 where it is not known. */
  readonly start: bigint;
  /** Which calls of it and its children wait for the guard. */
  readonly held: HeldClasses;
}

/** The value of task storage, a `struct ag_scope`. */
export function scopeValue({ scope, cgroup_id, start, held }: Omit<StoppedProcess, "pid">): Uint8Array {
  const value = new Uint8Array(AgScope.SIZE);
  const view = new DataView(value.buffer);
  view.setBigUint64(AgScope.cgroup_id, cgroup_id, true);
  view.setUint32(AgScope.scope, scope, true);
  view.setBigUint64(AgScope.start_ns, start, true);
  const classes = (held.exec ? AgHeld.EXEC : 0) | (held.files ? AgHeld.CALLS : 0) |
    (held.connect || held.send ? AgHeld.NET : 0);
  view.setUint32(AgScope.held, classes, true);
  return value;
}
