/**
 * Evaluates events against compiled layers. The scratch objects are reused: one evaluation at a time, which is pure
 * outside.
 */
import { type Action, errorMessage, type Event, type Ruling, type Verdict } from "../core/mod.ts";
import type { CompiledLayer, TypeTable } from "./compile.ts";
import { EventNames, hostName, normalName } from "./names.ts";
import { isNet } from "./predicates.ts";
import { REASON_DISABLED, reasonOfDefault, reasonOfRule, reasonWithShadow } from "./reason.ts";
import { type CompiledRule, type DefaultAnswer, Selection } from "./selection.ts";

const STRICTNESS: Readonly<Record<Verdict, number>> = { allow: 0, log: 1, redact: 2, ask: 3, deny: 4 };
const DISABLED: Ruling = Object.freeze({ verdict: "allow", rule_index: -1, reason: REASON_DISABLED, mode: "observe" });
/** What decides: a rule, or a default. */
type Answer = CompiledRule | DefaultAnswer;

/** Where no layer says anything. */
const NOTHING: Answer = { kind: "default", verdict: "allow", ruling: undefined };

/** The engine of a snapshot. */
export class Evaluator {
  readonly #layers: readonly CompiledLayer[];
  readonly #all_observe: boolean;
  #names: EventNames | undefined;
  #selection: Selection | undefined;
  // Results of the layer loop, kept in fields so that nothing is allocated for them.
  #real: Answer = NOTHING;
  #full: Answer = NOTHING;
  #has_real = false;
  #has_full = false;

  /** `layers` without the disabled ones. */
  constructor(layers: readonly CompiledLayer[]) {
    this.#layers = layers;
    this.#all_observe = layers.every((layer) => layer.mode === "observe");
  }

  /** Never throws: an error gives deny, or in a policy that only observes allow with `would` deny. */
  evaluate(event: Event): Ruling {
    if (this.#layers.length === 0) return DISABLED;
    try {
      return this.#evaluate(event);
    } catch (thrown) {
      const reason = `evaluate policy: ${errorMessage(thrown)}`;
      return this.#all_observe
        ? { verdict: "allow", rule_index: -1, reason, mode: "observe", would: "deny" }
        : { verdict: "deny", rule_index: -1, reason, mode: "enforce" };
    }
  }

  #evaluate(event: Event): Ruling {
    const { action } = event;
    this.#real = NOTHING;
    this.#full = NOTHING;
    this.#has_real = false;
    this.#has_full = false;
    const names = this.#names ??= new EventNames(event);
    const selection = this.#selection ??= new Selection(names);
    let loaded = false;
    for (let i = 0; i < this.#layers.length; i++) {
      const layer = this.#layers[i];
      const table = layer?.tables.get(action.type);
      if (layer === undefined || table === undefined) continue;
      if (!loaded) {
        names.load(event);
        loaded = true;
      }
      selection.clear();
      select(table, names, selection);
      this.#combine(layer, table, selection);
    }
    return this.#ruling(action);
  }

  #combine(layer: CompiledLayer, table: TypeTable, selection: Selection): void {
    const { fallback } = table;
    const full = answerOf(selection.full, selection.full_log, fallback);
    if (full !== undefined && (!this.#has_full || STRICTNESS[full.verdict] > STRICTNESS[this.#full.verdict])) {
      this.#full = full;
      this.#has_full = true;
    }
    if (layer.mode !== "enforce") return;
    const real = answerOf(selection.real, selection.real_log, fallback);
    if (real !== undefined && (!this.#has_real || STRICTNESS[real.verdict] > STRICTNESS[this.#real.verdict])) {
      this.#real = real;
      this.#has_real = true;
    }
  }

  #ruling(action: Action): Ruling {
    const real = this.#real;
    const full = this.#full;
    const passes = real.verdict === "allow" || real.verdict === "log";
    const full_passes = full.verdict === "allow" || full.verdict === "log";
    const differs = passes !== full_passes || (!passes && real.verdict !== full.verdict);
    if (differs && !passes) {
      const reason = reasonWithShadow(
        reasonOf(real, action),
        full.kind === "rule" ? full.name : undefined,
        full.verdict,
      );
      return { ...named(real), reason, mode: "enforce", would: full.verdict };
    }
    if (differs) {
      return {
        ...named(full),
        verdict: real.verdict,
        reason: reasonOf(full, action),
        mode: "observe",
        would: full.verdict,
      };
    }
    if (this.#all_observe) return { ...named(full), verdict: "allow", reason: reasonOf(full, action), mode: "observe" };
    return real.ruling ?? { ...named(real), reason: reasonOf(real, action), mode: "enforce" };
  }
}

function select(table: TypeTable, names: EventNames, selection: Selection): void {
  const { path, requested } = names;
  if (table.path !== undefined) {
    if (path !== undefined) table.path.lookup(path, names, selection);
    if (requested !== undefined) table.path.lookup(requested, names, selection);
    if (names.new_path !== undefined) table.path.lookup(names.new_path, names, selection);
    if (names.requested_new !== undefined) table.path.lookup(names.requested_new, names, selection);
  }
  if (table.exe !== undefined) {
    if (path !== undefined) table.exe.lookup(path, names, selection);
    if (requested !== undefined) table.exe.lookup(requested, names, selection);
    if (names.interpreter !== undefined) table.exe.lookup(names.interpreter, names, selection);
  }
  const { action, process } = names.event;
  if (table.by !== undefined && process?.exe !== undefined) table.by.lookup(normalName(process.exe), names, selection);
  if (table.net !== undefined && isNet(action)) {
    const host = action.host === undefined ? undefined : hostName(action.host);
    table.net.lookup(names, action.port, { host, selection });
  }
  if (table.tools !== undefined && action.type === "tool.call") {
    const found = table.tools.get(action.tool);
    if (found !== undefined) selection.scan(found);
  }
  if (table.scan.length > 0) selection.scan(table.scan);
}

/** deny > ask > redact > allow > default; a log rule names itself where the action passes. */
function answerOf(
  rule: CompiledRule | undefined,
  log: CompiledRule | undefined,
  fallback: DefaultAnswer | undefined,
): Answer | undefined {
  const answer = rule ?? fallback;
  if (log === undefined) return answer;
  return answer === undefined || answer.verdict === "allow" || answer.verdict === "log" ? log : answer;
}

function named(answer: Answer): { readonly verdict: Verdict; readonly rule?: string; readonly rule_index: number } {
  const { verdict } = answer;
  return answer.kind === "rule"
    ? { verdict, rule: answer.name, rule_index: answer.index }
    : { verdict, rule_index: -1 };
}

function reasonOf(answer: Answer, action: Action): string {
  return answer.kind === "rule"
    ? reasonOfRule(answer.name, answer.node, action)
    : reasonOfDefault(answer.verdict, action.type);
}
