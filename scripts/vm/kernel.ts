/** The kernels of the virtual machines. */

import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { mustRun } from "../support/command.ts";
import { dependsOf, unpackPackage } from "./package.ts";

/** Short names, and the package that depends on the newest kernel of that line. */
export const KERNELS: Readonly<Record<string, string>> = {
  "6.1": "linux-image-cloud-amd64",
  "6.12": "linux-image-6.12-cloud-amd64",
};

/** What the root file system needs and the image may not have built in; what strace asks to name sockets. */
const MODULES: readonly string[] = ["virtio_pci", "virtio_blk", "tcp_diag", "udp_diag", "unix_diag"];

/** A kernel that can be booted. */
export interface Kernel {
  readonly name: string;
  /** As `uname -r` says it. */
  readonly release: string;
  /** Path of the image. */
  readonly image: string;
  /** Modules in the order in which they are loaded. */
  readonly modules: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

/** Fetches a kernel of `KERNELS`. Throws where it cannot be had. */
export async function fetchKernel(name: string): Promise<Kernel> {
  const meta = KERNELS[name];
  if (meta === undefined) throw new Error(`no kernel "${name}"; there are ${Object.keys(KERNELS).join(", ")}`);
  const root = await unpackPackage(`kernel-${name}`, async () => {
    const found = (await dependsOf(meta)).find((each) => each.startsWith("linux-image-"));
    if (found === undefined) throw new Error(`${meta} depends on no kernel image`);
    return found;
  });
  const image = readdirSync(join(root, "boot")).find((each) => each.startsWith("vmlinuz-"));
  if (image === undefined) throw new Error(`no kernel image in ${root}/boot`);
  const release = image.slice("vmlinuz-".length);
  return { name, release, image: join(root, "boot", image), modules: await modulesOf(root, release) };
}

/** The modules that are there, each behind those that it needs. */
async function modulesOf(root: string, release: string): Promise<Kernel["modules"]> {
  const folder = join(root, "lib", "modules", release, "kernel");
  const files = [...new Bun.Glob("**/{virtio*,*_diag}.ko{,.xz}").scanSync({ cwd: folder })];
  const modules = new Map<string, Uint8Array>();
  const add = async (name: string): Promise<void> => {
    const file = files.find((each) => basename(each).replace(/\.ko(\.xz)?$/, "") === name);
    if (file === undefined || modules.has(name)) return; // built in
    const path = join(folder, file);
    const bytes = file.endsWith(".xz") ? await unpackXz(path) : new Uint8Array(readFileSync(path));
    const [, needs = ""] = /\0depends=([^\0]*)\0/.exec(Buffer.from(bytes).toString("latin1")) ?? [];
    for (const each of needs.split(",").filter((need) => need !== "")) await add(each);
    modules.set(name, bytes);
  };
  for (const name of MODULES) await add(name);
  return [...modules].map(([name, bytes]) => ({ name, bytes }));
}

async function unpackXz(path: string): Promise<Uint8Array> {
  const child = Bun.spawn(["xz", "-dc", path], { stdout: "pipe", stderr: "inherit" });
  const bytes = await child.stdout.bytes();
  if (await child.exited !== 0) await mustRun(["xz", "-t", path]);
  return bytes;
}
