/** The probes, loaded ahead of everything that needs the policy: the longest step of a start goes beside the others. */
import type { Result } from "../core/mod.ts";
import { lsmImage, openLibbpf, openShim, probeImage, type Shim, SystemCalls } from "../../ffi/mod.ts";
import { KernelProbes, type ProbeSupport } from "../source/mod.ts";

/** The kernel as a reader gets it. */
export interface LoadedKernel {
  readonly shim: Shim;
  readonly system: SystemCalls;
  /** Nothing is attached; where this kernel or user takes no programs, why. */
  readonly probes: Result<KernelProbes, readonly ProbeSupport[]>;
}

/** Loads the probes on the thread that will read them. `self_pid`: the guard's own process. */
export function loadKernel(self_pid: number): LoadedKernel {
  const shim = openShim();
  const system = new SystemCalls(shim);
  const bpf = openLibbpf(shim);
  shim.ag_large_blocks(1);
  try {
    return {
      shim,
      system,
      probes: KernelProbes.load({ bpf, shim, system, image: probeImage(), lsm_image: lsmImage(), self_pid }),
    };
  } finally {
    shim.ag_large_blocks(0);
  }
}
