/** `agentguard doctor`: shows what the probes found out, and whether the policy can be enforced with it. */
import { AgentguardError } from "../core/mod.ts";
import { type EnforcementMechanism, formatDiagnostic, type GuardSettings, type RecordConfig } from "../decide/mod.ts";
import { type DoctorCommand, EXIT } from "./command.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { formatPolicy } from "./command_policy.ts";
import { escapeText, formatTable, type Paint, painter } from "./format_text.ts";
import { loadPolicyFiles } from "./policy_files.ts";
import { lackingMechanisms } from "./lacking.ts";
import { reportDefaults, reportRules } from "./rule_report.ts";

/** Result of one probe of the host. */
export interface Check {
  /** Stable, for programs: `cgroup.connect`. */
  readonly id: string;
  /** For people. */
  readonly name: string;
  readonly state: "ok" | "degraded" | "missing" | "unknown";
  /** What was tried and what came of it. */
  readonly detail: string;
  /** What to do about it. */
  readonly fix?: string;
  /** Mechanisms of rules that do not work unless this check is `ok` or `degraded`. */
  readonly needed_for?: readonly EnforcementMechanism[];
}

/** What is asked about, beside the host. */
export interface DoctorSubject {
  /** The `[record]` table of the policy; absent without a policy. */
  readonly record: RecordConfig | undefined;
  /** The `[guard]` table; absent without a policy. */
  readonly guard: GuardSettings | undefined;
  readonly state_dir: string;
}

/** Tries what this host can do. */
export interface DoctorPort {
  run(about: DoctorSubject): Promise<readonly Check[]>;
}

/** Shows the checks and the enforceability of the policy given. Exit 1 if it cannot be enforced, 2 if it has errors. */
export function commandDoctor(
  command: DoctorCommand,
  io: CommandIo,
  options: { readonly doctor: DoctorPort },
): Promise<number> {
  return exitCodeOf(io, async () => {
    const json = configOf(io, command.flags).json.value;
    const loaded = command.policies.length === 0 ? undefined : loadPolicyFiles(command.policies, { generation: 1 });
    if (loaded?.ok === false) throw new AgentguardError("policy", loaded.error.map(formatDiagnostic).join("; "));
    const state_dir = configOf(io, command.flags).state_dir.value;
    const checks = await options.doctor.run({
      record: loaded?.value.record,
      guard: loaded?.value.guard,
      state_dir,
    });
    const lacking = lackingMechanisms(checks);
    const snapshot = loaded?.value;
    const ok = (wanted: string): boolean => checks.some(({ id, state }) => id === wanted && state === "ok");
    const host = { home: io.env["HOME"], lacking, unix_names: ok("probes.unix"), names: ok("probes.names") };
    const rules = snapshot === undefined ? [] : reportRules(snapshot, host);
    const defaults = snapshot === undefined ? [] : reportDefaults(snapshot, host);
    const enforceable = rules.every((rule) => rule.refused === undefined);
    const out = new LineWriter(io.stdout);
    if (json) {
      const policy = snapshot === undefined
        ? {}
        : { policy: snapshot.ref, mode: snapshot.mode, rules, defaults, enforceable };
      await out.line(JSON.stringify({ checks, ...policy }));
    } else {
      for (const line of formatChecks(checks, painter(io))) await out.line(line);
      if (snapshot !== undefined) {
        for (const line of ["", ...formatPolicy(snapshot, { rules, defaults, home: host.home })]) await out.line(line);
      }
    }
    await out.flush();
    return enforceable ? EXIT.ok : EXIT.failed;
  });
}

function formatChecks(checks: readonly Check[], paint: Paint): readonly string[] {
  const table = formatTable(checks.map((check) => [check.state, escapeText(check.name), escapeText(check.detail)]));
  return checks.flatMap((check, i) => {
    // The state is painted after the table is laid out: colours have no width.
    const line = paintState(check.state, paint) + (table[i] ?? "").slice(check.state.length);
    return check.fix === undefined ? [line] : [line, `    fix: ${escapeText(check.fix)}`];
  });
}

function paintState(state: Check["state"], paint: Paint): string {
  return paint(state === "ok" ? "green" : state === "missing" ? "red" : "yellow", state);
}
