/** Debian packages, downloaded through the configured apt and unpacked, not installed. */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { mustRun, runCommand } from "../support/command.ts";
import { inRoot } from "../support/paths.ts";

/** Where everything of the virtual machines is kept. */
export const CACHE: string = inRoot("build", "vm");

/** Unpacks a package into a folder of the cache that is named after `key`, unless that was done. Returns the folder. */
export async function unpackPackage(key: string, name: () => Promise<string>): Promise<string> {
  const folder = join(CACHE, key);
  if (existsSync(folder)) return folder;
  const work = join(CACHE, `${key}.new`);
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  await download(await name(), work);
  const [file] = readdirSync(work).filter((each) => each.endsWith(".deb"));
  if (file === undefined) throw new Error(`apt-get download left no package in ${work}`);
  await mustRun(["dpkg-deb", "-x", join(work, file), join(work, "root")]);
  renameSync(join(work, "root"), folder);
  rmSync(work, { recursive: true });
  return folder;
}

/** What a package depends on directly, by `apt-cache depends`. Package lists are fetched where there are none. */
export async function dependsOf(name: string): Promise<readonly string[]> {
  const ask = async (): Promise<readonly string[]> => {
    const { stdout } = await runCommand(["apt-cache", "depends", name]);
    return [...stdout.matchAll(/^ +Depends: (\S+)$/gm)].flatMap(([, found]) => found ?? []);
  };
  const known = await ask();
  if (known.length > 0) return known;
  await mustRun(["apt-get", "update"]);
  return await ask();
}

async function download(name: string, work: string): Promise<void> {
  // apt downloads into the working directory.
  const argv = ["sh", "-c", 'cd "$1" && apt-get -o APT::Sandbox::User=root download "$2"', "sh", work, name];
  const first = await runCommand(argv);
  if (first.code === 0) return;
  await mustRun(["apt-get", "update"]);
  await mustRun(argv);
}
