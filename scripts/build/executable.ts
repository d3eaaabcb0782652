/** The product: one executable, and the check that it needs nothing but the C library. */

import { existsSync, renameSync, rmSync } from "node:fs";
import { basename } from "node:path";
import { mustRun, runCommand } from "../support/command.ts";
import { inRoot, toolPath } from "../support/paths.ts";
import { identityOf, type Step } from "../support/step.ts";

/** The path of the executable in the repository. */
export const EXECUTABLE = "dist/agentguard";

/** The entry point, then every Worker's; `new Worker` finds them in the executable by these paths. */
const ENTRIES: readonly string[] = [
  "main.ts",
  "lib/app/reader_worker.ts",
  "lib/app/recorder_worker.ts",
  "lib/app/holder_worker.ts",
];

/** What the working directory of a guarded command contains must never configure the guard. */
const FLAGS: readonly string[] = [
  "--compile",
  "--minify",
  "--sourcemap=none",
  // Parsed at build time: three threads parse nothing at a start, which was a quarter of it.
  "--bytecode",
  "--format=esm",
  // The main thread does hardly anything twice; the others set their own, see lib/app/runtime_threads.ts.
  "--compile-jit-policy=64",
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
];

/** Parts of the C library and the loader; anything else would have to be installed on the target. */
const LIBC = /^(linux-vdso|ld-linux[-\w]*|libc|libm|libpthread|libdl|librt)\.so[.\d]*$/;

/** The step that compiles the executable. */
export function executableStep(): Step {
  const missing = ENTRIES.find((entry) => !existsSync(inRoot(entry)));
  if (missing !== undefined) throw new Error(`write ${missing}: the executable has it as an entry point`);
  return {
    name: "executable",
    inputs: [
      "main.ts",
      "{lib,ffi}/**/*",
      "probes/*.ts",
      "build/{probes,lib,native}/*",
      "build/licenses.txt",
      "package.json",
      "bun.lock",
    ],
    key: [...FLAGS, ...ENTRIES, identityOf(toolPath("bun"))],
    outputs: [EXECUTABLE],
    action: compile,
  };
}

async function compile(): Promise<void> {
  // A running executable cannot be overwritten, but it can be replaced. Its name is compiled in: only the folder
  // differs.
  const fresh = `dist/.new/${basename(EXECUTABLE)}`;
  await mustRun([toolPath("bun"), "build", ...FLAGS, ...ENTRIES, "--outfile", fresh]);
  const foreign = foreignLibraries(await sharedLibraries(fresh));
  if (foreign.length > 0) {
    rmSync(inRoot(fresh));
    throw new Error(`embed what the executable needs besides the C library: ${foreign.join(", ")}`);
  }
  renameSync(inRoot(fresh), inRoot(EXECUTABLE));
}

async function sharedLibraries(path: string): Promise<string> {
  const { code, stdout, stderr } = await runCommand(["ldd", path]);
  if (code !== 0) throw new Error(`ldd ${path} failed: ${stderr}${stdout}`);
  return stdout;
}

/** The names in `ldd` output that are no part of the C library. */
export function foreignLibraries(ldd: string): readonly string[] {
  return ldd.split("\n").map((line) => line.trim().split(/\s/)[0] ?? "").filter((name) => name !== "")
    .map((name) => name.split("/").at(-1) ?? name).filter((name) => !LIBC.test(name));
}
