/** Which system calls must wait for the guard, for the actions that a policy may refuse or ask about. */
import type { ActionType } from "../../core/mod.ts";
import type { NotifyRule } from "../../../ffi/mod.ts";

/** arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h. */
const NUMBERS = {
  x64: { execve: 59, execveat: 322 },
  arm64: { execve: 221, execveat: 281 },
} as const;

/** Numbers of the calls that start programs. */
export function execCalls(arch: string = process.arch): { readonly execve: number; readonly execveat: number } {
  return arch === "arm64" ? NUMBERS.arm64 : NUMBERS.x64;
}

/** The actions whose calls can be held in this version. */
export const HELD_ACTIONS: ReadonlySet<ActionType> = new Set<ActionType>(["exec"]);

/** The calls by which any of `actions` can be done, those that can be held. Empty: nothing need be held. */
export function notifyRules(actions: ReadonlySet<ActionType>, arch: string = process.arch): readonly NotifyRule[] {
  const { execve, execveat } = execCalls(arch);
  return actions.has("exec") ? [{ nr: execve }, { nr: execveat }] : [];
}
