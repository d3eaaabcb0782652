/** Rules in the form of the SDK runtime's policy files: what is blocked, and what needs an approval. */
import { ACTION_TYPES, type ActionType } from "../core/mod.ts";
import type { RuleNode } from "./ast.ts";
import type { TableReader } from "./reader.ts";
import { quote } from "./diagnostic.ts";
import { didYouMean } from "./suggest.ts";

const LISTS = ["blocked_actions", "requires_approval_actions"] as const;
const SDK_KEYS: readonly string[] = ["name", ...LISTS, "approval_timeout_secs", "mode", "reason", "enforce"];
const TIMEOUT_SECS_DEFAULT = 300;
const UINT32_MAX = 4_294_967_295;

/** The action types of each name of the SDK runtime. */
const SDK_ACTIONS: Readonly<Record<string, (type: string) => boolean>> = {
  LLM_CALL: (type) => type.startsWith("llm."),
  TOOL_CALL: (type) => type === "tool.call",
  TOOL_RESULT: (type) => type === "tool.result",
  FILE_OPERATION: (type) => type.startsWith("file."),
  NETWORK_CALL: (type) => type.startsWith("net.") || type === "unix.connect",
  PROCESS_EXEC: (type) => type === "exec",
  AGENT_SPAWN: (type) => type === "agent.spawn",
};

/** True for an entry of `[[rules]]` in the form of the SDK runtime. */
export function isSdkRule({ table }: Pick<TableReader, "table">): boolean {
  return Object.hasOwn(table, "blocked_actions") || Object.hasOwn(table, "requires_approval_actions");
}

/**
 * One entry as up to two rules: a deny for what is blocked, and an ask for what needs an approval. Where an action is
 * in both lists the block decides; the SDK runtime would ask.
 */
export function parseSdkRule(reader: TableReader, number: number): readonly RuleNode[] {
  reader.refuseUnknown(SDK_KEYS);
  const name = reader.string("name");
  if (name === undefined || name === "" || name.length > 128 || /\p{Cc}/u.test(name)) {
    reader.context.diagnostics.error(
      reader.position,
      "a rule with blocked_actions needs a name of 1 to 128 characters",
    );
  }
  const secs = reader.integer("approval_timeout_secs", { min: 1, max: UINT32_MAX }) ?? TIMEOUT_SECS_DEFAULT;
  const reason = reader.string("reason");
  const enforce = reader.word("enforce", ["best"] as const);
  const shared = {
    position: reader.position,
    name_position: reader.has("name") ? reader.at("name") : reader.position,
    predicates: {},
    predicate_positions: new Map(),
    excepts: [],
    mode: reader.word("mode", ["enforce", "observe"] as const) ?? "enforce",
    ...(reason === undefined ? {} : { reason }),
    ...(enforce === undefined ? {} : { enforce }),
    tests: [],
  };
  const [blocked, approval] = LISTS.map((key) => parseActions(reader, key));
  const base = name ?? `rule-${number}`;
  const rules: RuleNode[] = [];
  const add = (
    actions: readonly ActionType[],
    more: Pick<RuleNode, "name" | "verdict" | "approval_timeout_ms">,
  ): void => {
    const key = more.verdict === "deny" ? LISTS[0] : LISTS[1];
    const action_position = reader.has(key) ? reader.at(key) : reader.position;
    if (actions.length > 0) rules.push({ ...shared, actions, named_actions: [], action_position, ...more });
  };
  add(blocked ?? [], { name: base, verdict: "deny" });
  add(approval ?? [], {
    name: (blocked ?? []).length > 0 ? `${base} (approval)` : base,
    verdict: "ask",
    approval_timeout_ms: secs * 1_000,
  });
  return rules;
}

function parseActions(reader: TableReader, key: string): readonly ActionType[] {
  const value = reader.table[key];
  // Both lists may be empty in these files: the rule then says nothing.
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return [];
  const types = new Set<ActionType>();
  const names = Object.keys(SDK_ACTIONS);
  for (const { value: name, position } of reader.strings(key) ?? []) {
    const holds = Object.hasOwn(SDK_ACTIONS, name) ? SDK_ACTIONS[name] : undefined;
    if (holds === undefined) {
      const hint = didYouMean(name, names) ?? `known names: ${names.join(", ")}`;
      reader.context.diagnostics.error(position, `unknown action ${quote(name)} in ${key}`, hint);
      continue;
    }
    const found = ACTION_TYPES.filter((type) => holds(type));
    if (found.length === 0) {
      reader.context.diagnostics.warning(
        position,
        `nothing in this version reports ${name}: the rule never matches it`,
      );
    }
    for (const type of found) types.add(type);
  }
  return [...types];
}
