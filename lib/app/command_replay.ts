/** `agentguard replay` and `policy diff`: what another policy would have decided. */
import {
  type Answer,
  compareDiff,
  compareReplay,
  type Comparison,
  type ComparisonSummary,
  type Difference,
  diffRules,
  type PolicyDiff,
  wordsOf,
} from "../decide/mod.ts";
import { EXIT } from "./command.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { homeOption, loadForCommand } from "./command_policy_load.ts";
import type { PolicyDiffCommand, ReplayCommand } from "./command_policy_types.ts";
import { formatAction } from "./format_entry.ts";
import { formatTable, formatWord } from "./format_text.ts";
import { readRecording } from "./recording.ts";

/** Longest command line shown, characters. */
const ARGV_CHARS = 200;

/** Prints each difference and the sums. */
export function commandReplay(command: ReplayCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const json = configOf(io, command.flags).json.value;
    const policy = await loadForCommand(io, command.policies);
    if (policy === undefined) return EXIT.usage;
    const out = new LineWriter(io.stdout);
    const comparison = compareReplay(policy, homeOption(io, command.home));
    await compare(comparison, { recording: command.recording, json, out });
    if (json) await out.line(JSON.stringify({ kind: "summary", policy: policy.ref, ...comparison.summary() }));
    else for (const line of formatSummary(comparison.summary())) await out.line(line);
    await out.flush();
    return EXIT.ok;
  });
}

/** Prints how two policies differ, and with a recording on which of its actions. */
export function commandPolicyDiff(command: PolicyDiffCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const json = configOf(io, command.flags).json.value;
    const before = await loadForCommand(io, [command.before]);
    const after = await loadForCommand(io, [command.after]);
    if (before === undefined || after === undefined) return EXIT.usage;
    const out = new LineWriter(io.stdout);
    const diff = diffRules(before, after);
    if (json) await out.line(JSON.stringify({ kind: "policies", before: before.ref, after: after.ref, ...diff }));
    else for (const line of formatDiff(diff)) await out.line(line);
    if (command.recording !== undefined) {
      const comparison = compareDiff(before, after, homeOption(io, command.home));
      await compare(comparison, { recording: command.recording, json, out });
      if (json) await out.line(JSON.stringify({ kind: "summary", ...comparison.summary() }));
      else for (const line of formatSummary(comparison.summary())) await out.line(line);
    }
    await out.flush();
    return EXIT.ok;
  });
}

async function compare(
  comparison: Comparison,
  to: { readonly recording: string; readonly json: boolean; readonly out: LineWriter },
): Promise<void> {
  for await (const entry of readRecording(to.recording)) {
    const difference = comparison.next(entry);
    if (difference === undefined) continue;
    await to.out.line(
      to.json ? JSON.stringify({ kind: "difference", ...difference }) : formatDifference(difference),
    );
  }
}

function formatDifference({ seq, entry_id, action, before, after }: Difference): string {
  return `seq ${seq} ${formatWord(entry_id, 26)}  ${answer(before)} -> ${answer(after)}  ${
    formatAction(action, ARGV_CHARS)
  }`;
}

function answer(given: Answer): string {
  return `${wordsOf(given)}${given.rule === undefined ? "" : ` by ${formatWord(given.rule, 80)}`}`;
}

function formatSummary(
  { entries, actions, differences, changes, other_rule, after, merged }: ComparisonSummary,
): string[] {
  const list = (counts: Readonly<Record<string, number>>): string =>
    Object.entries(counts).map(([what, count]) => `${count} ${what}`).join(", ");
  return [
    `${actions} actions in ${entries} entries: ${differences} ${differences === 1 ? "difference" : "differences"}` +
    `${differences === 0 ? "" : ` (${list(changes)})`}`,
    ...(actions === 0 ? [] : [`the new policy says: ${list(after)}`]),
    ...(other_rule === 0 ? [] : [`${other_rule} have the same answer from another rule`]),
    ...(merged === 0 ? [] : [`${merged} entries stand for several merged opens: only their directory was compared`]),
  ];
}

function formatDiff({ added, removed, changed, defaults }: PolicyDiff): readonly string[] {
  const rows = [
    ...added.map((rule) => ["+", `${formatWord(rule.file)}:${rule.line}`, formatWord(rule.rule), rule.verdict]),
    ...removed.map((rule) => ["-", `${formatWord(rule.file)}:${rule.line}`, formatWord(rule.rule), rule.verdict]),
    ...changed.map(({ before, after }) => [
      "~",
      `${formatWord(after.file)}:${after.line}`,
      formatWord(after.rule),
      before.verdict === after.verdict ? after.verdict : `${before.verdict} -> ${after.verdict}`,
    ]),
  ];
  return [
    ...(rows.length === 0 ? ["the rules are the same"] : formatTable(rows)),
    ...defaults.map(({ action, before, after }) => `~ default ${action}: ${before ?? "none"} -> ${after ?? "none"}`),
  ];
}
