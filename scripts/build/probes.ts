/** The BPF objects: every probes/*.bpf.c for each architecture, with BTF but without DWARF. */

import { basename } from "node:path";
import { mustRun } from "../support/command.ts";
import { filesOf, identityOf, type Step } from "../support/step.ts";

/** All architectures that must compile, by the names of libbpf's `__TARGET_ARCH_` macros. */
const ARCHITECTURES: readonly string[] = ["x86", "arm64"];

/** The one that this machine runs; ffi/ embeds its objects. */
const HOST = process.arch === "arm64" ? "arm64" : "x86";

/** v3 has the atomic operations that return a value, and needs Linux 5.12; older compilers default to v1. */
const FLAGS: readonly string[] = ["-O2", "-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror", "-Iprobes/include"];

/** One step per architecture. */
export function probeSteps(): readonly Step[] {
  return ARCHITECTURES.map((arch) => {
    const sources = filesOf("probes/*.bpf.c");
    const directory = arch === HOST ? "build/probes" : `build/${arch}`;
    const objectOf = (source: string): string => `${directory}/${basename(source, ".c")}.o`;
    return {
      name: `probes-${arch}`,
      inputs: ["probes/**/*.{c,h}"],
      key: [...FLAGS, identityOf("/usr/bin/clang"), identityOf("/usr/include/bpf/bpf_helpers.h")],
      outputs: sources.map(objectOf),
      action: async (): Promise<void> => {
        for (const source of sources) {
          await mustRun(["clang", ...FLAGS, `-D__TARGET_ARCH_${arch}`, "-c", source, "-o", objectOf(source)]);
          await mustRun(["llvm-strip", "-g", objectOf(source)]);
        }
      },
    };
  });
}
