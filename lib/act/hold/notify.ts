/** Which system calls must wait for the guard, for the actions that a policy may refuse or ask about. */
import { type ActionType, FILE_ACTION_TYPES } from "../../core/mod.ts";
import type { ArgumentTest, NotifyRule } from "../../../ffi/mod.ts";

type CallName = keyof typeof X64;

/** arch/x86/entry/syscalls/syscall_64.tbl; what is negative there is nowhere. */
const X64 = {
  open: 2,
  connect: 42,
  sendto: 44,
  sendmsg: 46,
  execve: 59,
  truncate: 76,
  ftruncate: 77,
  rename: 82,
  mkdir: 83,
  rmdir: 84,
  creat: 85,
  link: 86,
  unlink: 87,
  symlink: 88,
  chmod: 90,
  fchmod: 91,
  chown: 92,
  fchown: 93,
  lchown: 94,
  mknod: 133,
  setxattr: 188,
  lsetxattr: 189,
  fsetxattr: 190,
  openat: 257,
  mkdirat: 258,
  mknodat: 259,
  fchownat: 260,
  unlinkat: 263,
  renameat: 264,
  linkat: 265,
  symlinkat: 266,
  fchmodat: 268,
  open_by_handle_at: 304,
  sendmmsg: 307,
  renameat2: 316,
  execveat: 322,
  io_uring_setup: 425,
  openat2: 437,
  fchmodat2: 452,
  setxattrat: 463,
} as const;

/** include/uapi/asm-generic/unistd.h. */
const ARM64: Readonly<Partial<Record<CallName, number>>> = {
  setxattr: 5,
  lsetxattr: 6,
  fsetxattr: 7,
  connect: 203,
  sendto: 206,
  sendmsg: 211,
  sendmmsg: 269,
  execve: 221,
  truncate: 45,
  ftruncate: 46,
  fchmod: 52,
  fchown: 55,
  openat: 56,
  mkdirat: 34,
  mknodat: 33,
  fchownat: 54,
  unlinkat: 35,
  renameat: 38,
  linkat: 37,
  symlinkat: 36,
  fchmodat: 53,
  open_by_handle_at: 265,
  renameat2: 276,
  execveat: 281,
  io_uring_setup: 425,
  openat2: 437,
  fchmodat2: 452,
  setxattrat: 463,
};

/** By action, the calls that do it. Opens come in beside these. */
const CALLS: Readonly<Partial<Record<ActionType, readonly CallName[]>>> = {
  "exec": ["execve", "execveat"],
  "file.delete": ["unlink", "unlinkat"],
  "file.rmdir": ["rmdir", "unlinkat"],
  "file.mkdir": ["mkdir", "mkdirat"],
  "file.mknod": ["mknod", "mknodat"],
  "file.chmod": ["chmod", "fchmod", "fchmodat", "fchmodat2"],
  "file.chown": ["chown", "lchown", "fchown", "fchownat"],
  "file.truncate": ["truncate", "ftruncate"],
  "file.rename": ["rename", "renameat", "renameat2"],
  "file.link": ["link", "linkat"],
  "file.symlink": ["symlink", "symlinkat"],
};
/** What a rule about files is also gone around by: another name for the object, or another object for the name. */
const NAME_CALLS: readonly CallName[] = ["rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"];
/** Ways to open and change files that cannot be held: they do not exist where files are. */
const UNANSWERED: readonly CallName[] = ["openat2", "open_by_handle_at", "io_uring_setup"];
/** An access control list gives and takes what a mode does. Its name is in the caller's memory: none is let through. */
const LISTS: readonly CallName[] = ["setxattr", "lsetxattr", "fsetxattr", "setxattrat"];

/** include/uapi/asm-generic/fcntl.h; the same on both architectures. */
const O_ACCMODE = 3n;
const O_CREAT = 0o100n;
const O_TRUNC = 0o1000n;
const O_PATH = 0o10000000n;
/** Opens that can write, by the bits of their flags: O_WRONLY, O_RDWR and the undefined 3. */
const WRITES: readonly (readonly [bigint, bigint])[] = [[1n, 1n], [2n, 2n]];
/** Any pointer but NULL. */
const SOME_POINTER = { mask: 0xffff_ffff_ffff_ffffn, value: 0n, unlike: true } as const;
/** Opens that can read: O_RDONLY, O_RDWR and the undefined 3. */
const READS: readonly bigint[] = [0n, 2n, 3n];

/** Calls that go to an address that the caller's memory has. */
const NET_CALLS: Readonly<Partial<Record<ActionType, readonly CallName[]>>> = {
  "net.connect": ["connect"],
  "net.send": ["sendmsg", "sendmmsg"],
};

