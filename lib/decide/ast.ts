/** A policy as written: data only, every node with its place. The reference interpreter and the compiler read it. */
import type {
  ActionType,
  ApprovalSettings,
  BaselinePart,
  CapabilityName,
  Cidr,
  PortRange,
  Protocol,
  ServiceName,
  Verdict,
} from "../core/mod.ts";
import type { Position } from "./diagnostic.ts";
import type { PathGlob, TextGlob } from "./glob.ts";
import type { RecordConfig } from "./record_config.ts";
import type { Table } from "./toml.ts";

/** What a file does with its verdicts. `disabled`: its rules and defaults do not exist. */
export type FileMode = "enforce" | "observe" | "disabled";

/** A pattern for paths. Braces are expanded: any of `globs` may match. */
export interface PathPattern {
  readonly text: string;
  readonly position: Position;
  readonly globs: readonly PathGlob[];
}

/** A pattern for programs: without a slash it is about the base name, with one about the path. */
export type ProgramPattern =
  | { readonly kind: "name"; readonly text: string; readonly position: Position; readonly globs: readonly TextGlob[] }
  | ({ readonly kind: "path" } & PathPattern);

/** A pattern for plain texts (agents, tools, hosts, arguments): `*` is any run of characters. */
export interface TextPattern {
  readonly text: string;
  readonly position: Position;
  readonly globs: readonly TextGlob[];
}

/** One element of an argument pattern: a text pattern, or `...` for any number of arguments. */
export type ArgvToken = { readonly kind: "rest" } | ({ readonly kind: "text" } & TextPattern);

/** Arguments in order, matched against `argv[1..]` as a whole. */
export interface ArgvPattern {
  readonly position: Position;
  readonly tokens: readonly ArgvToken[];
}

/** A network, as written. */
export interface CidrPattern extends Cidr {
  readonly text: string;
  readonly position: Position;
}

/** A user: an id, matched against the process's real uid. */
export interface UserPattern {
  readonly uid: number;
  readonly position: Position;
}

/** Yes or no, as written. */
export interface FlagPattern {
  readonly value: boolean;
  readonly text: string;
  readonly position: Position;
}

/** A place in the arguments of a tool call: the names and indexes from the root; `each` is every element. */
export type ArgsStep = { readonly kind: "key"; readonly name: string } | { readonly kind: "each" };

/** What must stand at one place of the arguments of a tool call: any of the patterns. */
export interface ArgsPattern {
  readonly text: string;
  readonly position: Position;
  readonly steps: readonly ArgsStep[];
  readonly patterns: readonly TextPattern[];
}

/** An inclusive range of numbers. */
export interface NumberRange {
  readonly text: string;
  readonly position: Position;
  readonly from: number;
  readonly to: number;
}

/** Which count of tokens of a model call is meant; `total` is input and output together. */
export type TokenCount = "total" | "input" | "output" | "cached";

/** A range of token counts. */
export interface TokenRange extends NumberRange {
  readonly of: TokenCount;
}

/** A window of the week. */
export interface TimePattern {
  readonly text: string;
  readonly position: Position;
  /** Minutes since midnight, `[from, to)`; a window that ends before it begins goes over midnight. */
  readonly from_minute: number;
  readonly to_minute: number;
  /** Days on which the window begins, 0 is Sunday. */
  readonly days: readonly number[];
  /** IANA name of the time zone. */
  readonly zone: string;
}

/** By what a rate is counted apart; `all` counts everything together. */
export type RateKey =
  | "session"
  | "principal"
  | "agent"
  | "user"
  | "process"
  | "exe"
  | "path"
  | "host"
  | "address"
  | "tool"
  | "server"
  | "all";

/** More than `count` actions of a rule within `per_us`. */
export interface RatePattern {
  readonly text: string;
  readonly position: Position;
  readonly count: number;
  /** Microseconds. */
  readonly per_us: number;
  readonly keys: readonly RateKey[];
}

/** A mark that a rule set on the session earlier. */
export interface LabelPattern {
  readonly text: string;
  readonly position: Position;
  /** A label, or the name of a rule (every rule sets its own name). */
  readonly kind: "label" | "rule";
  readonly name: string;
  /** How long ago at most, microseconds; absent: at any time of this session. */
  readonly within_us?: number;
}

/**
 * The conditions of a rule or of one `except`. All that are present must hold; a list is "any of". A new predicate is a
 * new field here; `restOf` in the compiler and in the reference then refuse to compile until it is read.
 */
