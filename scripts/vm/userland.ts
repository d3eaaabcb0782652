/** The programs of the guest: what packages of this machine consist of, as an ext4 image. */

import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mustRun, runCommand } from "../support/command.ts";
import { runStep } from "../support/step.ts";
import { inRoot } from "../support/paths.ts";
import { CACHE } from "./package.ts";

/** What the tests use; their dependencies come along. */
const PACKAGES: readonly string[] = [
  "bash",
  "bpftool",
  "coreutils",
  "dash",
  "diffutils",
  "findutils",
  "gcc",
  "grep",
  "iproute2",
  "libc-bin",
  "libc6-dev",
  "linux-libc-dev",
  "mount",
  "musl-tools",
  "procps",
  "python3",
  "sed",
  "socat",
  "strace",
  "util-linux",
];

/** Room for what the guest writes, bytes; writes are thrown away when it is switched off. */
const ROOM = 2 * 1024 ** 3;
const IMAGE = "build/vm/userland.ext4";

/** Makes the image where the packages have changed; returns its path. */
export async function userlandImage(): Promise<string> {
  const packages = await closure();
  await runStep({
    name: "vm-userland",
    inputs: ["scripts/vm/userland.ts"],
    key: packages,
    outputs: [IMAGE],
    action: () => build(packages.map((line) => line.split(" ")[0] ?? "")),
  });
  return inRoot(IMAGE);
}

/** All packages that are needed and installed, each with its version. */
async function closure(): Promise<readonly string[]> {
  const no = ["recommends", "suggests", "conflicts", "breaks", "replaces", "enhances"].map((each) => `--no-${each}`);
  const found = await mustRun(["apt-cache", "depends", "--recurse", "--installed", ...no, ...PACKAGES]);
  const names = new Set(found.split("\n").filter((line) => /^[a-z0-9]/.test(line)));
  const shown = await runCommand(["dpkg-query", "-W", "-f", "${Package} ${Version} ${db:Status-Status}\n", ...names]);
  const packages = shown.stdout.split("\n").filter((line) => line.endsWith(" installed")).sort();
  const missing = PACKAGES.filter((name) => !packages.some((line) => line.startsWith(`${name} `)));
  if (missing.length > 0) throw new Error(`install these Debian packages for the guest: ${missing.join(" ")}`);
  return packages;
}

async function build(packages: readonly string[]): Promise<void> {
  const stage = join(CACHE, "userland.stage");
  rmSync(stage, { recursive: true, force: true });
  for (
    const folder of ["usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "proc", "sys", "dev", "tmp", "run", "vm"]
  ) {
    mkdirSync(join(stage, folder), { recursive: true });
  }
  for (const name of ["bin", "sbin", "lib", "lib64"]) symlinkSync(`usr/${name}`, join(stage, name));
  const listed = await mustRun(["dpkg-query", "-L", ...packages]);
  const files = new Set(listed.split("\n").filter((path) => path.startsWith("/") && path !== "/.").map(merged));
  const wanted = [...files].filter((path) =>
    !/^\/usr\/share\/(doc|man|locale|info|lintian)\//.test(path) && existsSync(path)
  );
  const list = join(CACHE, "userland.list");
  writeFileSync(
    list,
    [...wanted, "/etc/passwd", "/etc/group", "/etc/alternatives"].map((path) => path.slice(1)).join("\n"),
  );
  const copy = 'tar -C / --no-recursion -T "$1" -cf - | tar -C "$2" --keep-directory-symlink -xf -';
  await mustRun(["bash", "-o", "pipefail", "-c", copy, "bash", list, stage]);
  writeFileSync(join(stage, "etc/nsswitch.conf"), "passwd: files\ngroup: files\nhosts: files\n");
  writeFileSync(join(stage, "etc/hosts"), "127.0.0.1 localhost\n");
  writeFileSync(join(stage, "etc/hostname"), "guest\n");
  writeFileSync(join(stage, "etc/shells"), "/bin/sh\n/bin/bash\n");
  await mustRun(["ldconfig", "-r", stage]);
  await makeImage(stage, inRoot(IMAGE), ROOM);
  rmSync(stage, { recursive: true });
}

/** `/bin/x` is `/usr/bin/x` on every system with merged folders. */
function merged(path: string): string {
  return /^\/(bin|sbin|lib|lib64)(\/|$)/.test(path) ? `/usr${path}` : path;
}

/** An ext4 image with the content of a folder and room for more; the file is sparse. */
export async function makeImage(folder: string, image: string, room: number): Promise<void> {
  const used = Number((await mustRun(["du", "-s", "--block-size=1", folder])).split("\t")[0]);
  rmSync(image, { force: true });
  const megabytes = Math.ceil((used * 1.1 + room) / 1024 ** 2);
  const options = ["-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-E", "lazy_itable_init=1", "-d", folder];
  await mustRun(["mke2fs", ...options, image, `${megabytes}M`]);
}
