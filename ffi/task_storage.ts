/** Whether a process has an entry in a map of task storage, asked by its pidfd. */
import { ptr } from "bun:ffi";
import { AgentguardError, errnoName } from "../lib/core/mod.ts";
import type { SystemCalls } from "./system_call.ts";

/** include/uapi/linux/bpf.h: BPF_MAP_LOOKUP_ELEM and its part of union bpf_attr: map_fd, key, value, flags. */
const LOOKUP = 1, ATTR_BYTES = 32;
/** More than any value of task storage here. */
const VALUE_BYTES = 256;
const ENOENT = 2;

/** True if the process has an entry. Throws `io` where the kernel cannot tell: the process has ended, or no map. */
export function hasTaskStorage(system: SystemCalls, map_fd: number, pidfd: number): boolean {
  const key = new Int32Array([pidfd]);
  const value = new Uint8Array(VALUE_BYTES);
  const attr = new DataView(new ArrayBuffer(ATTR_BYTES));
  attr.setUint32(0, map_fd, true);
  attr.setBigUint64(8, BigInt(ptr(key)), true);
  attr.setBigUint64(16, BigInt(ptr(value)), true);
  // SAFETY: all buffers outlive the call; the value is larger than what the map holds.
  const result = system.call("bpf", LOOKUP, Number(ptr(new Uint8Array(attr.buffer))), ATTR_BYTES);
  if (result === 0) return true;
  if (result === -ENOENT) return false;
  throw new AgentguardError("io", `look up a process in task storage: ${errnoName(-result)}`);
}