export interface Predicates {
  /** Only in `except`: a rule's own types are `RuleNode.actions`. */
  readonly action?: readonly ActionType[];
  readonly path?: readonly PathPattern[];
  readonly new_path?: readonly PathPattern[];
  readonly exe?: readonly ProgramPattern[];
  readonly by?: readonly ProgramPattern[];
  readonly argv?: readonly ArgvPattern[];
  readonly cwd?: readonly PathPattern[];
  readonly user?: readonly UserPattern[];
  readonly agent?: readonly TextPattern[];
  readonly principal?: readonly TextPattern[];
  readonly session?: readonly TextPattern[];
  readonly host?: readonly TextPattern[];
  readonly address?: readonly CidrPattern[];
  readonly port?: readonly PortRange[];
  readonly protocol?: readonly Protocol[];
  readonly tool?: readonly TextPattern[];
  readonly server?: readonly TextPattern[];
  readonly ancestor?: readonly ProgramPattern[];
  readonly group?: readonly TextPattern[];
  readonly tag?: readonly TextPattern[];
  /** All of these must hold: they speak of different places. */
  readonly args?: readonly ArgsPattern[];
  readonly model?: readonly TextPattern[];
  readonly tokens?: readonly TokenRange[];
  readonly declared?: readonly FlagPattern[];
  readonly opaque?: readonly FlagPattern[];
  readonly risk?: readonly NumberRange[];
  readonly time?: readonly TimePattern[];
  /** Only in a rule, not in `except`. */
  readonly rate?: readonly RatePattern[];
  /** The last time that the mark was set counts. */
  readonly after?: readonly LabelPattern[];
  /** The first time that the mark was set counts. */
  readonly since?: readonly LabelPattern[];
  readonly label?: readonly LabelPattern[];
}

/** The name of a predicate. */
export type PredicateName = keyof Predicates;

/** An inline test: an action that the rule must (`match`) or must not (`not_match`) cover. */
export interface InlineTest {
  readonly position: Position;
  readonly expect: "match" | "not_match";
  readonly fields: Table;
}

/** One rule. */
export interface RuleNode {
  /** As written, or `rule-N` (N counts from 1 in the file). */
  readonly name: string;
  /** Where the rule begins. */
  readonly position: Position;
  readonly name_position: Position;
  readonly actions: readonly ActionType[];
  /** Types that were written out, not reached by a glob. */
  readonly named_actions: readonly ActionType[];
  readonly action_position: Position;
  readonly predicates: Predicates;
  /** Place of each predicate's key. */
  readonly predicate_positions: ReadonlyMap<PredicateName, Position>;
  /** The rule does not hold where any of these holds. */
  readonly excepts: readonly Predicates[];
  readonly verdict: Verdict;
  readonly mode: "enforce" | "observe";
  /** Labels that a log rule sets on the session. */
  readonly labels?: readonly string[];
  /** After this an unanswered question of this rule is denied, milliseconds. */
  readonly approval_timeout_ms?: number;
  readonly reason?: string;
  /** `best`: enforce mode starts although this host cannot enforce the rule. */
  readonly enforce?: "best";
  readonly tests: readonly InlineTest[];
}

/** What happens where no rule matches. */
export type DefaultVerdict = "allow" | "deny" | "ask" | "log";

/** The `[default]` table, resolved: a verdict for each action type that it covers. */
export type Defaults = ReadonlyMap<ActionType, DefaultVerdict>;

/** The `[guard]` table; absent fields were not set. */
export interface GuardConfig {
  readonly on_failure?: "deny" | "open";
  readonly on_loss?: "record" | "freeze" | "kill";
  /** `sudo`: the command may raise its privileges, and keeps those that it has. */
  readonly privileges?: "drop" | "sudo";
  /** Parts of the baseline beside `privileges`. */
  readonly baseline?: readonly BaselinePart[];
  readonly services?: readonly ServiceName[];
  readonly capabilities?: readonly CapabilityName[];
  readonly write_trees?: readonly string[];
  readonly connect_ports?: readonly number[];
  readonly bind_ports?: readonly number[];
  /** Addresses as records have them. */
  readonly resolvers?: readonly string[];
}

/** One `[[agent]]` entry. */
export interface AgentNode {
  readonly name: string;
  readonly position: Position;
  readonly exe?: readonly ProgramPattern[];
  readonly argv?: readonly ArgvPattern[];
  readonly cgroup?: readonly PathPattern[];
  readonly pid?: number;
}

/** One file. */
export interface PolicyFile {
  readonly file: string;
  readonly name: string;
  /** SHA-256 of the bytes, hex. */
  readonly digest: string;
  readonly mode: FileMode;
  readonly defaults: Defaults;
  readonly approval: ApprovalSettings;
  readonly guard: GuardConfig;
  readonly agents: readonly AgentNode[];
  readonly config: Table;
  readonly record: RecordConfig;
  readonly rules: readonly RuleNode[];
}
