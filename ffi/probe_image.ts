/** The embedded BPF objects of this architecture. */
import { readFileSync } from "node:fs";
import image_file from "../build/probes/agentguard.bpf.o" with { type: "file" };
import lsm_file from "../build/probes/lsm.bpf.o" with { type: "file" };

/** The bytes of the probes; about 100 KB. */
export function probeImage(): Uint8Array {
  return new Uint8Array(readFileSync(image_file));
}

/** The bytes of the programs at security hooks. */
export function lsmImage(): Uint8Array {
  return new Uint8Array(readFileSync(lsm_file));
}
