/**
 * Evaluates events against compiled layers. The scratch objects are reused: one evaluation at a time, which is pure
 * outside.
 */
import { errorMessage, type Event, invariant, type Ruling, type Verdict } from "../core/mod.ts";
import { Answers } from "./answers.ts";
import type { CompiledLayer, RuleTable } from "./compile.ts";
import { hasStarted, innerEvent, insideOf } from "./inner_event.ts";
import { markKey, type MarkView } from "./marks.ts";
import { EventNames, normalName } from "./names.ts";
import { isNet } from "./predicates.ts";
import { counterName, rateKey, type RulePlace } from "./predicates_facts.ts";
import { readingOf } from "./reading.ts";
import { REASON_DISABLED } from "./reason.ts";
import type { CompiledRule } from "./compiled_rule.ts";
import { Selection } from "./selection.ts";
import type { PolicyState, StateView } from "./state.ts";

const DISABLED: Ruling = Object.freeze({ verdict: "allow", rule_index: -1, reason: REASON_DISABLED, mode: "observe" });

/** The ruling where the engine itself failed: deny, or in a policy that only observes allow with `would` deny. */
export function failureRuling(all_observe: boolean, reason: string): Ruling {
  return all_observe
    ? { verdict: "allow", rule_index: -1, reason, mode: "observe", would: "deny" }
    : { verdict: "deny", rule_index: -1, reason, mode: "enforce" };
}

/** The engine of a snapshot. */
export class Evaluator {
  readonly #layers: readonly CompiledLayer[];
  readonly #all_observe: boolean;
  /** Some rule or default could refuse a program start, so command lines are worth reading. */
  readonly #reads_lines: boolean;
  /** Some rule leaves something behind. */
  readonly leaves_effects: boolean;
  readonly #answers: Answers;
  #names: EventNames | undefined;
  #selection: Selection | undefined;

  /** `layers` without the disabled ones. */
  constructor(layers: readonly CompiledLayer[]) {
    this.#layers = layers;
    this.#all_observe = layers.every((layer) => layer.mode === "observe");
    this.#answers = new Answers(this.#all_observe);
    this.#reads_lines = layers.some((layer) => layer.tables.has("exec"));
    this.leaves_effects = layers.some((layer) => layer.effects.size > 0);
  }

