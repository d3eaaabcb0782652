/** `agentguard [run] -- CMD`: one command, guarded, with its own streams and its own exit code. */
import { homedir } from "node:os";
import { basename, resolve } from "node:path";
import type { Config } from "../config/mod.ts";
import {
  AgentguardError,
  type Clock,
  errorMessage,
  type Log,
  type Mask,
  type SessionInfo,
  type StartedBaseline,
} from "../core/mod.ts";
import {
  type CommandExit,
  isTerminal,
  launchCommand,
  type LaunchedCommand,
  openShim,
  releaseStreams,
  type StartState,
  SystemCalls,
} from "../../ffi/mod.ts";
import { heldClasses, notifyRules, processStart, type SessionCgroup } from "../act/mod.ts";
import type { HeldClasses } from "../source/mod.ts";
import { refusableActions } from "../decide/mod.ts";
import { sleep } from "../task/mod.ts";
import { TerminalPrompt } from "./approval_prompt.ts";
import { EXIT, type RunCommand } from "./command.ts";
import { requireEnforceable } from "./enforceable.ts";
import { Guard } from "./guard.ts";
import type { HoldStatName } from "./holder_protocol.ts";
import type { StatName } from "./reader_protocol.ts";
import type { ReaderThread } from "./reader_thread.ts";
import type { LoadedPolicy } from "./policy_files.ts";
import { usesStreams } from "./record_settings.ts";
import { lostFile } from "./lost_sessions.ts";
import { processGroups } from "./process_details.ts";
import { painter } from "./format_text.ts";
import { secretVariables, withoutVariables } from "./secret_variables.ts";
import { sessionBaseline, startedBaseline } from "./session_baseline.ts";
import { forwardSignals } from "./signals.ts";
import { type WritePlace, writePlaces } from "./write_places.ts";

/** What a run needs beside its command line. */
export interface RunParts {
  readonly config: Config;
  readonly policy: LoadedPolicy;
  readonly log: Log;
  readonly clock: Clock;
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Spawned, not open yet. */
  readonly reader: ReaderThread;
  /** The state that the guard was started in, which the command gets back. */
  readonly state: StartState;
  /** One line for the user, at the end. */
  readonly notice: (text: string) => void;
}

/** The session's number in the kernel: the only one of a run. */
const SCOPE = 1;
/** How long what the command left behind may take to die, milliseconds. */
const REST_MS_MAX = 5_000;

/** Runs the command to its end and returns its exit code; throws what kept the guard from starting it. */
export async function commandRun(command: RunCommand, parts: RunParts): Promise<number> {
  if (usesStreams(parts.policy.snapshot)) {
    const fix = "name a file: the guarded command has stdout and stderr to itself";
    throw new AgentguardError("config", `[[record.sink]] goes to a stream; ${fix}`);
  }
  const guard = await Guard.start({ ...parts, policies: command.policies, home: homedir() });
  const run = new GuardedRun(guard, command, parts);
  try {
    return await run.run();
  } finally {
    try {
      await guard.close();
    } catch (error) {
      parts.log.error(`end the record: ${errorMessage(error)}`);
    }
    run.summarize();
  }
}

class GuardedRun {
  readonly #guard: Guard;
  readonly #command: RunCommand;
  readonly #parts: RunParts;
  #session: SessionInfo | undefined;

  constructor(guard: Guard, command: RunCommand, parts: RunParts) {
    this.#guard = guard;
    this.#command = command;
    this.#parts = parts;
  }

