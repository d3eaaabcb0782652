/** From the command line to an exit code: parses, resolves configuration and policy, runs one command. */
import { resolveConfig } from "../config/mod.ts";
import { AgentguardError, assertNever, systemClock } from "../core/mod.ts";
import { formatDiagnostic } from "../decide/mod.ts";
import { captureStartState, exitUnchanged, isTerminal, type StartState } from "../../ffi/mod.ts";
import { BUILD_INFO, notices } from "./build_info.ts";
import { parseCommandLine } from "./cli.ts";
import { type Command, type DaemonCommand, type DoctorCommand, EXIT, type RunCommand } from "./command.ts";
import { commandApprovals } from "./command_approvals.ts";
import { commandAudit } from "./command_audit.ts";
import { configProblem } from "./command_config.ts";
import { commandDaemon } from "./command_daemon.ts";
import { commandDoctor } from "./command_doctor.ts";
import { commandEvents } from "./command_events.ts";
import { type CommandIo, exitCodeOf, failWith, guardIo, processIo } from "./command_io.ts";
import { commandPolicyCheck } from "./command_policy.ts";
import { commandPolicyTool } from "./command_policy_tools.ts";
import { commandRun } from "./command_run.ts";
import { commandSessions } from "./command_sessions.ts";
import { commandStatus } from "./command_status.ts";
import { commandTrace } from "./command_trace.ts";
import { commandVersion } from "./command_version.ts";
import { ConsoleLog } from "./console_log.ts";
import { DoctorHost } from "./doctor_host.ts";
import { painter } from "./format_text.ts";
import { lackingHere, seesUnixNames } from "./host_mechanisms.ts";
import { explainBusy } from "./other_guard.ts";
import { lackingTried } from "./security_hooks.ts";
import { configTables, loadPolicySources } from "./policy_files.ts";
import { ReaderThread } from "./reader_thread.ts";

/** Runs the command line of this process and ends it. */
export async function main(): Promise<never> {
  // First of all: what the guarded command inherits must be seen before anything changes it.
  const state = captureStartState();
  const code = await run(process.argv.slice(2), state);
  return exitUnchanged(code);
}

async function run(argv: readonly string[], state: StartState): Promise<number> {
  const parsed = parseCommandLine(argv);
  if (!parsed.ok) return await failWith(guardIo(), parsed.error.message, EXIT.usage);
  const command = parsed.value;
  if (command.kind === "run" || command.kind === "daemon") return await guardCommand(command, guardIo(), state);
  if (command.kind === "doctor") return await commandDoctor(command, processIo(), { doctor: new DoctorHost(state) });
  return await plainCommand(command, processIo());
}

type PlainCommand = Exclude<Command, RunCommand | DaemonCommand | DoctorCommand>;

function plainCommand(command: PlainCommand, io: CommandIo): Promise<number> {
  switch (command.kind) {
    case "print":
      return exitCodeOf(io, async () => {
        await io.stdout.write(command.text);
        return EXIT.ok;
      });
    case "status":
      return commandStatus(command, io);
    case "events":
      return commandEvents(command, io);
    case "sessions.list":
    case "sessions.show":
    case "sessions.kill":
    case "sessions.pause":
    case "sessions.resume":
      return commandSessions(command, io);
    case "approvals.list":
    case "approvals.show":
    case "approvals.vote":
    case "approvals.watch":
    case "approvals.grants.list":
    case "approvals.grants.revoke":
      return commandApprovals(command, io, { input: process.stdin });
    case "audit.query":
    case "audit.export":
    case "audit.prune":
    case "audit.erase":
    case "audit.hold.add":
    case "audit.hold.list":
    case "audit.hold.release":
    case "audit.repair":
    case "audit.anchor":
    case "audit.verify":
    case "audit.prove":
    case "audit.check-proof":
    case "audit.consistency":
    case "audit.checkpoint":
    case "audit.rotate-key":
      return commandAudit(command, io);
    case "trace":
      return commandTrace(command, io);
    case "policy.check":
      return commandPolicyCheck(command, io, { lacking: lackingTried(lackingHere()), unix_names: seesUnixNames() });
    case "policy.explain":
    case "policy.test":
    case "policy.show":
    case "policy.lower":
    case "policy.diff":
    case "policy.learn":
    case "replay":
      return commandPolicyTool(command, io);
    case "version":
      return commandVersion(command, io, { build: BUILD_INFO, notices });
    default:
      return assertNever(command);
  }
}

/** Everything that can be wrong is found before anything starts. */
async function guardCommand(command: RunCommand | DaemonCommand, io: CommandIo, state: StartState): Promise<number> {
  const failed = command.kind === "run" ? EXIT.guard_failed : EXIT.failed;
  // The longest step of a start goes first. It attaches nothing: what is wrong is still found before anything begins.
  const reader = ReaderThread.spawn();
  try {
    const flagged = resolveConfig({ flags: command.flags, env: io.env, uid: io.uid, cwd: io.cwd });
    if (!flagged.ok) throw configProblem(flagged.error);
    const mode = flagged.value.mode.value;
    const policy = loadPolicySources(command.policies, {
      generation: 1,
      only: "check",
      ...(mode === null ? undefined : { mode }),
    });
    if (!policy.ok) {
      for (const finding of policy.error) await io.stderr.write(`${formatDiagnostic(finding)}\n`);
      return EXIT.usage;
    }
    const tables = configTables(policy.value.snapshot);
    const resolved = resolveConfig({ flags: command.flags, env: io.env, tables, uid: io.uid, cwd: io.cwd });
    if (!resolved.ok) throw configProblem(resolved.error);
    const config = resolved.value;
    if (config.http_port.value !== null) {
      throw new AgentguardError(
        "config",
        "unset http_port: this version serves the control API on its unix socket only",
      );
    }
    const log = new ConsoleLog({
      json: config.json.value,
      level: config.log_level.value,
      quiet: config.quiet.value,
      paint: painter({ ...io, isTty: isTerminal(2) }),
      clock: systemClock,
      write: (text) => void io.stderr.write(text),
    });
    const parts = {
      config,
      policy: policy.value,
      log,
      clock: systemClock,
      version: BUILD_INFO.version,
      env: io.env,
      reader,
    };
    try {
      if (command.kind === "daemon") return await commandDaemon(command, parts);
      return await commandRun(command, { ...parts, state, notice: (text) => log.info(text) });
    } catch (error) {
      if (!(error instanceof AgentguardError)) throw error;
      throw explainBusy(error, { state_dir: config.state_dir.value, runtime_dir: config.runtime_dir.value });
    }
  } catch (error) {
    if (!(error instanceof AgentguardError) || error.code === "invariant") throw error;
    const usage = error.code === "usage" || error.code === "config" || error.code === "policy";
    const other = error.code === "tamper" ? EXIT.tampered : failed;
    return await failWith(io, error.message, usage ? EXIT.usage : other);
  } finally {
    reader.terminate();
  }
}
