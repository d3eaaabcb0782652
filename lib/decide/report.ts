/** Which mechanism enforces each rule on a host, and what is left. */
import { type ActionType, LIMITS, type LoweredPolicy } from "../core/mod.ts";
import { candidateParts, type Forbidden, type KernelForm, type KernelForms } from "./candidates.ts";
import {
  chooseEnforcement,
  type ChosenEnforcement,
  ENFORCEMENT_MECHANISMS,
  type EnforcementMechanism,
  type HostMechanisms,
} from "./enforcement.ts";
import { lowerFileRule } from "./lower_file.ts";
import { KERNEL_NET_ACTIONS } from "./lower_net.ts";
import { lowerUnixRule } from "./lower_unix.ts";
import type { TypedLayer, TypedRule } from "./typed_rules.ts";

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
  /** Empty for rules that prevent nothing. */
  readonly parts: readonly ChosenEnforcement[];
}

/** What becomes of those actions that one file refuses, or asks about, where no rule decides. */
export interface DefaultEnforcement extends Omit<RuleEnforcement, "rule" | "rule_index" | "line"> {
  readonly verdict: "deny" | "ask";
  readonly actions: readonly ActionType[];
}

type Conclusion = Omit<RuleEnforcement, "rule" | "rule_index" | "file" | "line">;

/** Classes of actions that a kernel program decides. */
export type KernelClass = keyof KernelForms;

/** For what the report is. */
export interface ReportOptions {
  readonly host: HostMechanisms;
  readonly home?: string;
}

/** Of an allow that lifts the kernel's default for programs. */
export const ONE_NAME = "the kernel asks for one matching name; user space kills where the other does not match";

/** Collects what lowering found out about each rule. */
export class EnforcementReport {
  readonly layers: readonly TypedLayer[];
  readonly #options: ReportOptions;
  readonly #forms = new Map<TypedRule, KernelForms>();
  readonly #left_defaults = new Map<TypedRule, string>();
  #file_rules = 0;

  constructor(layers: readonly TypedLayer[], options: ReportOptions) {
    this.layers = layers;
    this.#options = options;
  }

  /** The kernel's form of one class of a rule's actions, or why it has none. */
  form(rule: TypedRule, of: KernelClass, form: KernelForm | string): void {
    const known = this.#forms.get(rule)?.[of];
    // Of several forms of one class (network actions are lowered one by one) all must be complete.
    const merged = typeof known === "object" && typeof form === "object"
      ? { ...form, complete: known.complete && form.complete, note: known.note === "" ? form.note : known.note }
      : form;
    this.#forms.set(rule, { ...this.#forms.get(rule), [of]: merged });
  }

  /** The rule permits and has no kernel form, so the kernel must not refuse the action by default. */
  blocksDefault(rule: TypedRule, action: ActionType, why: string): void {
    this.#left_defaults.set(rule, `${why}; so the kernel lets ${action} through by default and user space decides`);
  }

  /** Several layers would have to agree: said at every rule that permits the action. */
  defaultLeft(layers: readonly TypedLayer[], action: ActionType, why: string): void {
    for (const rule of layers.flatMap((layer) => layer.rules)) {
      if (rule.node.verdict === "allow" && rule.types.includes(action)) this.#left_defaults.set(rule, why);
    }
  }

  /** Indexes of the rules that the kernel's copy holds as a whole. */
  inKernel(): ReadonlySet<number> {
    const held = new Set<number>();
    for (const [{ index, types, node }, { net, exec }] of this.#forms) {
      const whole = (form: KernelForm | string | undefined): boolean =>
        typeof form === "object" && (form.complete || form.by_name === true);
      const holds = node.verdict === "allow"
        ? [net, exec].every((form) => form === undefined || whole(form))
        : types.every((type) =>
          type === "exec" ? whole(exec) : KERNEL_NET_ACTIONS.some((net) => net === type) && whole(net)
        );
      if (holds) held.add(index);
    }
    return held;
  }

