/** Records of security hooks: what they refused, told as the action that it would have been. */
import { AgFileAction, AgRefused, AgRefusedFlag } from "../../probes/abi.gen.ts";
import type { Action, Facts, KernelVerdict } from "../core/mod.ts";
import type { Frame } from "./frame.ts";

type OneName = "file.read" | "file.write" | "file.create" | "file.truncate";
type Change = "file.delete" | "file.mkdir" | "file.rmdir" | "file.chmod" | "file.chown" | "file.mknod";
type TwoNames = "file.rename" | "file.link" | "file.symlink";

const OPENS: Readonly<Record<number, OneName | undefined>> = {
  [AgFileAction.READ]: "file.read",
  [AgFileAction.WRITE]: "file.write",
  [AgFileAction.CREATE]: "file.create",
  [AgFileAction.TRUNCATE]: "file.truncate",
};
const CHANGES: Readonly<Record<number, Change | undefined>> = {
  [AgFileAction.DELETE]: "file.delete",
  [AgFileAction.MKDIR]: "file.mkdir",
  [AgFileAction.RMDIR]: "file.rmdir",
  [AgFileAction.CHMOD]: "file.chmod",
  [AgFileAction.CHOWN]: "file.chown",
  [AgFileAction.MKNOD]: "file.mknod",
};
const MOVES: Readonly<Record<number, TwoNames | undefined>> = {
  [AgFileAction.RENAME]: "file.rename",
  [AgFileAction.LINK]: "file.link",
};

/** What is refused without a rule. */
const ASSAULTS: Readonly<Record<number, string | undefined>> = {
  [AgFileAction.SIGNAL]: "signal to the guard",
  [AgFileAction.TRACE]: "access to the guard's memory or descriptors",
  [AgFileAction.BPF]: "bpf system call",
  [AgFileAction.CGROUP]: "change of a cgroup",
  [AgFileAction.OWN]: "the guard's own files",
  [AgFileAction.CONTROL]: "limits, priority or processors of the guard",
  [AgFileAction.SCRIPT]: "another file under the name of a script that was let go",
};

/** A refusal: `EPERM` before anything happened. */
export function decodeRefused(frame: Frame):
  | { readonly action: Action; readonly kernel: KernelVerdict; readonly facts: Facts }
  | undefined {
  const action = refusedAction(frame);
  if (action === undefined) return undefined;
  const flags = frame.u32(AgRefused.flags);
  const assault = ASSAULTS[frame.u32(AgRefused.action)];
  const exchanged = frame.u32(AgRefused.action) === AgFileAction.SCRIPT;
  const why = exchanged
    ? "the script was exchanged after the decision"
    : assault !== undefined
    ? "the guard protects itself"
    : (flags & AgRefusedFlag.UNDECIDABLE) !== 0
    ? "the path is deeper or longer than the kernel's programs can compare"
    : undefined;
  const kernel: KernelVerdict = {
    verdict: "deny",
    rule_index: frame.i32(AgRefused.rule_index),
    generation: frame.u32(AgRefused.generation),
    ...(exchanged ? endedEffect(flags) : { effect: "refused", mechanism: "lsm" }),
    ...((flags & AgRefusedFlag.OBJECT) !== 0 ? { by_object: true } : undefined),
    ...(why === undefined ? undefined : { why }),
  };
  return { action, kernel, facts: { kind: "plain" } };
}

/** The interpreter is ended before it has read anything. */
function endedEffect(flags: number): Pick<KernelVerdict, "effect"> {
  return { effect: (flags & AgRefusedFlag.FAILED) !== 0 ? "none" : "killed" };
}

function refusedAction(frame: Frame): Action | undefined {
  const number = frame.u32(AgRefused.action);
  const path_bytes = frame.u16(AgRefused.path_bytes);
  const path = frame.text(AgRefused.SIZE, path_bytes);
  const second = frame.text(AgRefused.SIZE + path_bytes, frame.u16(AgRefused.new_path_bytes));
  const result = "EPERM";
  const opened = OPENS[number];
  if (opened !== undefined) return { type: opened, path, result };
  const changed = CHANGES[number];
  if (changed !== undefined) return { type: changed, path, result };
  const moved = MOVES[number];
  if (moved !== undefined) return { type: moved, path, new_path: second, result };
  const assault = ASSAULTS[number];
  if (assault !== undefined) return { type: "guard.tamper", detail: assaultText(frame, assault, path) };
  switch (number) {
    case AgFileAction.SYMLINK:
      // The hook is asked about the new name; the target is text that nobody resolves.
      return { type: "file.symlink", path: "", new_path: path, missing: ["path"], result };
    case AgFileAction.UNIX_CONNECT:
      return { type: "unix.connect", path, result };
    case AgFileAction.EXEC:
    case AgFileAction.MAP_EXEC: {
      const requested = second === "" || second === path ? undefined : { requested_path: second };
      return { type: "exec", path, ...requested, argv: [], missing: ["argv"] };
    }
    default:
      return undefined;
  }
}

function assaultText(frame: Frame, what: string, path: string): string {
  const detail = frame.u32(AgRefused.detail);
  if (path !== "") return `${what} (${path})`;
  const target = frame.u32(AgRefused.target);
  if (target === 0) return `${what} (command ${detail})`;
  return `${what} (pid ${target}, ${detail})`;
}
