/** The embedded BPF object of this architecture. */
import { readFileSync } from "node:fs";
import image_file from "../build/probes/agentguard.bpf.o" with { type: "file" };

/** Its bytes; about 100 KB. */
export function probeImage(): Uint8Array {
  return new Uint8Array(readFileSync(image_file));
}
