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
  serial: 4204,
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
  script_dev: 36,
  requested: 40,
  path: 48,
  interpreter: 56,
  cwd: 64,
  argv: 72,
  caller: 80,
  script_ino: 88,
  bytes: 96,
} as const;

/** `struct ag_hold`. */
export const HOLD = { exec: 4208, change: 4304, text: 4424, bytes: 135_496 } as const;

/** `struct ag_hold_change`. */
export const CHANGE = {
  ino: 0,
  dev: 8,
  open_flags: 16,
  action: 24,
  mode: 28,
  uid: 32,
  gid: 36,
  flags: 40,
  links: 44,
  requested: 48,
  path: 56,
  base: 64,
  new_requested: 72,
  new_path: 80,
  new_base: 88,
  cwd: 96,
  caller: 104,
  bytes: 112,
} as const;

/** `struct ag_hold_socket`. */
export const SOCKET = { address: 0, protocol: 16, port: 20, family: 22, action: 23, bytes: 24 } as const;

/** `enum ag_hold_socket_action`. */
export const SOCKET_ACTION = { connect: 1, send: 2 } as const;

/** `enum ag_hold_change_flag`. */
export const CHANGE_FLAG = { exists: 1, directory: 2, new_exists: 4, unhashed: 8 } as const;

/** `enum ag_hold_action`, in the order of its values from 1. */
export const CHANGE_KINDS = [
  "open",
  "delete",
  "rmdir",
  "mkdir",
  "mknod",
  "chmod",
  "chown",
  "truncate",
  "rename",
  "link",
  "symlink",
] as const;

/** `enum ag_hold_flag`. */
export const HOLD_FLAG = { script: 1, args_truncated: 2, memfd: 4, deleted: 8 } as const;

/** Of the events of a wait: a call was received. */
export const HELD_TAKEN = 0x10000;
