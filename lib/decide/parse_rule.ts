/** One `[[rules]]` entry: from its table to the syntax tree. */
import type { Verdict } from "../core/mod.ts";
import type { InlineTest, PredicateName, Predicates, RuleNode } from "./ast.ts";
import type { Position } from "./diagnostic.ts";
import { parseActions, parsePredicates, PREDICATE_KEYS } from "./parse_predicates.ts";
import type { ParsedActions, TableReader } from "./reader.ts";

const VERDICTS: readonly Verdict[] = ["allow", "deny", "ask", "redact", "log"];
const RULE_KEYS: readonly string[] = [
  "name",
  "action",
  ...PREDICATE_KEYS,
  "except",
  "verdict",
  "mode",
  "reason",
  "match",
  "not_match",
  "enforce",
];
const EXCEPT_KEYS: readonly string[] = ["action", ...PREDICATE_KEYS.filter((key) => key !== "rate")];
const RATE_IN_EXCEPT = "rate belongs to the rule, not to its except: a rule that forbids holds beyond the rate";
/** Longest name and reason, in UTF-16 units: both are shown on one line and told to the agent. */
const NAME_LENGTH_MAX = 128;
const REASON_LENGTH_MAX = 2_000;

/** Reads one rule; `number` counts from 1 in its file. Always gives a rule: with errors, one that is not used. */
export function parseRule(reader: TableReader, number: number): RuleNode {
  reader.refuseUnknown(RULE_KEYS);
  const actions = parseRuleActions(reader);
  const verdict = reader.word("verdict", VERDICTS);
  if (!reader.has("verdict")) {
    reader.context.diagnostics.error(reader.position, "rule has no verdict", 'add verdict = "deny"');
  }
  const reason = reader.string("reason");
  if (reason !== undefined && reason.length > REASON_LENGTH_MAX) {
    reader.error("reason", `reason is longer than ${REASON_LENGTH_MAX} characters`);
  }
  const enforce = reader.word("enforce", ["best"] as const);
  // A log rule says with `label` what it sets; for all others it is a condition.
  const { label, ...others } = parsePredicates(reader);
  const sets = verdict === "log" && label !== undefined;
  return {
    name: parseName(reader) ?? `rule-${number}`,
    position: reader.position,
    name_position: reader.has("name") ? reader.at("name") : reader.position,
    actions: actions.all,
    named_actions: actions.named,
    action_position: reader.has("action") ? reader.at("action") : reader.position,
    predicates: sets || label === undefined ? others : { ...others, label },
    predicate_positions: predicatePositions(reader),
    ...(sets ? { labels: label.map(({ name }) => name) } : {}),
    excepts: reader.children("except").map((child) => parseExcept(child)),
    verdict: verdict ?? "deny",
    mode: reader.word("mode", ["enforce", "observe"] as const) ?? "enforce",
    ...(reason === undefined ? {} : { reason }),
    ...(enforce === undefined ? {} : { enforce }),
    tests: [...parseTests(reader, "match"), ...parseTests(reader, "not_match")],
  };
}

function parseName(reader: TableReader): string | undefined {
  const name = reader.string("name");
  if (name === undefined) return undefined;
  if (name === "" || name.length > NAME_LENGTH_MAX || /\p{Cc}/u.test(name)) {
    reader.error("name", `name is empty, longer than ${NAME_LENGTH_MAX} characters or has control characters`);
    return undefined;
  }
  return name;
}

function parseRuleActions(reader: TableReader): ParsedActions {
  if (reader.has("action")) return parseActions(reader);
  reader.context.diagnostics.error(
    reader.position,
    "rule has no action",
    'add action = "exec", or "*" for every action',
  );
  return { all: [], named: [] };
}

function predicatePositions(reader: TableReader): ReadonlyMap<PredicateName, Position> {
  const positions = new Map<PredicateName, Position>();
  for (const key of PREDICATE_KEYS) if (reader.has(key)) positions.set(key, reader.at(key));
  return positions;
}

function parseExcept(reader: TableReader): Predicates {
  reader.refuseUnknown(EXCEPT_KEYS, (key) => key === "rate" ? RATE_IN_EXCEPT : undefined);
  if (Object.keys(reader.table).length === 0) {
    reader.context.diagnostics.error(reader.position, "except without a predicate would switch the rule off");
  }
  const predicates = parsePredicates(reader);
  return reader.has("action") ? { action: parseActions(reader).all, ...predicates } : predicates;
}

function parseTests(reader: TableReader, expect: "match" | "not_match"): readonly InlineTest[] {
  return reader.children(expect).map((child) => ({ position: child.position, expect, fields: child.table }));
}
