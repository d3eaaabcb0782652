/**
 * Embedded programs and libraries as sealed memory files: nothing of the guard is executed from a place where another
 * user, or the guarded tree, could have put or can change a file.
 */
import { ptr } from "bun:ffi";
import { closeSync, writeSync } from "node:fs";
import { AgentguardError } from "../lib/core/mod.ts";
import { launchErrno, type LaunchSymbols } from "./launch_symbols.ts";

/** include/uapi/linux/memfd.h */
const MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2, MFD_EXEC = 16;
/** include/uapi/linux/fcntl.h */
const F_ADD_SEALS = 1033, F_SEAL_SEAL = 1, F_SEAL_SHRINK = 2, F_SEAL_GROW = 4, F_SEAL_WRITE = 8;
const EINVAL = 22, EACCES = 13;

/** A memory file that holds `content` and cannot change; the caller closes it. Throws `unsupported`, `io`. */
export function sealedFile(libc: LaunchSymbols, label: string, content: Uint8Array): number {
  const name = Buffer.from(`${label}\0`);
  // SAFETY: the name is NUL-terminated and copied during the call.
  let fd = libc.memfd_create(ptr(name), MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
  let errno = fd < 0 ? launchErrno(libc) : 0;
  if (fd < 0 && errno === EINVAL) { // before Linux 6.3 every memory file is executable
    fd = libc.memfd_create(ptr(name), MFD_CLOEXEC | MFD_ALLOW_SEALING);
    errno = fd < 0 ? launchErrno(libc) : 0;
  }
  if (fd < 0) {
    const hint = errno === EACCES ? "; set sysctl vm.memfd_noexec to 0 or 1" : "";
    throw new AgentguardError("unsupported", `make an executable memory file for ${label}: errno ${errno}${hint}`);
  }
  try {
    for (let written = 0; written < content.byteLength;) written += writeSync(fd, content, written);
    const seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    if (libc.fcntl(fd, F_ADD_SEALS, seals) !== 0) {
      throw new AgentguardError("io", `seal the memory file of ${label}: errno ${launchErrno(libc)}`);
    }
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
