/** The compiled policy: immutable, and pure to ask. */
import {
  type ActionType,
  type ApprovalSettings,
  type Decider,
  errorMessage,
  type Event,
  type PolicyRef,
  type Ruling,
  type Verdict,
} from "../core/mod.ts";
import { type AgentPattern, agentPattern, type AgentProcess, compileAgent } from "./agents.ts";
import type { FileMode } from "./ast.ts";
import { compileLayer } from "./compile.ts";
import { DecidingHosts } from "./deciding_host.ts";
import type { Diagnostic, Position } from "./diagnostic.ts";
import { Evaluator, failureRuling } from "./evaluator.ts";
import { type GuardSettings, mergeGuard } from "./guard_settings.ts";
import { marksAskedBy } from "./marks.ts";
import { mergeApproval } from "./parse_approval.ts";
import { readingOf, withReading } from "./reading.ts";
import { mergeRecordConfigs, type RecordConfig } from "./record_config.ts";
import type { NumberedLayer, NumberedRule } from "./reference.ts";
import { NO_PAST, type PolicyState, type StateView } from "./state.ts";
import type { Table } from "./toml.ts";

/** One rule, for lists and reports. */
export interface RuleInfo extends Position {
  /** Unique in the snapshot. */
  readonly name: string;
  /** Position in `PolicySnapshot.rules`; what rulings call `rule_index`. */
  readonly index: number;
  readonly verdict: Verdict;
  /** `observe` also where the whole file only observes. */
  readonly mode: FileMode;
  readonly actions: readonly ActionType[];
  readonly reason?: string;
  /** The rule asks for no more than this host can do. */
  readonly enforce?: "best";
  /** After this an unanswered question of this rule is denied, milliseconds. */
  readonly approval_timeout_ms?: number;
}

/** What a snapshot is made of. */
export interface SnapshotParts {
  readonly ref: PolicyRef;
  readonly layers: readonly NumberedLayer[];
  readonly warnings: readonly Diagnostic[];
}

/** Everything that a set of policy files says. Made by `loadPolicy`. */
export class PolicySnapshot implements Decider {
  readonly ref: PolicyRef;
  /** `enforce` if any layer enforces, else `observe` if any observes, else `disabled`. */
  readonly mode: FileMode;
  readonly guard: GuardSettings;
  readonly agents: readonly AgentPattern[];
  readonly rules: readonly RuleInfo[];
  readonly warnings: readonly Diagnostic[];
  /** The marks that some rule asks about. */
  readonly marks: ReadonlySet<string>;
  /** The syntax trees, numbered; what `lower` and the reference interpreter read. */
  readonly layers: readonly NumberedLayer[];
  readonly #hosts: DecidingHosts;
  #evaluator: Evaluator | undefined;
  readonly #agent_tests: readonly ((process: AgentProcess) => boolean)[];

  constructor({ ref, layers, warnings }: SnapshotParts) {
    this.ref = Object.freeze({ ...ref });
    this.layers = Object.freeze([...layers]);
    this.warnings = Object.freeze([...warnings]);
    const modes = layers.map((layer) => layer.file.mode);
    this.mode = modes.includes("enforce") ? "enforce" : modes.includes("observe") ? "observe" : "disabled";
    this.#hosts = new DecidingHosts(this.layers);
    this.guard = mergeGuard(layers.map((layer) => layer.file.guard));
    const agents = layers.flatMap((layer) => layer.file.agents);
    this.agents = Object.freeze(agents.map((node) => agentPattern(node)));
    this.#agent_tests = agents.map((node) => compileAgent(node));
    this.rules = Object.freeze(layers.flatMap((layer) => layer.rules.map((rule) => ruleInfo(layer, rule))));
    const active = layers.filter((layer) => layer.file.mode !== "disabled");
    this.marks = marksAskedBy(active.flatMap((layer) => layer.rules.map((rule) => rule.node)));
  }

  /** Makes the tables that evaluation needs; done by itself when something is first decided. */
  compile(): Evaluator {
    const active = this.layers.filter((layer) => layer.file.mode !== "disabled");
    return this.#evaluator ??= new Evaluator(active.map((layer) => compileLayer(layer, this.marks)));
  }

  /** Some rule depends on what happened before: decide with a `PolicyState`. */
  get has_state(): boolean {
    return this.compile().leaves_effects;
  }

  /**
   * Decides. Pure and total: an internal error is a deny that says so. Without a state nothing has happened before; the
   * time is that of the event.
   */
  evaluate(event: Event, state: StateView = NO_PAST, now_us: number = event.time_us): Ruling {
    let evaluator;
    try {
      evaluator = this.compile();
    } catch (thrown) {
      return this.failure(`compile policy: ${errorMessage(thrown)}`);
    }
    try {
      const ruling = evaluator.evaluate(event, state, now_us);
      const reading = readingOf(event);
      return reading === undefined ? ruling : withReading(ruling, evaluator.evaluate(reading, state, now_us));
    } catch (thrown) {
      return this.failure(`evaluate policy: ${errorMessage(thrown)}`);
    }
  }

  /**
   * Moves the state on by one event that was decided. Reads and changes only `state`; throws only for a defect, and has
   * then changed nothing.
   */
  advance(state: PolicyState, event: Event, decided: { readonly ruling: Ruling; readonly now_us: number }): void {
    this.compile().advance(state, event, decided);
  }

  /** The first of the names of an address that a rule asks for; `undefined` where it asks for none of them. */
  hostOf(rule_index: number, hosts: readonly string[]): string | undefined {
    return this.#hosts.find(rule_index, hosts);
  }

  /** The ruling where something around the evaluation failed. */
  failure(reason: string): Ruling {
    return failureRuling(this.mode !== "enforce", reason);
  }

  /** The first `[[agent]]` entry that matches the process. */
  matchAgent(process: AgentProcess): AgentPattern | undefined {
    const found = this.#agent_tests.findIndex((test) => test(process));
    return found < 0 ? undefined : this.agents[found];
  }

  /** The `[config]` tables of all layers, later ones over earlier ones, key by key. Values are as TOML gave them. */
  get config(): Table {
    return merged(this.layers.map((layer) => layer.file.config));
  }

  /** The `[record]` tables of all layers as one; a later layer only tightens. */
  get record(): RecordConfig {
    return mergeRecordConfigs(this.layers.map((layer) => layer.file.record));
  }

  /** The `[approval]` tables of all layers as one: see `mergeApproval`. */
  get approval(): ApprovalSettings {
    return mergeApproval(this.layers.map((layer) => layer.file.approval));
  }
}

function ruleInfo(layer: NumberedLayer, rule: NumberedRule): RuleInfo {
  const { index, node, name } = rule;
  const { position } = node;
  return Object.freeze({
    file: position.file,
    // Looking a place up costs more than the rest: only who shows the rule does it.
    get line(): number {
      return position.line;
    },
    get column(): number {
      return position.column;
    },
    name,
    index,
    verdict: node.verdict,
    mode: layer.file.mode === "enforce" ? node.mode : layer.file.mode,
    actions: node.actions,
    ...(node.reason === undefined ? {} : { reason: node.reason }),
    ...(node.enforce === undefined ? {} : { enforce: node.enforce }),
    ...(node.approval_timeout_ms === undefined ? {} : { approval_timeout_ms: node.approval_timeout_ms }),
  });
}

function merged(tables: readonly Table[]): Table {
  const all: Record<string, unknown> = Object.create(null);
  for (const table of tables) for (const [key, value] of Object.entries(table)) all[key] = value;
  return Object.freeze(all);
}
