/** The shared libraries that the executable embeds, copied from the system. */

import { copyFileSync, existsSync, realpathSync } from "node:fs";
import { mustRun } from "../support/command.ts";
import { inRoot } from "../support/paths.ts";
import { identityOf, type Step } from "../support/step.ts";

/** By soname, in the order in which they must be opened. */
const LIBRARIES: readonly string[] = ["libz.so.1", "libelf.so.1", "libbpf.so.1"];

/** One step that copies all libraries to build/lib. */
export async function libraryStep(): Promise<Step> {
  const found: [string, string][] = [];
  for (const name of LIBRARIES) found.push([name, await findLibrary(name)]);
  return {
    name: "libraries",
    inputs: [],
    key: found.map(([, path]) => identityOf(path)),
    outputs: LIBRARIES.map((name) => `build/lib/${name}`),
    action: (): Promise<void> => {
      for (const [name, path] of found) copyFileSync(path, inRoot("build", "lib", name));
      return Promise.resolve();
    },
  };
}

/** Asks the compiler, which knows the distribution's library folders. */
async function findLibrary(name: string): Promise<string> {
  const answer = (await mustRun(["gcc", `-print-file-name=${name}`])).trim();
  if (!answer.startsWith("/") || !existsSync(answer)) throw new Error(`run scripts/setup.sh: ${name} is not installed`);
  return realpathSync(answer);
}
