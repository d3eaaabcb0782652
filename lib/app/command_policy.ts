/** `agentguard policy check` */
import { ok } from "../core/mod.ts";
import {
  checkResolvers,
  checkSources,
  type DefaultEnforcement,
  type Diagnostic,
  type EnforcementMechanism,
  formatDiagnostic,
  type PolicySnapshot,
} from "../decide/mod.ts";
import { EXIT, type PolicyCheckCommand } from "./command.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { escapeMessage, escapeText, formatTable, formatWord, type Paint, painter } from "./format_text.ts";
import { formatRuled, ruledBaseline } from "./format_baseline.ts";
import { MISSING_SOURCES } from "./missing_sources.ts";
import { readNameservers, trustedResolvers } from "./resolvers.ts";
import { loadPolicySources } from "./policy_files.ts";
import { policySecrets } from "./policy_secrets.ts";
import { readsByCall, reportDefaults, reportRules, type RuleReport, startedOnly } from "./rule_report.ts";

/** Prints findings and what enforces each rule. Exit 2 if the policy cannot be used. */
export function commandPolicyCheck(
  command: PolicyCheckCommand,
  io: CommandIo,
  options: { readonly lacking: ReadonlySet<EnforcementMechanism>; readonly unix_names?: boolean },
): Promise<number> {
  return exitCodeOf(io, async () => {
    const json = configOf(io, command.flags).json.value;
    const out = new LineWriter(io.stdout);
    const read = loadPolicySources(command.policies, { generation: 1 });
    const loaded = read.ok ? ok(read.value.snapshot) : read;
    const secrets = read.ok ? policySecrets(read.value.sources) : [];
    const diagnostics = loaded.ok
      ? [
        ...loaded.value.warnings,
        ...checkSources(loaded.value, MISSING_SOURCES),
        ...unresolvable(loaded.value),
        ...secrets,
      ]
      : loaded.error;
    const host = { home: io.env["HOME"], ...options };
    const rules = loaded.ok ? reportRules(loaded.value, host) : [];
    const defaults = loaded.ok ? reportDefaults(loaded.value, host) : [];
    if (json) {
      await out.line(
        JSON.stringify(
          checkDocument(diagnostics, {
            snapshot: loaded.ok ? loaded.value : undefined,
            rules,
            defaults,
            home: host.home,
          }),
        ),
      );
    } else {
      const paint = painter(io);
      for (const diagnostic of diagnostics) await out.line(paintDiagnostic(diagnostic, paint));
      if (loaded.ok) {
        for (const line of formatPolicy(loaded.value, { rules, defaults, home: host.home })) await out.line(line);
      } else await out.line(summary(diagnostics));
    }
    await out.flush();
    return loaded.ok ? EXIT.ok : EXIT.usage;
  });
}

/** Names that no resolver of this host, or of the policy, can give. */
function unresolvable(snapshot: PolicySnapshot): readonly Diagnostic[] {
  return checkResolvers(snapshot, trustedResolvers(snapshot.guard, readNameservers()));
}

/** What enforces a policy on this host. */
export interface PolicyReport {
  readonly rules: readonly RuleReport[];
  readonly defaults: readonly DefaultEnforcement[];
  /** What `~` stands for. */
  readonly home: string | undefined;
}

/** The document of `--json`. */
function checkDocument(
  diagnostics: readonly Diagnostic[],
  checked: PolicyReport & { readonly snapshot: PolicySnapshot | undefined },
): object {
  const { snapshot, rules, defaults, home } = checked;
  if (snapshot === undefined) return { ok: false, diagnostics };
  const baseline = ruledBaseline(snapshot, home);
  return { ok: true, policy: snapshot.ref, mode: snapshot.mode, rules, defaults, baseline, diagnostics };
}

function summary(diagnostics: readonly Diagnostic[]): string {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === "error").length;
  return `${errors} ${errors === 1 ? "error" : "errors"}: the policy cannot be used`;
}

function paintDiagnostic(diagnostic: Diagnostic, paint: Paint): string {
  const colour = diagnostic.severity === "error" ? "red" : "yellow";
  const line = escapeMessage(formatDiagnostic(diagnostic));
  const place = `:${diagnostic.line}:${diagnostic.column}: `;
  return line.replace(`${place}${diagnostic.severity}:`, `${place}${paint(colour, diagnostic.severity)}:`);
}

/** The policy and its rules with what enforces them; shared with `doctor`. */
export function formatPolicy(snapshot: PolicySnapshot, { rules, defaults, home }: PolicyReport): readonly string[] {
  const { ref, mode } = snapshot;
  const count = `${rules.length} ${rules.length === 1 ? "rule" : "rules"}`;
  const head = `policy ${formatWord(ref.name)}: ${count}, mode ${mode}, digest ${ref.digest.slice(0, 12)}`;
  const how = ({ complete, mechanisms }: Pick<RuleReport, "complete" | "mechanisms">): string =>
    complete ? mechanisms.join(", ") : `${mechanisms.join(", ")} (in part)`;
  const rows = [
    ...rules.map((rule) => [
      `${formatWord(rule.file)}:${rule.line}`,
      formatWord(rule.rule),
      how(rule),
      escapeText(rule.note),
    ]),
    ...defaults.map((each) => [formatWord(each.file), `[default] ${each.verdict}`, how(each), escapeText(each.note)]),
  ];
  const table = rows.length === 0 ? [] : formatTable([["PLACE", "RULE", "ENFORCED BY", "NOTE"], ...rows]);
  const refused = rules.filter((rule) => rule.refused !== undefined);
  const names = refused.map((rule) => formatWord(rule.rule)).join(", ");
  const advice = `not enforced completely: ${names}; enforce mode refuses to start until each of them says ` +
    `enforce = "best" or mode = "observe"`;
  const ruled = formatRuled(ruledBaseline(snapshot, home));
  const started = startedOnly([...rules, ...defaults]);
  const by_call = readsByCall(snapshot, [...rules, ...defaults]);
  return [
    head,
    ...table,
    ...ruled,
    ...(by_call === undefined ? [] : [escapeText(by_call)]),
    ...(started === undefined ? [] : [started]),
    ...(refused.length === 0 ? [] : [advice]),
  ];
}
