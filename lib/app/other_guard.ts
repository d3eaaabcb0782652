/** The guard that has a state directory already, and what to do about it. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { AgentguardError } from "../core/mod.ts";
import { RECORD_LOCK_FILE } from "../record/mod.ts";
import { formatArgv } from "./format_text.ts";

/** Longest command line that is shown, characters. */
const ARGV_CHARS_MAX = 120;

/** Where a guard keeps what it has alone. */
export interface GuardDirectories {
  readonly state_dir: string;
  readonly runtime_dir: string;
}

/** The same error, with who the other guard is and how to start one beside it; any other error as it is. */
export function explainBusy(error: AgentguardError, { state_dir, runtime_dir }: GuardDirectories): AgentguardError {
  if (error.code !== "busy") return error;
  const pid = lockHolder(join(state_dir, RECORD_LOCK_FILE));
  if (pid === undefined) return error;
  const message =
    `start a guard on ${state_dir}: ${guardText(pid)} writes its record (agentguard status tells what it ` +
    `guards). Wait for its end or stop it (kill ${pid}), or give this one directories of its own: ` +
    `--state ${state_dir}-2 --runtime ${runtime_dir}-2`;
  return new AgentguardError("busy", message, { cause: error });
}

function guardText(pid: number): string {
  try {
    const argv = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    return `process ${pid} (${formatArgv(argv, ARGV_CHARS_MAX)})`;
  } catch {
    return `process ${pid}`; // it ends just now
  }
}

/** The process with a lock on the file: proc_locks(5). */
function lockHolder(path: string): number | undefined {
  try {
    const { ino } = statSync(path);
    const line = readFileSync("/proc/locks", "utf8").split("\n").find((each) =>
      !each.includes("->") && each.includes(" WRITE ") && each.split(/\s+/)[5]?.endsWith(`:${ino}`)
    );
    const pid = Number(line?.split(/\s+/)[4]);
    return Number.isInteger(pid) && pid > 0 ? pid : undefined;
  } catch {
    return undefined; // no such file any more, or no /proc
  }
}