  async run(): Promise<number> {
    const guard = this.#guard;
    const session_id = guard.ids.session();
    using leaf = guard.makeCgroup(session_id);
    requireEnforceable(guard.snapshot, {
      support: guard.reader.support,
      cgroup: leaf !== undefined,
      home: homedir(),
    });
    const refusable = refusableActions(guard.snapshot);
    const notify = notifyRules(refusable);
    guard.holder.started(refusable);
    using _prompt = notify.length > 0 ? await this.#askHere() : undefined;
    const { config, state } = this.#parts;
    const baseline = sessionBaseline(guard.snapshot, {
      config,
      policies: this.#command.policies,
      home: homedir(),
      state,
    });
    await using launched = await launchCommand({
      argv: commandBytes(this.#parts.state, this.#command.argv),
      ...(leaf === undefined ? undefined : { cgroup_dir: leaf.directory }),
      on_failure: guard.snapshot.guard.on_failure,
      ...(notify.length === 0 ? undefined : { notify }),
      lost_file: lostFile(resolve(config.state_dir.value), session_id),
      ...(baseline === undefined ? undefined : { baseline }),
      state: this.#stateForCommand(),
      sleep: (delay_ms) => sleep(delay_ms),
    });
    releaseStreams(this.#parts.state.fds);
    const session: SessionInfo = {
      session_id,
      agent: basename(this.#command.argv[0] ?? "command"),
      ...(leaf === undefined ? undefined : { cgroup: leaf.path }),
      root: { pid: launched.pid, start: processStart(launched.pid) },
      principal: `uid-${process.getuid?.() ?? 0}`,
      groups: processGroups(launched.pid),
      home: homedir(),
    };
    this.#session = session;
    const held = heldClasses(notify);
    const masks = launched.baseline.get("mounts") === 0 ? baseline?.masks ?? [] : [];
    await this.#begin(session, launched, { leaf, held, places: writePlaces(baseline), masks });
    using _signals = forwardSignals((signo) => launched.forward(signo), this.#parts.state.ignored);
    const end = this.#watch(launched, leaf);
    launched.go();
    const exit = await end;
    await launched.finish({ kill_rest: true });
    await this.#endSession(session, exit, leaf);
    return exit.code;
  }

  /** Asks on this terminal, where the command does not read from it or the user wants both. */
  async #askHere(): Promise<TerminalPrompt | undefined> {
    if (isTerminal(0) && this.#command.ask_here !== true) return undefined;
    const { log, env } = this.#parts;
    const { approvals: desk, notices } = this.#guard.control;
    const prompt = await TerminalPrompt.open({ desk, log, paint: painter({ isTty: true, env }) });
    if (prompt !== undefined) notices.mute();
    return prompt;
  }

  /** What the command inherits: all that the guard was started with but the secrets of the guard itself. */
  #stateForCommand(): StartState {
    const { state, policy } = this.#parts;
    const environment = withoutVariables(state.environment, secretVariables(policy.snapshot.approval));
    return { ...state, environment };
  }

  /** One summary line, when everything is in the record. */
  summarize(): void {
    if (this.#session === undefined) return; // nothing began
    const holder = this.#guard.holder.stats();
    const { actions, asked, denied, observed_denials, lost } = summed(this.#guard.reader.stats(), holder);
    const held = holder === undefined ? "" : `, ${holder.held} held`;
    const shadow = observed_denials > 0 ? `, ${observed_denials} would be denied` : "";
    const where = `${this.#parts.config.state_dir.value}/record.db`;
    const counts = `${actions} actions seen${held}, ${asked} asked, ${denied} denied${shadow}, ${lost} lost`;
    this.#parts.notice(`${counts}; record ${where}, session ${this.#session.session_id}`);
  }

  async #begin(
    session: SessionInfo,
    launched: LaunchedCommand,
    { leaf, held, places, masks }: {
      readonly leaf: SessionCgroup | undefined;
      readonly held: HeldClasses;
      readonly places: readonly WritePlace[] | undefined;
      readonly masks: readonly Mask[];
    },
  ): Promise<void> {
    this.#guard.sessions.add(SCOPE, session, leaf);
    await this.#guard.reader.begin({
      scope: SCOPE,
      session,
      stopped_pid: launched.pid,
      held,
      held_actions: [...refusableActions(this.#guard.snapshot)],
      ...(launched.baseline.size === 0 ? undefined : { baseline: this.#baseline(launched, masks), masks }),
      ...(leaf === undefined ? undefined : { cgroup: { directory: leaf.directory, id: String(leaf.id) } }),
    });
    if (held.exec || held.files) {
      const holder = await this.#guard.useHolder();
      await holder.begin(session, launched.takeListener(new SystemCalls(openShim())), places);
    }
    // Attached and in scope: now the process may enter the leaf, and after that begin.
    leaf?.enter(launched.pid);
  }

  /** What the command gave up; what this host could not take from it is told. */
  #baseline(launched: LaunchedCommand, masks: readonly Mask[]): StartedBaseline {
    const baseline = startedBaseline(launched.baseline, masks);
    if (baseline.lacking !== undefined) {
      const detail = `parts of the baseline that this host does not have: ${baseline.lacking.join(", ")}`;
      this.#parts.log.warn(detail);
      this.#guard.note({ type: "guard.degraded", detail });
    }
    return baseline;
  }

  /** Settles when the command ended, or could not begin. */
  #watch(
    launched: LaunchedCommand,
    leaf: SessionCgroup | undefined,
  ): Promise<{ readonly code: number; readonly exit?: CommandExit }> {
    const { promise, resolve } = Promise.withResolvers<{ readonly code: number; readonly exit?: CommandExit }>();
    const name = this.#command.argv[0] ?? "";
    launched.onEvent((event) => {
      switch (event.type) {
        case "exec_failed":
          this.#parts.log.error(`run ${name}: ${execFailure(event.stage, event.errno)}`);
          return;
        case "stopped":
          launched.stopGuard(event.signal);
          return;
        case "continued":
          return;
        case "exited": {
          const { exit } = event;
          return resolve({ code: exit.exit_code ?? 128 + (exit.signal ?? 0), exit });
        }
        case "launcher_lost":
          this.#parts.log.error("the launcher of the command was killed: ending its tree");
          leaf?.kill();
          return resolve({ code: EXIT.guard_failed });
      }
    });
    return promise;
  }

  async #endSession(
    session: SessionInfo,
    end: { readonly exit?: CommandExit },
    leaf: SessionCgroup | undefined,
  ): Promise<void> {
    if (leaf !== undefined && !(await leaf.killAndWait(REST_MS_MAX))) {
      this.#parts.log.error(`processes of the session are still in ${leaf.directory}`);
    }
    const { exit_code, signal } = end.exit ?? {};
    const exit = {
      ...(exit_code === undefined ? undefined : { exit_code }),
      ...(signal === undefined ? undefined : { signal }),
    };
    await this.#guard.reader.end(SCOPE, exit);
    this.#guard.sessions.ended(session.session_id, exit);
  }
}

/** The command as the kernel gave it to us: any bytes, also those that are no UTF-8. */
function commandBytes(state: StartState, argv: readonly string[]): readonly (string | Uint8Array)[] {
  const raw = state.arguments.slice(-argv.length);
  const decoder = new TextDecoder();
  const same = raw.length === argv.length && raw.every((bytes, i) => decoder.decode(bytes) === argv[i]);
  return same ? raw : argv;
}

/** The reader's counts with those of held calls. */
function summed(
  stats: Readonly<Record<StatName, number>>,
  held: Readonly<Record<HoldStatName, number>> | undefined,
): Readonly<Record<StatName, number>> {
  if (held === undefined) return stats;
  return { ...stats, asked: stats.asked + held.asked, denied: stats.denied + held.denied };
}

function execFailure(stage: string, errno: number): string {
  if (errno === 1) return "refused (agentguard audit query tells why)";
  if (errno === 2) return "not found";
  if (errno === 13) return "permission denied";
  return `${stage} failed with errno ${errno}`;
}
