/** What a decoder makes of a record: an action, and the facts that only the process table needs. */
import type { Action } from "./action.ts";
import type { KernelVerdict } from "./decision.ts";
import type { Gap } from "./entry.ts";
import type { DecisionId } from "./ids.ts";

/** Facts beside the action, by what the record was. */
export type Facts =
  | {
    readonly kind: "exec";
    readonly ppid: number;
    readonly parent_start: string;
    readonly uid: number;
    /** Resolved path of the image that runs (the interpreter of a script). */
    readonly exe: string;
    /** Last two components of the cgroup v2 path. */
    readonly cgroup: string;
    /** Index of the `[[agent]]` entry that this exec matched; -1: none. */
    readonly agent_index: number;
  }
  | { readonly kind: "fork"; readonly child_pid: number; readonly child_start: string; readonly uid: number }
  | { readonly kind: "exit" }
  | {
    readonly kind: "open";
    readonly dev: number;
    readonly ino: number;
    readonly opened: boolean;
    /** Directory that a relative requested name begins from. */
    readonly base?: string | undefined;
  }
  | {
    readonly kind: "close";
    readonly fd: number;
    readonly dev: number;
    readonly ino: number;
    readonly read_bytes: number;
    readonly written_bytes: number;
  }
  /** Names that the kernel resolved and that we could only join: symbolic links in the parent are not followed yet. */
  | {
    readonly kind: "names";
    /** A symbolic link that is named at the end is meant itself. */
    readonly nofollow?: true;
    /** Directories that relative requested names begin from. */
    readonly base?: string;
    readonly new_base?: string;
  }
  /** The next record of this thread is what came of a held call. */
  | {
    readonly kind: "decided";
    readonly decided: DecisionId;
    readonly refused: boolean;
    /** It is a connection, or a message to an address. */
    readonly net: boolean;
  }
  /** Beside `net.dns`: the policy by which the kernel took the answer in, and until when it holds (boot clock). */
  | { readonly kind: "dns"; readonly generation: number; readonly expires_us: number }
  /** A network action whose address had a name when the kernel decided (boot clock), perhaps long before its end. */
  | { readonly kind: "named"; readonly decided_us: number }
  | { readonly kind: "scope"; readonly entered: boolean; readonly cgroup: string }
  | { readonly kind: "gap"; readonly gap: Gap }
  | { readonly kind: "plain" };

/** One decoded record. */
export interface Observed {
  /** The session's number in the kernel; 0 where the record could not know it. */
  readonly scope: number;
  /** CLOCK_BOOTTIME, microseconds. */
  readonly boot_us: number;
  readonly pid: number;
  readonly tid: number;
  /** Start of the process, boot-time nanoseconds, as two words: exact without a BigInt. */
  readonly start_low: number;
  readonly start_high: number;
  /** `undefined` for records that are only facts (`close`, `gap`). */
  readonly action?: Action | undefined;
  readonly kernel?: KernelVerdict | undefined;
  /** The call was held; with the decision that let it go or refused it, where one was made for it alone. */
  readonly held?: { readonly decided?: DecisionId; readonly refused?: boolean } | undefined;
  readonly facts: Facts;
}

/** A record that cannot be understood. Counted; never thrown. */
export interface DecodeError {
  readonly reason: "short" | "abi" | "op" | "size" | "field";
  readonly op: number;
}

/** The start time in the form that JSON shows. */
export function startText(low: number, high: number): string {
  const exact = high * 0x1_0000_0000 + low;
  if (exact <= Number.MAX_SAFE_INTEGER) return String(exact);
  return ((BigInt(high) << 32n) | BigInt(low)).toString();
}
