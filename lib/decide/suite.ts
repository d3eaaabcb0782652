/** Suites: files that say what a policy must decide, with the coverage of its rules. */
import { err, errorMessage, type Mode, ok, type Result, type Verdict } from "../core/mod.ts";
import { type Diagnostic, Diagnostics, type Position } from "./diagnostic.ts";
import { holdsIn, viewsOf } from "./explain_views.ts";
import { PatternBudget, type ReadContext, TableReader } from "./reader.ts";
import type { PolicySnapshot } from "./snapshot.ts";
import { type GivenAction, givenActions, pastAfter } from "./said_past.ts";
import { EVENT_FIELDS, eventOfFields, type SaidAction } from "./said_event.ts";
import { type PolicySource, readDocument, type Table } from "./toml.ts";

const SUITE_KEYS: readonly string[] = ["policy", "mode", "home", "case"];
const CASE_KEYS: readonly string[] = ["name", "given", "expect", "would", "rule", ...EVENT_FIELDS];
const VERDICTS: readonly Verdict[] = ["allow", "deny", "ask", "redact", "log"];
/** Cases of one suite: more than a person writes, less than a machine should spend an hour on. */
const CASES_MAX = 10_000;
/** What `rule` says where no rule may decide. */
export const NO_RULE = "[default]";

/** One case: an action and what the policy must make of it. */
export interface SuiteCase extends Position {
  readonly name: string;
  readonly said: SaidAction;
  /** What the session did before, in order. */
  readonly given: readonly GivenAction[];
  /** What happens. */
  readonly expect: Verdict;
  /** What enforce mode would have done, where the policy only observes. */
  readonly would?: Verdict;
  /** Name of the rule that decides; `[default]` for none. Absent: any. */
  readonly rule?: string;
}

/** A suite file. */
export interface Suite {
  readonly file: string;
  /** Policy files, as written: relative to the directory of the suite. Layers in order. */
  readonly policies: readonly string[];
  /** Replaces the mode of the policy. */
  readonly mode?: Mode;
  readonly cases: readonly SuiteCase[];
}

/** Reads a suite. On failure every finding is returned. Never throws. */
export function parseSuite(source: PolicySource): Result<Suite, readonly Diagnostic[]> {
  const diagnostics = new Diagnostics();
  try {
    const suite = readSuite(source, diagnostics);
    return suite === undefined || diagnostics.failed ? err(diagnostics.list()) : ok(suite);
  } catch (thrown) {
    diagnostics.error({ file: source.file, line: 1, column: 1 }, `read suite: ${errorMessage(thrown)}`);
    return err(diagnostics.list());
  }
}

function readSuite(source: PolicySource, diagnostics: Diagnostics): Suite | undefined {
  const document = readDocument(source, diagnostics);
  if (document === undefined) return undefined;
  const start = { file: source.file, line: 1, column: 1 };
  const { table, path } = document;
  const context: ReadContext = { diagnostics, actions: new Map(), budget: new PatternBudget(0) };
  const reader = new TableReader(table, path, context);
  reader.refuseUnknown(SUITE_KEYS);
  const policies = reader.strings("policy")?.map(({ value }) => value) ?? [];
  if (!reader.has("policy")) diagnostics.error(start, "the suite names no policy", 'begin with policy = "NAME.toml"');
  const mode = reader.word("mode", ["enforce", "observe"] as const);
  const home = reader.string("home");
  const children = reader.children("case");
  if (children.length === 0) diagnostics.error(start, "the suite has no [[case]]: it would test nothing");
  if (children.length > CASES_MAX) {
    diagnostics.error(start, `the suite has ${children.length} cases, the limit is ${CASES_MAX}`, "split it");
    return undefined;
  }
  const names = new Set<string>();
  const cases = children.flatMap((child, i) => {
    const found = readCase(child, i + 1, { home });
    if (found === undefined) return [];
    if (names.has(found.name)) diagnostics.error(found, `two cases are called ${JSON.stringify(found.name)}`);
    names.add(found.name);
    return [found];
  });
  return { file: source.file, policies, ...(mode === undefined ? {} : { mode }), cases };
}

