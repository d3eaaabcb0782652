/** The options of a launch as its first message. */
import { AgentguardError, errorMessage } from "../lib/core/mod.ts";
import { PATH_BYTES } from "./launch_baseline.ts";
import { encodeConfig, FDS_MAX } from "./launch_protocol.ts";
import { TESTS_MAX } from "./launch_tests.ts";
import type { LaunchOptions } from "./launch_types.ts";

/** An argument as the kernel takes it, without its NUL. Throws `usage`. */
export function argumentBytes(argument: string | Uint8Array): Uint8Array {
  const bytes = typeof argument === "string" ? new TextEncoder().encode(argument) : argument;
  if (bytes.includes(0)) throw new AgentguardError("usage", "remove the NUL from the command's arguments");
  return bytes;
}

/** The first message to the launcher. Throws `usage` where something is out of bounds. */
export function configBytes(options: LaunchOptions): Uint8Array<ArrayBuffer> {
  const { on_failure, cwd = "", lost_file: lost = "", cgroup_dir: cgroup = "", held_file: held = "" } = options;
  const { state, notify = [], baseline } = options;
  try {
    return encodeConfig({
      on_failure,
      cwd,
      lost,
      cgroup,
      held,
      notify,
      ...(baseline === undefined ? {} : { baseline }),
      ...state,
    });
  } catch (cause) {
    const bounds = `at most ${FDS_MAX} inherited descriptors, ${TESTS_MAX} tests, ${
      PATH_BYTES - 1
    } bytes for each path`;
    throw new AgentguardError("usage", `start the command with ${bounds}: ${errorMessage(cause)}`, { cause });
  }
}
