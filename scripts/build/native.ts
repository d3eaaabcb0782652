/** The small C beside TypeScript: the static launcher, and the shim library if its source exists. */

import { existsSync } from "node:fs";
import { mustRun } from "../support/command.ts";
import { inRoot } from "../support/paths.ts";
import { identityOf, type Step } from "../support/step.ts";

const WARNINGS: readonly string[] = ["-std=gnu11", "-Wall", "-Wextra", "-Werror"];

const SHIM_SOURCES: readonly string[] = ["hold", "hold_grant", "hold_listener", "hold_map", "record", "shim", "watch"]
  .map((name) => `ffi/native/${name}.c`);

/** One step per native file. */
export async function nativeSteps(): Promise<readonly Step[]> {
  const steps: Step[] = [await launchStep()];
  if (existsSync(inRoot("ffi/native/shim.c"))) {
    const output = "build/native/libagshim.so";
    const flags = ["-O2", "-shared", "-fPIC", "-pthread"];
    steps.push(nativeStep("shim", output, ["gcc", ...WARNINGS, ...flags, ...SHIM_SOURCES]));
  }
  return steps;
}

async function launchStep(): Promise<Step> {
  // musl has its own C headers; the kernel's come after them from the distribution.
  const machine = (await mustRun(["gcc", "-dumpmachine"])).trim();
  const kernel = ["-idirafter", "/usr/include", "-idirafter", `/usr/include/${machine}`];
  const flags = ["-static", "-Os", "-s", ...kernel];
  return nativeStep("launch", "build/native/launch", ["musl-gcc", ...WARNINGS, ...flags, "ffi/native/launch.c"]);
}

function nativeStep(name: string, output: string, command: readonly string[]): Step {
  return {
    name: `native-${name}`,
    inputs: ["ffi/native/*.{c,h}", "probes/include/*.h"],
    key: [...command, identityOf("/usr/bin/gcc")],
    outputs: [output],
    action: async (): Promise<void> => {
      await mustRun([...command, "-o", output]);
    },
  };
}