function readCase(
  reader: TableReader,
  number: number,
  options: { readonly home: string | undefined },
): SuiteCase | undefined {
  reader.refuseUnknown(CASE_KEYS);
  const name = reader.string("name") ?? `case ${number}`;
  const expect = reader.word("expect", VERDICTS);
  const would = reader.word("would", VERDICTS);
  const rule = reader.string("rule");
  const { position } = reader;
  if (!reader.has("expect")) {
    reader.context.diagnostics.error(position, `case ${JSON.stringify(name)} expects nothing`, 'add expect = "deny"');
  }
  const fields: Table = Object.fromEntries(Object.entries(reader.table).filter(([key]) => EVENT_FIELDS.includes(key)));
  const how = options.home === undefined ? {} : { home: options.home };
  const given = reader.children("given").flatMap((child): readonly GivenAction[] => {
    const found = givenActions(child.table, how);
    if (found.ok) return [found.value];
    const at = found.error.key === undefined ? child.position : child.at(found.error.key);
    reader.context.diagnostics.error(at, `case ${JSON.stringify(name)}: given ${found.error.message}`);
    return [];
  });
  const event = eventOfFields(fields, how);
  if (!event.ok) {
    const at = event.error.key === undefined ? position : reader.at(event.error.key);
    reader.context.diagnostics.error(at, `case ${JSON.stringify(name)}: ${event.error.message}`);
    return undefined;
  }
  if (expect === undefined) return undefined;
  const { file, line, column } = position;
  return {
    file,
    line,
    column,
    name,
    said: event.value,
    given,
    expect,
    ...(would === undefined ? {} : { would }),
    ...(rule === undefined ? {} : { rule }),
  };
}

/** What a policy decides, as far as a case speaks of it. */
export interface CaseAnswer {
  readonly verdict: Verdict;
  readonly would?: Verdict;
  /** `[default]` where no rule decided. */
  readonly rule: string;
}

/** The result of one case. */
export interface CaseResult extends Position {
  readonly name: string;
  readonly ok: boolean;
  readonly expected: { readonly verdict: Verdict; readonly would?: Verdict; readonly rule?: string };
  readonly got: CaseAnswer;
  readonly reason: string;
}

/** How often the cases of a suite touched one rule. */
export interface RuleCoverage {
  readonly rule: string;
  readonly rule_index: number;
  readonly file: string;
  readonly line: number;
  readonly verdict: Verdict;
  /** Cases that the rule covers. */
  readonly matched: number;
  /** Cases that it decided. */
  readonly decided: number;
}

/** The result of a suite. */
export interface SuiteReport {
  readonly suite: string;
  readonly passed: number;
  readonly failed: number;
  readonly cases: readonly CaseResult[];
  readonly rules: readonly RuleCoverage[];
}

/** Evaluates every case against the policy. */
export function runSuite(snapshot: PolicySnapshot, suite: Suite): SuiteReport {
  const matched = new Map<number, number>();
  const decided = new Map<number, number>();
  const count = (counts: Map<number, number>, index: number): void => {
    counts.set(index, (counts.get(index) ?? 0) + 1);
  };
  const cases = suite.cases.map((each): CaseResult => {
    const { event } = each.said;
    const past = pastAfter(snapshot, each.said, each.given);
    const ruling = snapshot.evaluate(event, past.state, past.now_us);
    const views = viewsOf(event, past);
    if (ruling.rule_index >= 0) count(decided, ruling.rule_index);
    for (const layer of snapshot.layers) {
      for (const rule of layer.rules) {
        if (views.some((view) => holdsIn(view, layer, rule))) count(matched, rule.index);
      }
    }
    const got: CaseAnswer = {
      verdict: ruling.verdict,
      ...(ruling.would === undefined ? {} : { would: ruling.would }),
      rule: ruling.rule ?? NO_RULE,
    };
    const { file, line, column, name, expect, would, rule } = each;
    return {
      file,
      line,
      column,
      name,
      ok: got.verdict === expect && got.would === would && (rule === undefined || got.rule === rule),
      expected: {
        verdict: expect,
        ...(would === undefined ? {} : { would }),
        ...(rule === undefined ? {} : { rule }),
      },
      got,
      reason: ruling.reason,
    };
  });
  const passed = cases.filter((each) => each.ok).length;
  const rules = snapshot.rules.map(({ name, index, file, line, verdict }): RuleCoverage => ({
    rule: name,
    rule_index: index,
    file,
    line,
    verdict,
    matched: matched.get(index) ?? 0,
    decided: decided.get(index) ?? 0,
  }));
  return { suite: suite.file, passed, failed: cases.length - passed, cases, rules };
}