/** The actions whose calls can be held in this version. */
export const HELD_ACTIONS: ReadonlySet<ActionType> = new Set<ActionType>([
  "exec",
  "net.connect",
  "net.send",
  ...FILE_ACTION_TYPES,
]);

/** Numbers of the calls that start programs. */
export function execCalls(arch: string = process.arch): { readonly execve: number; readonly execveat: number } {
  return { execve: numberOf("execve", arch), execveat: numberOf("execveat", arch) };
}

/** Numbers of the calls that connect, or send to an address. */
export function netCalls(arch: string = process.arch): readonly number[] {
  return [...Object.values(NET_CALLS).flat(), "sendto" as const].map((name) => numberOf(name, arch));
}

/** Numbers of the held calls that the guard answers with ENOSYS. */
export function unansweredCalls(arch: string = process.arch): readonly number[] {
  return [...UNANSWERED, ...LISTS].map((name) => numberOf(name, arch));
}

/**
 * The calls by which any of `actions` can be done, those that can be held. Empty: nothing need be held.
 * `reads_watched`: opens for reading wait by fanotify, however they are made.
 */
export function notifyRules(
  actions: ReadonlySet<ActionType>,
  { reads_watched = false, arch = process.arch }: { readonly reads_watched?: boolean; readonly arch?: string } = {},
): readonly NotifyRule[] {
  const names = new Set<CallName>();
  const held = new Set([...actions].filter((action) => HELD_ACTIONS.has(action)));
  const files = [...held].some((action) => action.startsWith("file."));
  if (reads_watched) held.delete("file.read");
  for (const action of held) for (const name of CALLS[action] ?? NET_CALLS[action] ?? []) names.add(name);
  if (files) { for (const name of [...NAME_CALLS, ...unanswered(held)]) names.add(name); }
  if (actions.has("file.chmod")) { for (const name of LISTS) names.add(name); }
  const rules: NotifyRule[] = [];
  for (const name of names) {
    const nr = numberOf(name, arch);
    if (nr >= 0) rules.push({ nr });
  }
  // A send without an address is on a socket that is connected.
  if (held.has("net.send")) rules.push({ nr: numberOf("sendto", arch), when: [{ ...SOME_POINTER, arg: 4 }] });
  return [...rules, ...openRules(held, arch)];
}

/** Where no open has to be held, only what does more than opening need not exist. */
function unanswered(held: ReadonlySet<ActionType>): readonly CallName[] {
  const opens = (["file.read", "file.write", "file.create", "file.truncate"] as const).some((type) => held.has(type));
  return opens ? UNANSWERED : ["io_uring_setup"];
}

/** What kinds of calls rules are about. */
export function heldClasses(
  rules: readonly NotifyRule[],
  arch: string = process.arch,
): { readonly exec: boolean; readonly files: boolean; readonly connect: boolean; readonly send: boolean } {
  const execs = Object.values(execCalls(arch));
  const nets = netCalls(arch);
  const connect = numberOf("connect", arch);
  return {
    exec: rules.some(({ nr }) => execs.includes(nr)),
    files: rules.some(({ nr }) => !execs.includes(nr) && !nets.includes(nr)),
    connect: rules.some(({ nr }) => nr === connect),
    send: rules.some(({ nr }) => nets.includes(nr) && nr !== connect),
  };
}

/** Opens, by the flags that make them matter. */
function openRules(actions: ReadonlySet<ActionType>, arch: string): readonly NotifyRule[] {
  const flags: (readonly [bigint, bigint])[] = [];
  if (actions.has("file.write")) flags.push(...WRITES);
  if (actions.has("file.create")) flags.push([O_CREAT, O_CREAT]);
  if (actions.has("file.truncate")) flags.push([O_TRUNC, O_TRUNC]);
  if (actions.has("file.read")) flags.push(...READS.map((mode) => [O_ACCMODE | O_PATH, mode] as const));
  if (flags.length === 0) return [];
  const tests = (arg: number): readonly ArgumentTest[] => flags.map(([mask, value]) => ({ arg, mask, value }));
  const opens: NotifyRule[] = [{ nr: numberOf("openat", arch), when: tests(2) }];
  const [open, creat] = [numberOf("open", arch), numberOf("creat", arch)];
  if (open >= 0) opens.push({ nr: open, when: tests(1) });
  if (creat >= 0) opens.push({ nr: creat });
  return opens;
}

/** -1 where the architecture has no such call. */
function numberOf(name: CallName, arch: string): number {
  return arch === "arm64" ? ARM64[name] ?? -1 : X64[name];
}
