/** Loading the programs: what is set before, and which groups this kernel takes. */
import { AgConfig } from "../../../probes/abi.gen.ts";
import { BpfObject, type Libbpf, type Shim, type SystemCalls } from "../../../ffi/mod.ts";
import { err, LIMITS, ok, type Result } from "../../core/mod.ts";
import { type BaseGroup, GROUPS, UNIX_ATTACH_TYPES } from "./groups.ts";
import type { OwnNumber } from "./own_number.ts";
import type { ProbeSupport } from "./port.ts";

/** What loading needs. */
export interface ProbeParts {
  readonly bpf: Libbpf;
  readonly shim: Shim;
  readonly system: SystemCalls;
  readonly image: Uint8Array;
  /** The programs at security hooks; without it they are not tried. */
  readonly lsm_image?: Uint8Array;
  /** The guard's own process in its own pid namespace; the programs leave it alone. */
  readonly self_pid: number;
  readonly ring_bytes?: { readonly decisions: number; readonly telemetry: number };
}

/** The sizes of the rings. */
export function ringBytes(parts: ProbeParts): { readonly decisions: number; readonly telemetry: number } {
  return parts.ring_bytes ?? { decisions: LIMITS.decision_ring_bytes, telemetry: LIMITS.telemetry_ring_bytes };
}

/** Says that a group was loaded. */
export function available(group: BaseGroup): ProbeSupport {
  return { group, available: true, detail: GROUPS[group].join(", ") };
}

/** An object whose programs were loaded. */
export interface LoadedGroups {
  readonly object: BpfObject;
  readonly hash_key: Uint8Array;
  /** What it was loaded with. */
  readonly self: OwnNumber;
}

/** Loads the programs of some groups; an error says the errno and what the kernel said last. */
export function loadGroups(
  parts: ProbeParts,
  self: OwnNumber,
  groups: readonly BaseGroup[],
): Result<LoadedGroups, string> {
  let reason = "";
  const hash_key = crypto.getRandomValues(new Uint8Array(16));
  // bpf_rdonly_cast came with Linux 6.2; without it paths are read by copying, a little slower.
  for (const has_cast of [1, 0]) {
    const config = new Uint8Array(AgConfig.SIZE);
    const view = new DataView(config.buffer);
    view.setUint32(AgConfig.self, self.tgid, true);
    view.setUint32(AgConfig.pid_level, self.level, true);
    view.setUint32(AgConfig.has_cast, has_cast, true);
    config.set(hash_key, AgConfig.key);
    const loaded = BpfObject.load(parts.bpf, parts.shim, parts.image, {
      programs: groups.flatMap((group) => GROUPS[group]),
      attach_types: UNIX_ATTACH_TYPES,
      sizes: ringBytes(parts),
      data: { ".rodata.config": config },
    });
    if (loaded.ok) return ok({ object: loaded.value, hash_key, self });
    reason = `${loaded.error.errno}: ${lastLine(loaded.error.log)}`;
    if (loaded.error.errno === "EPERM") break;
  }
  return err(reason);
}

function lastLine(log: string): string {
  const lines = log.split("\n").filter((line) => line.trim() !== "");
  return lines.find((line) => line.includes("failed to load") || line.includes("unknown func")) ?? lines.at(-1) ??
    "no message";
}

/** Loads each group by itself, to say which ones this kernel takes. */
export function tryGroups(parts: ProbeParts, self: OwnNumber, groups: readonly BaseGroup[]): ProbeSupport[] {
  return groups.map((group) => {
    const loaded = loadGroups({ ...parts, ring_bytes: { decisions: 4096, telemetry: 4096 } }, self, [group]);
    if (!loaded.ok) return { group, available: false, detail: loaded.error };
    loaded.value.object[Symbol.dispose]();
    return available(group);
  });
}
