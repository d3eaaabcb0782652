/** One step of a build: skipped when its inputs have the same content as after its last success. */

import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { inRoot, ROOT } from "./paths.ts";

/** A step; all paths are relative to the root of the repository. */
export interface Step {
  /** Short and unique; also the name of its stamp. */
  readonly name: string;
  /** Globs of the files that decide the result; at least one file must match each. */
  readonly inputs: readonly string[];
  /** What else decides the result: command lines, versions of system files. */
  readonly key: readonly string[];
  /** The files that exist after success. */
  readonly outputs: readonly string[];
  /** Makes the outputs; throws with the whole story on failure. */
  readonly action: () => Promise<void>;
}

/** Runs the step unless it is fresh. Returns true if it ran. */
export async function runStep(step: Step, stamps: string = inRoot("build", ".stamp")): Promise<boolean> {
  const stamp = `${stamps}/${step.name}`;
  const digest = digestOf(step);
  const fresh = existsSync(stamp) && readFileSync(stamp, "utf8") === digest;
  if (fresh && step.outputs.every((output) => existsSync(inRoot(output)))) return false;
  rmSync(stamp, { force: true });
  for (const output of step.outputs) mkdirSync(dirname(inRoot(output)), { recursive: true });
  await step.action();
  const missing = step.outputs.find((output) => !existsSync(inRoot(output)));
  if (missing !== undefined) throw new Error(`step ${step.name} ended without making ${missing}`);
  mkdirSync(stamps, { recursive: true });
  writeFileSync(stamp, digest);
  return true;
}

/** The files that match a glob, sorted; throws if there is none. */
export function filesOf(glob: string): readonly string[] {
  const files = [...new Bun.Glob(glob).scanSync({ cwd: ROOT, dot: true })].sort();
  if (files.length === 0) throw new Error(`no file matches ${glob}; the build needs at least one`);
  return files;
}

/** Identifies a file of the system cheaply, by path, size and time. */
export function identityOf(path: string): string {
  const { size, mtimeMs } = statSync(path);
  return `${path} ${size} ${mtimeMs}`;
}

function digestOf(step: Step): string {
  const hash = new Bun.CryptoHasher("sha256");
  for (const part of step.key) hash.update(`${part}\0`);
  for (const file of step.inputs.flatMap(filesOf)) {
    hash.update(`${file}\0`);
    hash.update(readFileSync(inRoot(file)));
  }
  return hash.digest("hex");
}