  /** One element per rule of all layers. */
  finish(): readonly RuleEnforcement[] {
    const conclude = new Concluder(this.#options);
    this.#file_rules = 0;
    return this.layers.flatMap((layer) =>
      layer.rules.map((rule): RuleEnforcement => {
        const { position } = rule.node;
        return {
          rule: rule.name,
          rule_index: rule.index,
          file: position.file,
          // Looking a place up costs more than the rest: only who shows the rule does it.
          get line(): number {
            return position.line;
          },
          ...this.#conclude(layer, rule, conclude),
        };
      })
    );
  }

  /** One element for each file that enforces and each verdict that refuses; `policy` is the kernel's copy. */
  defaults(policy: LoweredPolicy): readonly DefaultEnforcement[] {
    const concluder = new Concluder(this.#options);
    const lifted = policy.exec.some(({ verdict }) => verdict === "allow");
    const exec = lifted ? { complete: false, note: ONE_NAME } : { complete: true, note: "" };
    const forms: KernelForms = {
      // Only what the kernel refuses by default is among the types that this is asked about.
      net: { complete: true, note: "" },
      ...(policy.exec_default === "deny" ? { exec } : {}),
    };
    const in_kernel = (type: ActionType): boolean =>
      KERNEL_NET_ACTIONS.some((net) => net === type && policy.net_default[net] === "deny");
    return this.layers.filter(({ file }) => file.mode === "enforce").flatMap(({ file }) =>
      (["deny", "ask"] as const).flatMap((verdict): readonly DefaultEnforcement[] => {
        const types = [...file.defaults].filter(([, each]) => each === verdict).map(([type]) => type);
        if (types.length === 0) return [];
        const asked = { verdict };
        const parts = [
          ...concluder.forbidden({ ...asked, types: types.filter((type) => !isNet(type) || in_kernel(type)) }, forms)
            .parts,
          ...concluder.forbidden({ ...asked, types: types.filter((type) => isNet(type) && !in_kernel(type)) }, {})
            .parts,
        ];
        return [{ file: file.file, verdict, actions: types, ...concludeParts(parts) }];
      })
    );
  }

  #conclude(layer: TypedLayer, rule: TypedRule, concluder: Concluder): Conclusion {
    const { node } = rule;
    if (layer.file.mode !== "enforce") return observed(`the file's mode is ${layer.file.mode}`);
    if (node.mode === "observe") return observed("the rule's mode is observe");
    if (node.verdict === "log") return observed("a log rule changes no outcome");
    if (node.verdict === "redact") return { ...observed("redaction is not in this version"), complete: false };
    const forms = this.#forms.get(rule) ?? {};
    if (node.verdict === "allow") return lifted(forms, this.#left_defaults.get(rule));
    const is_file = rule.types.some((type) => type.startsWith("file.") || type === "unix.connect");
    if (!is_file) return concluder.conclude(rule, forms);
    const unix = rule.types.includes("unix.connect") ? { unix: lowerUnixRule(rule, this.#options.home) } : {};
    return concluder.conclude(rule, { ...forms, ...unix, file: this.#fileForm(rule) });
  }

  #fileForm(rule: TypedRule): KernelForm | string {
    const form = lowerFileRule(rule, this.#options.home);
    if (typeof form === "string" || ++this.#file_rules <= LIMITS.kernel_file_rules_max) return form;
    return `the kernel holds ${LIMITS.kernel_file_rules_max} file rules (kernel_file_rules_max)`;
  }
}

/** Concludes about rules that forbid. Rules of one kind share what is found. */
class Concluder {
  readonly #host: HostMechanisms;
  readonly #known = new Map<readonly ActionType[], Map<string, Conclusion>>();

  constructor({ host }: ReportOptions) {
    this.#host = host;
  }

  conclude(rule: TypedRule, forms: KernelForms): Conclusion {
    const { verdict, predicates } = rule.node;
    const by_name = verdict === "deny" && predicates.host !== undefined;
    let known = this.#known.get(rule.types);
    if (known === undefined) this.#known.set(rule.types, known = new Map());
    const key = [verdict, String(by_name), keyOf(forms.net), keyOf(forms.exec), keyOf(forms.file), keyOf(forms.unix)]
      .join("\n");
    const found = known.get(key) ?? this.forbidden({ types: rule.types, verdict, by_name }, forms);
    known.set(key, found);
    return found;
  }

  forbidden(asked: Forbidden, forms: KernelForms): Conclusion {
    const { held } = this.#host;
    const is_held = (type: ActionType): boolean => held === undefined || held.has(type);
    // What this version does not hold yet must not speak for what it does.
    const groups = [asked.types.filter((type) => is_held(type)), asked.types.filter((type) => !is_held(type))];
    const parts = groups.flatMap((types) => candidateParts({ ...asked, types }, forms)).map((part) =>
      chooseEnforcement(part, asked.verdict, this.#host)
    );
    return concludeParts(parts);
  }
}

function concludeParts(parts: readonly ChosenEnforcement[]): Conclusion {
  return {
    ...strongest(parts.map(({ mechanism }) => mechanism)),
    complete: parts.length > 0 && parts.every(({ complete }) => complete),
    note: notesOf(parts),
    parts,
  };
}

function isNet(type: ActionType): boolean {
  return type.startsWith("net.");
}

function keyOf(form: KernelForm | string | undefined): string {
  return form === undefined ? "" : typeof form === "string" ? `- ${form}` : `${form.complete} ${form.note}`;
}

function observed(note: string): Conclusion {
  return { mechanism: "observe_only", mechanisms: ["observe_only"], complete: true, note, parts: [] };
}

/** A rule that permits has a mechanism only where the kernel refuses by default and must know it. */
function lifted({ net, exec }: KernelForms, left: string | undefined): Conclusion {
  const used: [EnforcementMechanism, KernelForm][] = [];
  if (typeof net === "object") used.push(["cgroup", net]);
  if (typeof exec === "object") used.push(["exec_kill", exec]);
  if (used.length === 0) return observed(left ?? "an allow rule only lifts a default");
  const complete = used.every(([, form]) => form.complete);
  const note = used.map(([, form]) => form.note).filter((text) => text !== "").join("; ");
  return { ...strongest(used.map(([mechanism]) => mechanism)), complete, note, parts: [] };
}

function strongest(used: readonly EnforcementMechanism[]): Pick<RuleEnforcement, "mechanism" | "mechanisms"> {
  const mechanisms = ENFORCEMENT_MECHANISMS.filter((mechanism) => used.includes(mechanism));
  return { mechanism: mechanisms[0] ?? "observe_only", mechanisms };
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
