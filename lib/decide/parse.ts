/** A policy file: from bytes to the syntax tree, with every error that it has. Never throws. */
import { type ActionType, LIMITS } from "../core/mod.ts";
import { expandDefaultClass, suggestDefaultClass } from "./actions.ts";
import type { AgentNode, Defaults, DefaultVerdict, FileMode, PolicyFile, RuleNode } from "./ast.ts";
import { parseGuard } from "./guard_settings.ts";
import { type Diagnostics, quote } from "./diagnostic.ts";
import { parseApproval } from "./parse_approval.ts";
import { parseArgv, parsePathPatterns, parseProgramPatterns } from "./parse_predicates.ts";
import { parseRecord } from "./parse_record.ts";
import { parseRule } from "./parse_rule.ts";
import { isSdkRule, parseSdkRule } from "./parse_sdk.ts";
import { PatternBudget, type ReadContext, TableReader } from "./reader.ts";
import { isTable, type PolicySource, readDocument, type Table } from "./toml.ts";

const FILE_KEYS: readonly string[] = [
  "version",
  "name",
  "mode",
  "default",
  "approval",
  "guard",
  "agent",
  "config",
  "record",
  "rules",
];
const DEFAULT_VERDICTS: readonly DefaultVerdict[] = ["allow", "deny", "ask", "log"];
/** `[[agent]]` entries of one file. */
const AGENTS_MAX = 1_000;
/** Patterns of one file after braces are expanded. */
const PATTERNS_MAX = 200_000;
/** Largest pid of Linux (`PID_MAX_LIMIT`, include/linux/threads.h). */
const PID_MAX = 4_194_304;
const EMPTY_TABLE: Table = Object.freeze({});

/** Reads one file. `undefined` if it has a syntax error or exceeds a limit; otherwise errors are in `diagnostics`. */
export function parsePolicy(source: PolicySource, diagnostics: Diagnostics): PolicyFile | undefined {
  const document = readDocument(source, diagnostics);
  if (document === undefined) return undefined;
  const { table, path } = document;
  const start = { file: source.file, line: 1, column: 1 };
  const context: ReadContext = { diagnostics, actions: new Map(), budget: new PatternBudget(PATTERNS_MAX) };
  const reader = new TableReader(table, path, context);
  reader.refuseUnknown(FILE_KEYS, explainTopLevel);
  if (!reader.has("version") && !isSdkFile(reader)) {
    diagnostics.error(start, "policy has no version", "begin with version = 1");
  }
  reader.integer("version", { min: 1, max: 1 });
  const policy: PolicyFile = {
    file: source.file,
    name: parseName(reader) ?? "policy",
    digest: new Bun.CryptoHasher("sha256").update(source.bytes).digest("hex"),
    mode: reader.word<FileMode>("mode", ["enforce", "observe", "disabled"]) ?? "enforce",
    defaults: parseDefaults(reader.child("default")),
    approval: parseApproval(reader.child("approval")),
    guard: parseGuard(reader.child("guard")),
    agents: parseAgents(reader),
    config: reader.child("config")?.table ?? EMPTY_TABLE,
    record: parseRecord(reader.child("record")),
    rules: parseRules(reader),
  };
  if (context.budget.exceeded && !diagnostics.failed) {
    diagnostics.error(
      start,
      `the [[agent]] entries have more than ${PATTERNS_MAX} patterns with all their alternatives`,
    );
  }
  return policy;
}

/** True for a file of the SDK runtime: it has no version, and every rule has its form. */
function isSdkFile(reader: TableReader): boolean {
  const { rules } = reader.table;
  if (!Array.isArray(rules) || rules.length === 0) return false;
  return rules.every((rule: unknown) => isTable(rule) && isSdkRule({ table: rule }));
}

/** Keys that belong elsewhere are the commonest mistake at the top level. */
function explainTopLevel(key: string): string | undefined {
  if (key === "rule") return 'unknown key "rule": rules are written [[rules]]';
  if (key === "agents") return 'unknown key "agents": agents are written [[agent]]';
  return undefined;
}

