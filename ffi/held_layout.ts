/** The structs of `ffi/native/hold.h`: byte offsets. A kernel test compiles that header and compares. */

/** `struct ag_hold_call`, at the beginning of `struct ag_hold`. */
export const CALL = {
  id: 0,
  args: 8,
  nr: 56,
  tid: 60,
  tgid: 64,
  ppid: 68,
  uid: 72,
  bytes: 4208,
} as const;

/** `struct ag_hold_exec`. */
export const EXEC = {
  ino: 0,
  hash: 8,
  name_hash: 16,
  dev: 24,
  hashed_bytes: 28,
  flags: 32,
  requested: 40,
  path: 48,
  interpreter: 56,
  cwd: 64,
  argv: 72,
  caller: 80,
  bytes: 88,
} as const;

/** `struct ag_hold`. */
export const HOLD = { exec: 4208, text: 4304, bytes: 135_376 } as const;

/** `enum ag_hold_flag`. */
export const HOLD_FLAG = { script: 1, args_truncated: 2, memfd: 4, deleted: 8 } as const;
