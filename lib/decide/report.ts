/** Which mechanism enforces each rule, and what is left to user space. */
import type { ActionType } from "../core/mod.ts";
import { reachableTypes } from "./actions.ts";
import type { NumberedLayer, NumberedRule } from "./reference.ts";

/**
 * How a rule is brought about. `cgroup`: the kernel refuses the call. `exec_kill`: the program is killed before its
 * first instruction. `kill_after`: user space acts when the event arrives, after the effect. `observe_only`: nothing is
 * prevented.
 */
export type EnforcementMechanism = "cgroup" | "exec_kill" | "kill_after" | "observe_only";

/** What becomes of one rule. */
export interface RuleEnforcement {
  readonly rule: string;
  readonly rule_index: number;
  readonly file: string;
  readonly line: number;
  readonly mechanism: EnforcementMechanism;
  /** False if a part of the rule is not enforced by `mechanism`; the note says which. */
  readonly complete: boolean;
  readonly note: string;
}

interface Finding {
  readonly mechanism: "cgroup" | "exec_kill" | undefined;
  readonly complete: boolean;
  readonly notes: readonly string[];
}

/** Collects what lowering found out about each rule. */
export class EnforcementReport {
  readonly #findings = new Map<NumberedRule, Finding>();
  readonly #left_defaults = new Map<NumberedRule, string>();

  /** The kernel holds the rule, or a part of it. */
  lowered(
    rule: NumberedRule,
    mechanism: "cgroup" | "exec_kill",
    result: { readonly complete: boolean; readonly note: string },
  ): void {
    this.#merge(rule, { mechanism, complete: result.complete, notes: result.note === "" ? [] : [result.note] });
  }

  /** The kernel cannot hold the rule for one class of actions. */
  afterwards(rule: NumberedRule, why: string): void {
    this.#merge(rule, { mechanism: undefined, complete: false, notes: [why] });
  }

  /** The rule permits and has no kernel form, so the kernel must not refuse the action by default. */
  blocksDefault(rule: NumberedRule, action: ActionType, why: string): void {
    this.#left_defaults.set(rule, `${why}; so the kernel lets ${action} through by default and user space decides`);
  }

  /** Several layers would have to agree: said at every rule that permits the action. */
  defaultLeft(layers: readonly NumberedLayer[], action: ActionType, why: string): void {
    for (const rule of layers.flatMap((layer) => layer.rules)) {
      if (rule.node.verdict === "allow" && reachableTypes(rule).includes(action)) this.#left_defaults.set(rule, why);
    }
  }

  /** One element per rule of all layers. */
  finish(layers: readonly NumberedLayer[]): readonly RuleEnforcement[] {
    return layers.flatMap((layer) =>
      layer.rules.map((rule): RuleEnforcement => {
        const { position } = rule.node;
        const place = { rule: rule.name, rule_index: rule.index, file: position.file, line: position.line };
        return { ...place, ...this.#conclude(layer, rule) };
      })
    );
  }

  #conclude(layer: NumberedLayer, rule: NumberedRule): Pick<RuleEnforcement, "mechanism" | "complete" | "note"> {
    const { node } = rule;
    if (layer.file.mode !== "enforce") return observed(`the file's mode is ${layer.file.mode}`);
    if (node.mode === "observe") return observed("the rule's mode is observe");
    if (node.verdict === "log") return observed("a log rule changes no outcome");
    const finding = this.#findings.get(rule);
    if (node.verdict === "allow" || node.verdict === "redact") {
      if (finding?.mechanism !== undefined) {
        return { mechanism: finding.mechanism, complete: finding.complete, note: finding.notes.join("; ") };
      }
      if (node.verdict === "redact") return { ...observed("redaction is not in this version"), complete: false };
      return observed(this.#left_defaults.get(rule) ?? "an allow rule only lifts a default");
    }
    const left = leftOver(rule);
    const notes = [...(finding?.notes ?? []), ...left.notes];
    if (finding?.mechanism !== undefined) {
      return { mechanism: finding.mechanism, complete: finding.complete && left.complete, note: notes.join("; ") };
    }
    const mechanism = left.killable || finding !== undefined ? "kill_after" : "observe_only";
    return { mechanism, complete: false, note: notes.join("; ") };
  }

  #merge(rule: NumberedRule, next: Finding): void {
    const known = this.#findings.get(rule);
    this.#findings.set(rule, {
      // The refusal of a call is named before the kill, if a rule has both.
      mechanism: known?.mechanism === "cgroup" ? "cgroup" : next.mechanism ?? known?.mechanism,
      complete: (known?.complete ?? true) && next.complete,
      notes: [...new Set([...(known?.notes ?? []), ...next.notes])],
    });
  }
}

function observed(note: string): Pick<RuleEnforcement, "mechanism" | "complete" | "note"> {
  return { mechanism: "observe_only", complete: true, note };
}

/** The types of a forbidding rule that no kernel program of this version decides. */
function leftOver(
  rule: NumberedRule,
): { readonly complete: boolean; readonly killable: boolean; readonly notes: readonly string[] } {
  const types = reachableTypes(rule);
  const notes: string[] = [];
  const has = (prefix: string): boolean => types.some((type) => type.startsWith(prefix));
  if (has("file.")) notes.push("prevention of file actions is not in this version");
  if (has("unix.")) notes.push("unix sockets are acted on after the connection");
  if (types.includes("net.listen")) notes.push("net.listen is acted on after the call");
  const killable = notes.length > 0;
  if (has("tool.")) notes.push("answers to tool calls are not in this version");
  const facts = types.filter((type) => /^(?:exec\.failed|process\.|guard\.|operator\.|session\.)/.test(type));
  if (facts.length > 0) notes.push(`${facts.join(", ")} cannot be prevented`);
  return { complete: notes.length === 0, killable, notes };
}
