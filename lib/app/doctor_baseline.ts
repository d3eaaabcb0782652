/** Tries what of a command's baseline this host can do: a command is set up with all of it, and never let run. */
import { ALL_PARTS, type BaselinePart, errnoName, errorMessage } from "../core/mod.ts";
import { launchCommand, type StartState } from "../../ffi/mod.ts";
import { sleep } from "../task/mod.ts";
import type { Check } from "./command_doctor.ts";

/** What each part is for, and what to do where a host does not have it. */
const PARTS: Readonly<Record<BaselinePart, { readonly name: string; readonly fix: string }>> = {
  privileges: { name: "take capabilities and set-user-id programs from commands", fix: "use Linux 3.5 or later" },
  namespaces: { name: "keep commands from namespaces and mounts", fix: "use a kernel with CONFIG_SECCOMP_FILTER" },
  syscalls: {
    name: "keep commands from io_uring, foreign ABIs and calls that change the host",
    fix: "use a kernel with CONFIG_SECCOMP_FILTER",
  },
  trace: { name: "keep commands from the memory of other processes", fix: "use a kernel with CONFIG_SECCOMP_FILTER" },
  mounts: {
    name: "hide the guard's files and the host's services from commands",
    fix: "run as root, in a container with CAP_SYS_ADMIN",
  },
  trees: {
    name: "keep commands from changing files elsewhere than listed",
    fix: "use Linux 6.2 or later with landlock",
  },
  ports: { name: "keep commands from TCP ports that are not listed", fix: "use Linux 6.7 or later with landlock" },
  scope: {
    name: "keep signals and abstract sockets of commands within their tree",
    fix: "use Linux 6.12 or later with landlock in lsm=; before that only the guard's main threads are protected",
  },
};

/** One check for each part. */
export async function baselineChecks(state: StartState): Promise<readonly Check[]> {
  try {
    await using command = await launchCommand({
      argv: ["true"],
      on_failure: "deny",
      state,
      sleep: (delay_ms) => sleep(delay_ms),
      baseline: { parts: ALL_PARTS, capabilities: 0n, places: [], ports: { bind: [], connect: [] } },
    });
    return ALL_PARTS.map((part) => partCheck(part, command.baseline.get(part)));
  } catch (error) {
    return [{ id: "baseline", name: "set a command up", state: "missing", detail: errorMessage(error) }];
  }
}

function partCheck(part: BaselinePart, errno: number | undefined): Check {
  const { name, fix } = PARTS[part];
  const id = `baseline.${part}`;
  if (errno === 0) return { id, name, state: "ok", detail: "set up a command with it, which was not let run" };
  const detail = errno === undefined ? "the launcher did not tell" : `tried, ${errnoName(errno)}`;
  return { id, name, state: "missing", detail, fix };
}
