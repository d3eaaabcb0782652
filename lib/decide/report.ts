/** Which mechanism enforces each rule on a host, and what is left. */
import type { ActionType } from "../core/mod.ts";
import { reachableTypes } from "./actions.ts";
import { candidateParts, type KernelForm, type KernelForms } from "./candidates.ts";
import {
  chooseEnforcement,
  type ChosenEnforcement,
  ENFORCEMENT_MECHANISMS,
  type EnforcementMechanism,
  type EnforcementPart,
  type HostMechanisms,
} from "./enforcement.ts";
import type { NumberedLayer, NumberedRule } from "./reference.ts";

/** What becomes of one rule on a host. */
export interface RuleEnforcement {
  readonly rule: string;
  readonly rule_index: number;
  readonly file: string;
  readonly line: number;
  /** The strongest of `mechanisms`. */
  readonly mechanism: EnforcementMechanism;
  /** What the parts of the rule use, the strongest first. */
  readonly mechanisms: readonly EnforcementMechanism[];
  /** False if something that the rule forbids is not prevented; the note says what. */
  readonly complete: boolean;
  readonly note: string;
  /** The kernel's copy of the policy holds the whole rule: its verdicts must be those of user space. */
  readonly in_kernel: boolean;
  /** Empty for rules that prevent nothing. */
  readonly parts: readonly ChosenEnforcement[];
}

type Conclusion = Omit<RuleEnforcement, "rule" | "rule_index" | "file" | "line">;

/** Classes of actions that a kernel program decides. */
export type KernelClass = keyof KernelForms;

/** Collects what lowering found out about each rule. */
export class EnforcementReport {
  readonly #host: HostMechanisms;
  readonly #forms = new Map<NumberedRule, KernelForms>();
  readonly #left_defaults = new Map<NumberedRule, string>();

  constructor(host: HostMechanisms) {
    this.#host = host;
  }

  /** The kernel's form of one class of a rule's actions, or why it has none. */
  form(rule: NumberedRule, of: KernelClass, form: KernelForm | string): void {
    const known = this.#forms.get(rule)?.[of];
    // Of several forms of one class (network actions are lowered one by one) all must be complete.
    const merged = typeof known === "object" && typeof form === "object"
      ? { complete: known.complete && form.complete, note: known.note === "" ? form.note : known.note }
      : form;
    this.#forms.set(rule, { ...this.#forms.get(rule), [of]: merged });
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

  #conclude(layer: NumberedLayer, rule: NumberedRule): Conclusion {
    const { node } = rule;
    if (layer.file.mode !== "enforce") return observed(`the file's mode is ${layer.file.mode}`);
    if (node.mode === "observe") return observed("the rule's mode is observe");
    if (node.verdict === "log") return observed("a log rule changes no outcome");
    if (node.verdict === "redact") return { ...observed("redaction is not in this version"), complete: false };
    const forms = this.#forms.get(rule) ?? {};
    if (node.verdict === "allow") return lifted(forms, this.#left_defaults.get(rule));
    const parts = candidateParts(rule, forms).map((part) => chooseEnforcement(part, node.verdict, this.#host));
    return {
      ...strongest(parts.map(({ mechanism }) => mechanism)),
      complete: parts.length > 0 && parts.every(({ complete }) => complete),
      note: notesOf(parts),
      in_kernel: parts.length > 0 && parts.every(heldInKernel),
      parts,
    };
  }
}

function observed(note: string): Conclusion {
  return { mechanism: "observe_only", mechanisms: ["observe_only"], complete: true, note, in_kernel: false, parts: [] };
}

/** A rule that permits has a mechanism only where the kernel refuses by default and must know it. */
function lifted({ net, exec }: KernelForms, left: string | undefined): Conclusion {
  const used: [EnforcementMechanism, KernelForm][] = [];
  if (typeof net === "object") used.push(["cgroup", net]);
  if (typeof exec === "object") used.push(["exec_kill", exec]);
  if (used.length === 0) return observed(left ?? "an allow rule only lifts a default");
  const complete = used.every(([, form]) => form.complete);
  const note = used.map(([, form]) => form.note).filter((text) => text !== "").join("; ");
  return { ...strongest(used.map(([mechanism]) => mechanism)), complete, note, in_kernel: complete, parts: [] };
}

function strongest(used: readonly EnforcementMechanism[]): Pick<RuleEnforcement, "mechanism" | "mechanisms"> {
  const mechanisms = ENFORCEMENT_MECHANISMS.filter((mechanism) => used.includes(mechanism));
  return { mechanism: mechanisms[0] ?? "observe_only", mechanisms };
}

function heldInKernel({ candidates }: EnforcementPart): boolean {
  return candidates.some(({ mechanism, complete }) =>
    complete && (mechanism === "cgroup" || mechanism === "exec_kill")
  );
}

/** The notes of all parts; with several parts each says which actions it is about. */
function notesOf(parts: readonly ChosenEnforcement[]): string {
  const notes = new Map<string, ActionType[]>();
  for (const { note, actions } of parts) {
    if (note !== "") notes.set(note, [...(notes.get(note) ?? []), ...actions]);
  }
  return [...notes].map(([note, actions]) => parts.length === 1 ? note : `${shortList(actions)}: ${note}`).join("; ");
}

function shortList(actions: readonly ActionType[]): string {
  return actions.length <= 3 ? actions.join(", ") : `${actions.slice(0, 2).join(", ")} and ${actions.length - 2} more`;
}
