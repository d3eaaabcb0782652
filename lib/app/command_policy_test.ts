/** `agentguard policy test` */
import { closeSync, openSync, readSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { AgentguardError, errorMessage, LIMITS } from "../core/mod.ts";
import { type CaseResult, NO_RULE, parseSuite, runSuite, type SuiteReport } from "../decide/mod.ts";
import { EXIT } from "./command.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { loadForCommand, sayFindings } from "./command_policy_load.ts";
import type { PolicyTestCommand } from "./command_policy_types.ts";
import { escapeMessage, formatWord, type Paint, painter } from "./format_text.ts";

/** Runs every suite. Exit 1 if a case fails, 2 if a suite or its policy cannot be used. */
export function commandPolicyTest(command: PolicyTestCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const json = configOf(io, command.flags).json.value;
    const reports: SuiteReport[] = [];
    for (const file of command.suites) {
      const report = await runFile(file, io);
      if (report === undefined) return EXIT.usage;
      reports.push(report);
    }
    const failed = reports.reduce((sum, report) => sum + report.failed, 0);
    const out = new LineWriter(io.stdout);
    if (json) await out.line(JSON.stringify({ ok: failed === 0, suites: reports }));
    else {
      const paint = painter(io);
      for (const report of reports) for (const line of formatReport(report, paint)) await out.line(line);
    }
    await out.flush();
    return failed === 0 ? EXIT.ok : EXIT.failed;
  });
}

async function runFile(file: string, io: CommandIo): Promise<SuiteReport | undefined> {
  const suite = parseSuite({ file, bytes: readSuiteFile(file) });
  if (!suite.ok) {
    await sayFindings(io, suite.error);
    return undefined;
  }
  const { policies, mode } = suite.value;
  const paths = policies.map((policy) => isAbsolute(policy) ? policy : join(dirname(file), policy));
  const snapshot = await loadForCommand(io, paths, mode === undefined ? {} : { mode });
  return snapshot === undefined ? undefined : runSuite(snapshot, suite.value);
}

/** A suite is bounded as a policy is. */
function readSuiteFile(file: string): Uint8Array {
  try {
    const fd = openSync(file, "r");
    try {
      const bytes = new Uint8Array(LIMITS.policy_bytes_max + 1);
      let length = 0;
      while (length < bytes.length) {
        const count = readSync(fd, bytes, length, bytes.length - length, null);
        if (count === 0) break;
        length += count;
      }
      return bytes.subarray(0, length);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw new AgentguardError("usage", `open suite ${file}: ${errorMessage(error)}; check the path`, { cause: error });
  }
}

function formatReport({ suite, passed, failed, cases, rules }: SuiteReport, paint: Paint): readonly string[] {
  const untouched = rules.filter(({ matched }) => matched === 0);
  const undecided = rules.filter(({ matched, decided }) => matched > 0 && decided === 0);
  const decided = rules.filter((rule) => rule.decided > 0).length;
  const place = (
    { rule, file, line }: { readonly rule: string; readonly file: string; readonly line: number },
  ): string => `${formatWord(rule)} (${formatWord(file)}:${line})`;
  return [
    `${formatWord(suite)}: ${passed} passed, ${failed} failed; ${decided} of ${rules.length} rules decided a case`,
    ...cases.filter((each) => !each.ok).flatMap((each) => failureLines(each, paint)),
    ...untouched.map((rule) => `  no case matches rule ${place(rule)}`),
    ...undecided.map((rule) => `  no case is decided by rule ${place(rule)}`),
  ];
}

function failureLines({ name, file, line, expected, got, reason }: CaseResult, paint: Paint): readonly string[] {
  const words = (verdict: string, would: string | undefined, rule: string | undefined): string =>
    `${verdict}${would === undefined ? "" : ` (would ${would})`}${
      rule === undefined ? "" : rule === NO_RULE ? " by default" : ` by ${formatWord(rule)}`
    }`;
  return [
    `  ${paint("red", "FAILED")} ${formatWord(file)}:${line} ${formatWord(name)}: expected ${
      words(expected.verdict, expected.would, expected.rule)
    }, got ${words(got.verdict, got.would, got.rule)}`,
    `    ${escapeMessage(reason)}`,
  ];
}
