/** Regular files that a guarded command holds open before its first instruction: its redirected streams, mostly. */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import type { FileOpenAction, FileRef } from "../core/mod.ts";

/** One open file. */
export interface InheritedFile {
  readonly action: FileOpenAction;
  readonly file: FileRef;
}

/** include/uapi/asm-generic/fcntl.h. */
const O_ACCMODE = 3;
const O_RDWR = 2;
/** Descriptors that are looked at. */
const FDS_MAX = 1024;

/** Reads them from /proc; a descriptor that vanishes meanwhile is left out. */
export function inheritedFiles(pid: number): InheritedFile[] {
  const found: InheritedFile[] = [];
  for (const fd of readdirSync(`/proc/${pid}/fd`).slice(0, FDS_MAX)) {
    try {
      const stat = statSync(`/proc/${pid}/fd/${fd}`);
      if (!stat.isFile()) continue;
      const flags = parseInt(
        /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${fd}`, "latin1"))?.[1] ?? "0",
        8,
      );
      found.push({
        action: {
          type: (flags & O_ACCMODE) === 0 ? "file.read" : "file.write",
          path: readlinkSync(`/proc/${pid}/fd/${fd}`),
          flags: (flags & O_ACCMODE) === O_RDWR ? ["inherited", "reads"] : ["inherited"],
          result: "0",
        },
        file: { dev: kernelDevice(stat.dev), ino: stat.ino },
      });
    } catch {
      continue;
    }
  }
  return found;
}

/**
 * From the form of stat(2) (`new_encode_dev`) to the kernel's own, 12 bits of major and 20 of minor (linux/kdev_t.h).
 */
export function kernelDevice(dev: number): number {
  const major = Math.floor(dev / 256) % 4096;
  const minor = (dev % 256) + (Math.floor(dev / 1_048_576) * 256);
  return major * 1_048_576 + (minor % 1_048_576);
}