  /** Never throws, see `failureRuling`. */
  evaluate(event: Event, state: StateView, now_us: number): Ruling {
    if (this.#layers.length === 0) return DISABLED;
    try {
      return this.#evaluate(event, state, now_us);
    } catch (thrown) {
      this.#names?.forgetState();
      return failureRuling(this.#all_observe, `evaluate policy: ${errorMessage(thrown)}`);
    }
  }

  /** Takes what the rules leave behind into the state. `ruling` is what was decided about the event before. */
  advance(
    state: PolicyState,
    event: Event,
    { ruling, now_us }: { readonly ruling: Ruling; readonly now_us: number },
  ): void {
    const session = event.session?.session_id ?? "";
    if (this.leaves_effects) this.#leave(state, event, { ruling, session, now_us });
    if (event.action.type === "session.end") state.forget(session);
  }

  /** All is asked of the state as it was, then all is written. */
  #leave(
    state: PolicyState,
    event: Event,
    { ruling, session, now_us }: { readonly ruling: Ruling; readonly session: string; readonly now_us: number },
  ): void {
    const reading = readingOf(event);
    const left: CompiledRule[] = [];
    const changes: ((state: PolicyState) => void)[] = [];
    for (const each of reading === undefined ? [event] : [event, reading]) {
      if (!this.#layers.some((layer) => layer.effects.has(each.action.type))) continue;
      const names = this.#load(each, state, now_us);
      for (const rule of this.#collect(names)) {
        // A rule about both takes one open as one.
        if (left.includes(rule)) continue;
        left.push(rule);
        changes.push(...this.#changeOf(rule, names, { ruling, session }));
      }
      names.forgetState();
    }
    for (const change of changes) change(state);
  }

  #evaluate(event: Event, state: StateView, now_us: number): Ruling {
    const { action } = event;
    const answers = this.#answers;
    answers.clear();
    const names = this.#names ??= new EventNames(event);
    const selection = this.#selection ??= new Selection(names);
    let loaded = false;
    for (let i = 0; i < this.#layers.length; i++) {
      const layer = this.#layers[i];
      const table = layer?.tables.get(action.type);
      if (layer === undefined || table === undefined) continue;
      if (!loaded) {
        this.#load(event, state, now_us);
        loaded = true;
      }
      selection.clear();
      select(table, names, selection);
      if (!selection.settled(table.fallback)) selection.settle(table.fallback, this.#holding(table, names));
      answers.combine(layer.mode, selection, table.fallback);
    }
    if (loaded && action.type === "exec" && this.#reads_lines) this.#inside(event, names, selection);
    names.forgetState();
    return answers.ruling(action);
  }

  #load(event: Event, state: StateView, now_us: number): EventNames {
    invariant(now_us >= 0 && now_us <= Number.MAX_SAFE_INTEGER, "decide at a moment between 1970 and 2255");
    const names = this.#names ??= new EventNames(event);
    names.state = state;
    names.now_us = now_us;
    names.load(event);
    return names;
  }

  /** Decides each command of the command line as if it were started by itself; the strictest of all decides. */
  #inside(event: Event, names: EventNames, selection: Selection): void {
    const line = names.commandLine();
    if (line === undefined || line.commands.length === 0 || event.action.type !== "exec") return;
    const commands = insideOf(event, line, event.action);
    const started = hasStarted(event);
    selection.only_arguments = started;
    try {
      for (const command of commands) {
        const inner = innerEvent(event, event.action, command);
        names.loadInner(inner, command.opaque);
        this.#answers.enter(inner.action);
        for (const layer of this.#layers) {
          const table = layer.tables.get("exec");
          if (table === undefined) continue;
          selection.clear();
          select(table, names, selection);
          const fallback = started || command.builtin ? undefined : table.fallback;
          if (!selection.settled(fallback)) selection.settle(fallback, this.#holding(table, names));
          this.#answers.combine(layer.mode, selection, fallback);
        }
      }
    } finally {
      selection.only_arguments = false;
    }
  }

  /** Every rule that leaves something behind and holds. */
  #collect(names: EventNames): readonly CompiledRule[] {
    return this.#layers.flatMap((layer) => {
      const table = layer.effects.get(names.event.action.type);
      return table === undefined ? [] : this.#holding(table, names);
    });
  }

  /** Every rule of a table that holds. */
  #holding(table: RuleTable, names: EventNames): readonly CompiledRule[] {
    const selection = this.#selection ??= new Selection(names);
    const collected: CompiledRule[] = [];
    selection.collected = collected;
    try {
      select(table, names, selection);
    } finally {
      selection.collected = undefined;
    }
    return collected;
  }

  #changeOf(
    rule: CompiledRule,
    names: EventNames,
    { ruling, session }: { readonly ruling: Ruling; readonly session: string },
  ): readonly ((state: PolicyState) => void)[] {
    const { effect } = rule;
    const { now_us } = names;
    if (effect === undefined) return [];
    if (effect.kind === "rate") {
      return effect.rates.map(({ keys, per_us }, i) => {
        const key = rateKey(keys, names);
        return (state) => state.count(counterName(rule.name, i), key, { per_us, now_us });
      });
    }
    const views = markViews(ruling, rule.place, rule.surelyHolds(names));
    return effect.marks.flatMap((mark) =>
      views.map((view) => (state: PolicyState) => state.mark(session, markKey(mark, view), now_us))
    );
  }
}

/** Who sees a mark, see `markKey`. `surely`: the rule holds also where what permits asks. */
function markViews(ruling: Ruling, { observes, file }: RulePlace, surely: boolean): readonly MarkView[] {
  const views: MarkView[] = [{ observes: true }];
  if (surely && passes(ruling.would ?? ruling.verdict)) views.push({ observes: true, permits_in: file });
  if (observes) return views;
  views.push({ observes: false });
  if (surely && passes(ruling.verdict)) views.push({ observes: false, permits_in: file });
  return views;
}

function passes(verdict: Verdict): boolean {
  return verdict !== "deny" && verdict !== "ask";
}

function select(table: RuleTable, names: EventNames, selection: Selection): void {
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
  if (table.net !== undefined) {
    if (isNet(action)) table.net.lookup(names, action.port, selection);
    else if (action.type === "net.dns") table.net.lookup(names, -1, selection);
  }
  if (table.tools !== undefined && action.type === "tool.call") {
    const found = table.tools.get(action.tool);
    if (found !== undefined) selection.scan(found);
  }
  if (table.scan.length > 0) selection.scan(table.scan);
}
