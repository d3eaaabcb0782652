/** `agentguard [run] -- CMD`: one command, guarded, with its own streams and its own exit code. */
import { homedir } from "node:os";
import { resolve } from "node:path";
import type { Config } from "../config/mod.ts";
import {
  type ActionType,
  type Clock,
  errorMessage,
  type Log,
  type SessionInfo,
  type StartedBaseline,
} from "../core/mod.ts";
import {
  type CommandExit,
  isTerminal,
  type LaunchedCommand,
  openShim,
  releaseStreams,
  type StartState,
  SystemCalls,
} from "../../ffi/mod.ts";
import { heldClasses, notifyRules, type PlannedBaseline, type SessionCgroup } from "../act/mod.ts";
import type { HeldClasses } from "../source/mod.ts";
import { TerminalPrompt } from "./approval_prompt.ts";
import { EXIT, type RunCommand } from "./command.ts";
import { requireEnforceable, waitingActions } from "./enforceable.ts";
import { Guard } from "./guard.ts";
import type { HoldStatName } from "./holder_protocol.ts";
import type { StatName } from "./reader_protocol.ts";
import type { ReaderThread } from "./reader_thread.ts";
import type { LoadedPolicy } from "./policy_files.ts";
import { requireFiles } from "./record_settings.ts";
import { heldFile, makeHeldFile } from "./held_ledger.ts";
import { painter } from "./format_text.ts";
import { sessionLimits, startedBaseline } from "./session_baseline.ts";
import { launchSession } from "./session_launch.ts";
import { forwardSignals } from "./signals.ts";
import { systemTimers } from "../task/mod.ts";
import { watchesReads } from "./watched_policy.ts";
import { writePlaces } from "./write_places.ts";

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
/** How long after a signal it is looked for where something waits, milliseconds. */
const INTERRUPT_MS = 100;
/** How long what the command left behind may take to die, milliseconds. */
const REST_MS_MAX = 5_000;

/** Runs the command to its end and returns its exit code; throws what kept the guard from starting it. */
export async function commandRun(command: RunCommand, parts: RunParts): Promise<number> {
  requireFiles(parts.policy.snapshot);
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
    const watched = watchesReads(guard.snapshot);
    const host = { support: guard.reader.support, cgroup: leaf !== undefined, watched, home: homedir() };
    requireEnforceable(guard.snapshot, host);
    const waiting = waitingActions(guard.snapshot, host);
    const waits = notifyRules(waiting).length > 0;
    // It starts while the command is launched. Whoever needs it waits for it then, and is told if that failed.
    if (waits) guard.useHolder().catch(() => {});
    using _prompt = waits ? await this.#askHere() : undefined;
    const open = waits && guard.snapshot.guard.on_failure === "open";
    const held_file = open ? heldFile(resolve(this.#parts.config.state_dir.value), session_id) : undefined;
    using _held_file = held_file === undefined ? undefined : makeHeldFile(held_file);
    const { launched, session, notify, reads_watched, baseline } = await launchSession({
      ...this.#parts,
      guard,
      command: this.#command,
      session_id,
      leaf,
      waiting,
      held_file,
    }, { watched });
    await using _launched = launched;
    // Without a cgroup nobody else ends the tree.
    guard.holder.onFailed(() => open ? launched.leaveHeld() : void launched.finish({ kill_rest: true }));
    releaseStreams(this.#parts.state.fds);
    guard.holder.started(waiting, { watched: reads_watched });
    this.#session = session;
    const held = heldClasses(notify);
    // The calls of reads that are watched do not wait.
    const held_actions = [...waiting].filter((action) => !(reads_watched && action === "file.read"));
    await this.#begin(session, launched, { leaf, held, held_actions, baseline, held_file });
    using _signals = forwardSignals((signo) => this.#forward(launched, signo), this.#parts.state.ignored);
    const end = this.#watch(launched, leaf);
    launched.go();
    const exit = await end;
    await launched.finish({ kill_rest: true });
    await this.#endSession(session, exit, leaf);
    return exit.code;
  }

  /** What waits for a person is interrupted once the signal is where it is to go; the launcher takes a moment. */
  #forward(launched: LaunchedCommand, signo: number): void {
    launched.forward(signo);
    systemTimers.after(INTERRUPT_MS, () => this.#guard.control.approvals.interrupt(signo), { unref: true });
  }

  /** Asks on this terminal, where the command does not read from it or the user wants both. */
  async #askHere(): Promise<TerminalPrompt | undefined> {
    if (isTerminal(0) && this.#command.ask_here !== true) return undefined;
    const { log, env } = this.#parts;
    const { approvals: desk, notices } = this.#guard.control;
    const { sessions } = this.#guard;
    const prompt = await TerminalPrompt.open({
      desk,
      log,
      paint: painter({ isTty: true, env }),
      escapes: env["TERM"] !== "dumb",
      hush: (session) => sessions.hush(session),
    });
    if (prompt !== undefined) notices.mute();
    return prompt;
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
    { leaf, held, held_actions, baseline, held_file }: {
      readonly leaf: SessionCgroup | undefined;
      readonly held: HeldClasses;
      /** Actions whose calls wait. */
      readonly held_actions: readonly ActionType[];
      readonly baseline: PlannedBaseline | undefined;
      readonly held_file: string | undefined;
    },
  ): Promise<void> {
    this.#guard.sessions.add(SCOPE, session, leaf);
    await this.#guard.reader.begin({
      scope: SCOPE,
      session,
      stopped_pid: launched.pid,
      held,
      held_actions,
      ...(launched.baseline.size === 0 ? undefined : {
        baseline: this.#started(launched, baseline),
        limits: sessionLimits(baseline, launched.baseline),
      }),
      ...(leaf === undefined ? undefined : { cgroup: { directory: leaf.directory, id: String(leaf.id) } }),
    });
    if (held.exec || held.files || held.connect || held.send) {
      const holder = await this.#guard.useHolder();
      await holder.begin(session, launched.takeListener(new SystemCalls(openShim())), {
        places: writePlaces(baseline),
        held_file,
      });
    }
    // Attached and in scope: now the process may enter the leaf, and after that begin.
    leaf?.enter(launched.pid);
  }

  /** What the command gave up; what this host could not take from it is told. */
  #started(launched: LaunchedCommand, planned: PlannedBaseline | undefined): StartedBaseline {
    const baseline = startedBaseline(planned, launched.baseline);
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
