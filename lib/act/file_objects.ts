/** What the kernel knows files by: the device of the file system and the inode, as its own structures hold them. */
import { closeSync, lstatSync, openSync, readdirSync, readFileSync } from "node:fs";

/** One object. */
export interface FileObject {
  /** Kernel encoding: 12 bits of major, 20 of minor. */
  readonly dev: number;
  readonly ino: bigint;
}

/** Finds the objects that have a name now. */
export interface ObjectFinder {
  /** The object of a path, links followed; `undefined` where there is none. */
  find(path: string): FileObject | undefined;
  /** The objects below a directory that have names elsewhere, too; at most so many names are looked at. */
  linked(directory: string, names_max: number): readonly FileObject[];
}

/** Asks for no right to read; the file is only pinned (include/uapi/asm-generic/fcntl.h). */
const O_PATH = 0o10000000;

/** The running host. stat(2) says something else than the kernel for overlays and subvolumes, so /proc is asked. */
export class HostObjects implements ObjectFinder {
  #devices: ReadonlyMap<string, number> = new Map();

  find(path: string): FileObject | undefined {
    let fd: number;
    try {
      fd = openSync(path, O_PATH);
    } catch {
      return undefined; // nothing has that name now
    }
    try {
      return this.#identify(fd);
    } finally {
      closeSync(fd);
    }
  }

  linked(directory: string, names_max: number): readonly FileObject[] {
    const found: FileObject[] = [];
    const waiting = [directory];
    let looked = 0;
    for (let next = waiting.pop(); next !== undefined && looked < names_max; next = waiting.pop()) {
      for (const name of namesIn(next)) {
        if (++looked > names_max) break;
        const path = `${next}/${name}`;
        const stat = lstatSync(path, { throwIfNoEntry: false });
        if (stat?.isDirectory() === true) waiting.push(path);
        if (stat?.isFile() !== true || stat.nlink < 2) continue;
        const object = this.find(path);
        if (object !== undefined) found.push(object);
      }
    }
    return found;
  }

  /** fs/proc/fd.c shows inode and mount of a descriptor, fs/proc_namespace.c the device of a mount. */
  #identify(fd: number): FileObject | undefined {
    const info = readFileSync(`/proc/self/fdinfo/${fd}`, "latin1");
    const [, ino] = /^ino:\s*(\d+)$/m.exec(info) ?? [];
    const [, mount] = /^mnt_id:\s*(\d+)$/m.exec(info) ?? [];
    if (ino === undefined || mount === undefined) return undefined;
    const dev = this.#devices.get(mount) ?? this.#readDevices().get(mount);
    return dev === undefined ? undefined : { dev, ino: BigInt(ino) };
  }

  #readDevices(): ReadonlyMap<string, number> {
    const lines = readFileSync("/proc/self/mountinfo", "latin1").matchAll(/^(\d+) \d+ (\d+):(\d+) /gm);
    this.#devices = new Map(
      [...lines].map(([, id = "", major, minor]) => [id, Number(major) * 0x10_0000 + Number(minor)]),
    );
    return this.#devices;
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // gone meanwhile
  }
}
