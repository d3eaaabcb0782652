/**
 * Inline tests of a rule (`match`, `not_match`): a small table becomes an event, and the rule must or must not cover
 * it.
 */
import type { ActionType } from "../core/mod.ts";
import type { Diagnostics } from "./diagnostic.ts";
import { type NumberedRule, ruleHolds } from "./reference.ts";
import { eventOfFields } from "./said_event.ts";
import type { Table } from "./toml.ts";

/**
 * Runs every inline test of a rule; a test that fails, or that makes no event, is an error at its place.
 * It asks the reference interpreter: that is the meaning of the rule, and the compiled form is held to it elsewhere.
 */
export function runInlineTests(rule: NumberedRule, diagnostics: Diagnostics): void {
  for (const test of rule.node.tests) {
    const type = soleAction(rule);
    const said = eventOfFields(type === undefined ? test.fields : { action: type, ...test.fields }, { lenient: true });
    if (!said.ok) {
      diagnostics.error(test.position, `inline test of rule "${rule.name}": ${said.error.message}`);
      continue;
    }
    const holds = ruleHolds(rule.node, said.value.event, said.value.past);
    if (holds === (test.expect === "match")) continue;
    const what = holds ? "covers an action that it must not cover" : "does not cover an action that it must cover";
    diagnostics.error(test.position, `inline test failed: rule "${rule.name}" ${what}: ${describe(test.fields)}`);
  }
}

function describe(fields: Table): string {
  const text = JSON.stringify(fields);
  return text.length > 200 ? `${text.slice(0, 197)}...` : text;
}

/** A rule about one action type needs not repeat it in its tests. */
function soleAction(rule: NumberedRule): ActionType | undefined {
  return rule.node.actions.length === 1 ? rule.node.actions[0] : undefined;
}