function parseName(reader: TableReader): string | undefined {
  const name = reader.string("name");
  if (name === undefined || /^[\p{L}\p{N}._ -]{1,64}$/u.test(name)) return name;
  reader.error("name", `name ${quote(name)} is not 1 to 64 letters, digits, spaces or any of . _ -`);
  return undefined;
}

function parseDefaults(reader: TableReader | undefined): Defaults {
  const defaults = new Map<ActionType, DefaultVerdict>();
  if (reader === undefined) return defaults;
  const closeness = new Map<ActionType, { readonly rank: number; readonly key: string }>();
  for (const key of Object.keys(reader.table)) {
    const verdict = reader.word(key, DEFAULT_VERDICTS);
    const found = expandDefaultClass(key);
    if (found.types.length === 0) reader.error(key, `unknown action class ${quote(key)}`, suggestDefaultClass(key));
    for (const type of found.types) {
      const known = closeness.get(type);
      if (known !== undefined && known.rank === found.closeness) {
        reader.error(key, `classes ${quote(known.key)} and ${quote(key)} both cover ${type}`, "keep one of them");
        break;
      }
      if (known !== undefined && known.rank > found.closeness) continue;
      closeness.set(type, { rank: found.closeness, key });
      if (verdict !== undefined) defaults.set(type, verdict);
    }
  }
  return defaults;
}

function parseAgents(reader: TableReader): readonly AgentNode[] {
  const entries = reader.children("agent");
  if (entries.length > AGENTS_MAX) {
    reader.error("agent", `policy has ${entries.length} [[agent]] entries, the limit is ${AGENTS_MAX}`);
    return [];
  }
  return entries.map((entry) => parseAgent(entry));
}

function parseAgent(reader: TableReader): AgentNode {
  reader.refuseUnknown(["name", "exe", "argv", "cgroup", "pid"]);
  const name = reader.string("name");
  if (name === undefined || !/^[A-Za-z0-9._-]{1,64}$/.test(name)) {
    const found = name === undefined
      ? "agent has no name"
      : `agent name ${quote(name)} is not 1 to 64 of A-Z a-z 0-9 . _ -`;
    reader.context.diagnostics.error(reader.has("name") ? reader.at("name") : reader.position, found);
  }
  const pid = reader.integer("pid", { min: 1, max: PID_MAX });
  if (!["exe", "argv", "cgroup", "pid"].some((key) => reader.has(key))) {
    reader.context.diagnostics.error(
      reader.position,
      "agent has nothing to be recognised by",
      "add exe, argv, cgroup or pid",
    );
  }
  return {
    name: name ?? "agent",
    position: reader.position,
    ...(reader.has("exe") ? { exe: parseProgramPatterns(reader, "exe") } : {}),
    ...(reader.has("argv") ? { argv: parseArgv(reader, "argv") } : {}),
    ...(reader.has("cgroup") ? { cgroup: parsePathPatterns(reader, "cgroup") } : {}),
    ...(pid === undefined ? {} : { pid }),
  };
}

function parseRules(reader: TableReader): readonly RuleNode[] {
  const entries = reader.children("rules");
  if (entries.length > LIMITS.policy_rules_max) {
    reader.error(
      "rules",
      `policy has ${entries.length} rules, the limit (policy_rules_max) is ${LIMITS.policy_rules_max}`,
    );
    return [];
  }
  const rules: RuleNode[] = [];
  for (const [i, entry] of entries.entries()) {
    rules.push(...(isSdkRule(entry) ? parseSdkRule(entry, i + 1) : [parseRule(entry, i + 1)]));
    if (!reader.context.budget.exceeded) continue;
    const message = `the rules up to here have more than ${PATTERNS_MAX} patterns with all their alternatives`;
    entry.context.diagnostics.error(entry.position, message, "split the policy into layers");
    return rules;
  }
  return rules;
}
