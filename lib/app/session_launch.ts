/** A session's command, set up to the point before its exec: with what it gives up, and with what will wait. */
import { homedir } from "node:os";
import { basename, resolve } from "node:path";
import { notifyRules, type PlannedBaseline, processStart, type SessionCgroup } from "../act/mod.ts";
import type { Config } from "../config/mod.ts";
import {
  type ActionType,
  AgentguardError,
  errorMessage,
  type Log,
  type SessionId,
  type SessionInfo,
} from "../core/mod.ts";
import { launchCommand, type LaunchedCommand, type NotifyRule, type StartState } from "../../ffi/mod.ts";
import { sleep } from "../task/mod.ts";
import type { RunCommand } from "./command.ts";
import type { Guard } from "./guard.ts";
import { keptDetails } from "./kept_baseline.ts";
import { lostFile } from "./lost_sessions.ts";
import { processGroups } from "./process_details.ts";
import { secretVariables, withoutVariables } from "./secret_variables.ts";
import { sessionBaseline } from "./session_baseline.ts";
import { staysWatched } from "./watched_policy.ts";

/** What a command is set up with. */
export interface LaunchParts {
  readonly guard: Guard;
  readonly config: Config;
  readonly log: Log;
  /** The state that the guard was started in, which the command gets back. */
  readonly state: StartState;
  readonly command: RunCommand;
  readonly session_id: SessionId;
  readonly leaf: SessionCgroup | undefined;
  /** Actions whose calls wait. */
  readonly waiting: ReadonlySet<ActionType>;
  /** Where what waits is noted for the launcher; absent: the command ends with the guard. */
  readonly held_file: string | undefined;
}

/** A command that waits before its exec; dispose it. */
export interface LaunchedSession {
  readonly launched: LaunchedCommand;
  readonly session: SessionInfo;
  /** The calls that wait. */
  readonly notify: readonly NotifyRule[];
  /** What it reads waits by fanotify. */
  readonly reads_watched: boolean;
  readonly baseline: PlannedBaseline | undefined;
}

/** `watched`: reads wait by fanotify; where that cannot be after all, their calls do, and it is told. */
export async function launchSession(
  parts: LaunchParts,
  { watched }: { readonly watched: boolean },
): Promise<LaunchedSession> {
  const first = await launch(parts, watched);
  if (!watched) return first;
  const { launched, session } = first;
  try {
    if (!staysWatched(launched.baseline)) throw new AgentguardError("unsupported", "the baseline is not complete");
    const holder = await parts.guard.useHolder();
    launched.keepWatch(await holder.watch(session, launched.pid));
    return first;
  } catch (error) {
    await launched.finish({ kill_rest: true });
    const detail = `reads wait by seccomp, not by fanotify: ${errorMessage(error)}`;
    parts.log.warn(detail);
    parts.guard.note({ type: "guard.degraded", detail });
    return await launch(parts, false);
  }
}

async function launch(parts: LaunchParts, reads_watched: boolean): Promise<LaunchedSession> {
  const { guard, config, state, command, session_id, leaf, waiting, held_file } = parts;
  const { snapshot } = guard;
  const home = homedir();
  const notify = notifyRules(waiting, { reads_watched });
  const of = { config, policies: command.policies, home, state };
  const baseline = sessionBaseline(snapshot, of);
  guard.keeps = (later) => baseline === undefined ? [] : keptDetails(baseline, sessionBaseline(later, of));
  const launched = await launchCommand({
    argv: commandBytes(state, command.argv),
    ...(leaf === undefined ? undefined : { cgroup_dir: leaf.directory }),
    on_failure: snapshot.guard.on_failure,
    ...(notify.length === 0 ? undefined : { notify }),
    ...(held_file === undefined ? undefined : { held_file }),
    lost_file: lostFile(resolve(config.state_dir.value), session_id),
    ...(baseline === undefined ? undefined : { baseline }),
    // All that the guard was started with but the secrets of the guard itself.
    state: { ...state, environment: withoutVariables(state.environment, secretVariables(snapshot.approval)) },
    sleep: (delay_ms) => sleep(delay_ms),
  });
  const session: SessionInfo = {
    session_id,
    agent: basename(command.argv[0] ?? "command"),
    ...(leaf === undefined ? undefined : { cgroup: leaf.path }),
    root: { pid: launched.pid, start: processStart(launched.pid) },
    principal: `uid-${process.getuid?.() ?? 0}`,
    groups: processGroups(launched.pid),
    home,
  };
  return { launched, session, notify, reads_watched, baseline };
}

/** The command as the kernel gave it to us: any bytes, also those that are no UTF-8. */
function commandBytes(state: StartState, argv: readonly string[]): readonly (string | Uint8Array)[] {
  const raw = state.arguments.slice(-argv.length);
  const decoder = new TextDecoder();
  const same = raw.length === argv.length && raw.every((bytes, i) => decoder.decode(bytes) === argv[i]);
  return same ? raw : argv;
}
