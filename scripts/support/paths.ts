/** Where things are: the root of the repository and the pinned tools. */

import { existsSync } from "node:fs";
import { join } from "node:path";

/** The root of the repository, without a trailing slash. */
export const ROOT: string = join(import.meta.dir, "..", "..");

/** The path of a file in the repository. */
export function inRoot(...parts: readonly string[]): string {
  return join(ROOT, ...parts);
}

/** The pinned tool's path; throws if setup has not run. */
export function toolPath(name: "bun" | "deno" | "oxlint"): string {
  const path = inRoot(".tools", "bin", name);
  if (!existsSync(path)) throw new Error(`run scripts/setup.sh first: ${path} is missing`);
  return path;
}

/** The environment of every command: pinned tools first, caches inside the repository, no questions to the network. */
export function toolEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined) environment[name] = value;
  }
  const path = environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin";
  return {
    ...environment,
    PATH: `${inRoot(".tools", "bin")}:${path}:/usr/sbin:/sbin`,
    DENO_DIR: inRoot(".tools", "deno"),
    DENO_NO_UPDATE_CHECK: "1",
    BUN_RUNTIME_TRANSPILER_CACHE_PATH: "0",
    NO_COLOR: "1",
  };
}
