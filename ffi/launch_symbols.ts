/** The functions of libc that starting the command and leaving the terminal alone need, and nothing else. */
import { dlopen, type Library, read } from "bun:ffi";

const TABLE = {
  socketpair: { args: ["i32", "i32", "i32", "ptr"], returns: "i32" },
  send: { args: ["i32", "ptr", "usize", "i32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
  dup2: { args: ["i32", "i32"], returns: "i32" },
  fcntl: { args: ["i32", "i32", "i32"], returns: "i32" },
  memfd_create: { args: ["ptr", "u32"], returns: "i32" },
  posix_spawn: { args: ["ptr", "ptr", "ptr", "ptr", "ptr", "ptr"], returns: "i32" },
  posix_spawn_file_actions_init: { args: ["ptr"], returns: "i32" },
  posix_spawn_file_actions_adddup2: { args: ["ptr", "i32", "i32"], returns: "i32" },
  posix_spawn_file_actions_destroy: { args: ["ptr"], returns: "i32" },
  posix_spawnattr_init: { args: ["ptr"], returns: "i32" },
  posix_spawnattr_setflags: { args: ["ptr", "i16"], returns: "i32" },
  posix_spawnattr_setsigmask: { args: ["ptr", "ptr"], returns: "i32" },
  posix_spawnattr_destroy: { args: ["ptr"], returns: "i32" },
  waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
  sigaction: { args: ["i32", "ptr", "ptr"], returns: "i32" },
  isatty: { args: ["i32"], returns: "i32" },
  raise: { args: ["i32"], returns: "i32" },
  _exit: { args: ["i32"], returns: "void" },
  __errno_location: { args: [], returns: "ptr" },
} as const;

/** Bound functions. */
export type LaunchSymbols = Library<typeof TABLE>["symbols"];

/** Binds the table. libc stays loaded for the life of the process anyway, so that nothing is closed. */
export function launchSymbols(): LaunchSymbols {
  return dlopen("libc.so.6", TABLE).symbols;
}

/** The calling thread's errno. Read it directly after the failed call: a later one may change it. */
export function launchErrno(symbols: LaunchSymbols): number {
  const location = symbols.__errno_location();
  return location === null ? 0 : read.i32(location, 0);
}
