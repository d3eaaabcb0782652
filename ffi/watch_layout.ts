/** The structs of `ffi/native/watch.h`: byte offsets. A kernel test compiles that header and compares. */

/** `struct ag_watch_open`. */
export const WATCH_OPEN = {
  ino: 0,
  dev: 8,
  open_flags: 16,
  fd: 24,
  nr: 28,
  tid: 32,
  tgid: 36,
  ppid: 40,
  uid: 44,
  links: 48,
  flags: 52,
  path: 56,
  caller: 64,
  cwd: 72,
  text: 80,
  bytes: 12_368,
} as const;

/** `enum ag_watch_flag`. */
export const WATCH_FLAG = { directory: 1, deleted: 2, flags: 4, starts: 8 } as const;
