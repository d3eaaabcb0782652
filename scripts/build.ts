/** Builds dist/agentguard and what it embeds; every step is skipped when nothing that it reads has changed. */

import { utimesSync, writeFileSync } from "node:fs";
import { executableStep } from "./build/executable.ts";
import { libraryStep } from "./build/libraries.ts";
import { nativeSteps } from "./build/native.ts";
import { probeSteps } from "./build/probes.ts";
import { licenseStep } from "./licenses.ts";
import { runScript } from "./support/cli.ts";
import { mustRun } from "./support/command.ts";
import { inRoot, toolPath } from "./support/paths.ts";
import { runStep, type Step } from "./support/step.ts";

const HELP = `
Builds dist/agentguard from this repository (after scripts/setup.sh).

usage: scripts/build.sh [--only STEP] [--list]

  --only STEP   run one step: probes, native, libraries, abi, licenses or executable
  --list        print the steps

Makes build/probes/*.bpf.o, the other architectures' objects (only to know that they compile), build/native/*,
build/lib/*, build/licenses.txt and dist/agentguard. Progress goes to stderr; silence means that nothing had to be done.
`;

/** The steps by name, in order. Each is made when its turn comes, because it may look at what earlier ones made. */
const STEPS: Readonly<Record<string, () => Promise<readonly Step[]>>> = {
  probes: () => Promise.resolve(probeSteps()),
  native: nativeSteps,
  libraries: async () => [await libraryStep()],
  abi: () => Promise.resolve([abiStep()]),
  licenses: async () => [await licenseStep()],
  executable: () => Promise.resolve([executableStep()]),
};

function abiStep(): Step {
  return {
    name: "abi",
    inputs: ["probes/abi.c", "probes/abi.gen.ts", "probes/include/*.h", "scripts/gen_abi.ts", "scripts/abi/*.ts"],
    key: [],
    outputs: [],
    action: async (): Promise<void> => {
      await mustRun([toolPath("bun"), "scripts/gen_abi.ts", "--check"]);
    },
  };
}

async function build(only: string | undefined): Promise<number> {
  const started = new Date();
  const names = Object.keys(STEPS).filter((name) => only === undefined || name === only);
  if (names.length === 0) throw new Error(`no build step "${only}"; there are ${Object.keys(STEPS).join(", ")}`);
  for (const [index, name] of names.entries()) {
    for (const step of (await STEPS[name]?.()) ?? []) {
      const step_started_ms = performance.now();
      if (!await runStep(step)) continue;
      const seconds = ((performance.now() - step_started_ms) / 1000).toFixed(1);
      console.error(`[${index + 1}/${names.length}] built ${step.name} (${seconds} s)`);
    }
  }
  if (only === undefined) {
    // scripts/run.sh compares this time with every source: files changed while building are newer and count as changed.
    const stamp = inRoot("dist", ".stamp");
    writeFileSync(stamp, "");
    utimesSync(stamp, started, started);
  }
  return 0;
}

if (import.meta.main) {
  await runScript({ help: HELP, options: { only: "value", list: "flag" } }, async ({ only, list }) => {
    if (list === true) {
      console.log(Object.keys(STEPS).join("\n"));
      return 0;
    }
    return await build(typeof only === "string" ? only : undefined);
  });
}
