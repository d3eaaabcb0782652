/** What changes from run to run: the repository as it is now, with what was built, and the command. */

import { cpSync, existsSync, linkSync, lstatSync, mkdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { EXECUTABLE } from "../build/executable.ts";
import { mustRun } from "../support/command.ts";
import { inRoot, ROOT, toolPath } from "../support/paths.ts";
import { CACHE, unpackPackage } from "./package.ts";
import { makeImage } from "./userland.ts";

/** Built or installed, and needed by the tests. */
const FOLDERS: readonly string[] = ["dist", "build/probes", "build/lib", "build/native", "node_modules"];
/** The C programs of the escape suite, where they were built. */
export const PROGRAMS = "build/escape";
const FILES: readonly string[] = ["build/licenses.txt"];
const ROOM = 256 * 1024 ** 2;

/** The static busybox. */
export async function busybox(): Promise<string> {
  return join(await unpackPackage("busybox", () => Promise.resolve("busybox-static")), "bin", "busybox");
}

/** Makes the disk; `command` is a shell script that runs in the repository. Returns the path of the image. */
export async function payloadImage(command: string, name: string): Promise<string> {
  if (!existsSync(EXECUTABLE)) throw new Error("run scripts/build.sh first: there is no dist/agentguard");
  const stage = join(CACHE, `${name}.stage`);
  rmSync(stage, { recursive: true, force: true });
  const repository = join(stage, "repository");
  const tracked = await mustRun(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
  for (const file of tracked.split("\0").filter((each) => each !== "" && existsSync(inRoot(each)))) {
    link(inRoot(file), join(repository, file));
  }
  for (const folder of [...FOLDERS, PROGRAMS].filter((each) => existsSync(inRoot(each)))) {
    await linkFolder(folder, repository);
  }
  for (const file of FILES) link(inRoot(file), join(repository, file));
  link(realpathSync(toolPath("bun")), join(repository, ".tools", "bin", "bun"));
  cpSync(inRoot("scripts/vm/start.sh"), join(stage, "start.sh"));
  cpSync(await busybox(), join(stage, "busybox"));
  writeFileSync(join(stage, "root"), ROOT);
  writeFileSync(join(stage, "command.sh"), command);
  const image = join(CACHE, `${name}.ext4`);
  await makeImage(stage, image, ROOM);
  rmSync(stage, { recursive: true });
  return image;
}

/** Hard links: nothing is copied, and the stage is gone before anybody writes. */
function link(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  if (lstatSync(from).isSymbolicLink()) cpSync(from, to, { verbatimSymlinks: true });
  else linkSync(from, to);
}

async function linkFolder(folder: string, repository: string): Promise<void> {
  const to = join(repository, folder);
  mkdirSync(dirname(to), { recursive: true });
  await mustRun(["cp", "-al", inRoot(folder), to]);
}
