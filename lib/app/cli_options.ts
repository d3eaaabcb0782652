/** The options of the command line: their definitions, and typed access to what was given. */
import { Command as Program, Option } from "commander";
import type { FlagValues } from "../config/mod.ts";
import type { Result } from "../core/mod.ts";
import { EXPORT_FORMATS, OCSF_PROFILES } from "../record/mod.ts";
import { ENTRY_KINDS, VERDICTS } from "./argv.ts";
import type { Command } from "./command.ts";
import { POLICY_OPTIONS, type PolicyOptionName } from "./command_policy_options.ts";

/** Wrong usage found by our own readers; the message is one line and already safe for a terminal. */
export class UsageProblem extends Error {}

/** What a parse fills in. */
export interface ParsedLine {
  /** The words after `--`; absent without one. */
  readonly rest?: readonly string[];
  command?: Command;
}

/** Name of an option: see `OPTIONS`. */
export type OptionName =
  | PolicyOptionName
  | "policy"
  | "mode"
  | "state"
  | "runtime"
  | "json"
  | "quiet"
  | "log_level"
  | "config"
  | "follow"
  | "session"
  | "type"
  | "since"
  | "until"
  | "kind"
  | "verdict"
  | "rule"
  | "text"
  | "pid"
  | "after_seq"
  | "before_seq"
  | "limit"
  | "newest"
  | "principal"
  | "from"
  | "key"
  | "show_key"
  | "format"
  | "ocsf_profile"
  | "output"
  | "host"
  | "older_than"
  | "max_size"
  | "keep_sessions"
  | "dry_run"
  | "reason"
  | "for"
  | "ask_here"
  | "match"
  | "code"
  | "licenses";

/** Every option of the product, once. Each call makes new objects, as commander changes them. */
export const OPTIONS: Readonly<Record<OptionName, () => Option>> = {
  ...POLICY_OPTIONS,
  policy: () =>
    new Option("--policy <file>", "policy file; give it again for more layers, a later one can only tighten")
      .argParser((value: string, before: unknown): string[] => [...(isTexts(before) ? before : []), value]),
  mode: () =>
    new Option(
      "--mode <mode>",
      "act on the policy or only say what it would have done; overrides the policy's own mode",
    )
      .choices(["enforce", "observe"]),
  state: () => new Option("--state <dir>", "directory of the record (AGENTGUARD_STATE)"),
  runtime: () => new Option("--runtime <dir>", "directory of the control socket (AGENTGUARD_RUNTIME)"),
  json: () => new Option("--json", "machine-readable output with stable names"),
  quiet: () => new Option("--quiet", "no notices on stderr, errors excepted"),
  log_level: () =>
    new Option("--log-level <level>", "least severity that is logged").choices(["debug", "info", "warn", "error"]),
  config: () => new Option("--config", "also show each configuration value and where it comes from"),
  follow: () => new Option("-f, --follow", "go on with what happens from now, until interrupted"),
  session: () => new Option("--session <id>", "only this session"),
  type: () => new Option("--type <glob>", "only these action types, for example 'file.*'"),
  since: () =>
    new Option("--since <time>", "from this time on: 2026-01-31T12:00:00Z, 2026-01-31, or an age such as 15m, 2h, 7d"),
  until: () => new Option("--until <time>", "up to this time, in the same forms"),
  kind: () => new Option("--kind <kind>", "only entries of this kind").choices(ENTRY_KINDS),
  verdict: () => new Option("--verdict <verdict>", "only entries with this verdict").choices(VERDICTS),
  rule: () => new Option("--rule <name>", "only entries that this rule decided"),
  text: () => new Option("--text <words>", "only entries that contain this text"),
  pid: () => new Option("--pid <pid>", "only this process"),
  before_seq: () => new Option("--before-seq <seq>", "only entries before this sequence number"),
  after_seq: () => new Option("--after-seq <seq>", "only entries after this sequence number"),
  limit: () => new Option("--limit <count>", "at most this many entries"),
  newest: () => new Option("--newest", "newest first"),
  principal: () => new Option("--principal <name>", "only what this principal answers for"),
  from: () => new Option("--from <file>", "checkpoint that is known to be genuine; only what came after is verified"),
  key: () => new Option("--key <key>", "public key that you trust (base64, hex, or a file with it)"),
  show_key: () => new Option("--show-key", "also print the origin and, alone on the last line, the public key"),
  format: () => new Option("--format <format>", "what the other system reads").choices(EXPORT_FORMATS),
  ocsf_profile: () =>
    new Option("--ocsf-profile <version>", "with ocsf: 1.9 adds the agent and a chain of fingerprints; 1.8 by default")
      .choices(OCSF_PROFILES),
  output: () => new Option("--output <file>", "write to this file, which appears when it is whole, instead of stdout"),
  host: () => new Option("--host <name>", "the host whose record it is; this one by default"),
  older_than: () => new Option("--older-than <age>", "what is older than this goes: 90s, 15m, 2h, 30d, 1w"),
  max_size: () => new Option("--max-size <size>", "the oldest goes until the rest uses no more: 500MB, 10GiB"),
  keep_sessions: () => new Option("--keep-sessions <count>", "ended sessions beyond the newest so many go"),
  dry_run: () => new Option("--dry-run", "say what would go, and change nothing"),
  ask_here: () => new Option("--ask-here", "ask on this terminal too when the command reads from it"),
  for: () => new Option("--for <term>", "how long a yes holds: once, session, always, or a duration such as 15m"),
  match: () => new Option("--match <pattern>", "what a standing grant covers, if it is to be wider than this action"),
  code: () => new Option("--code <code>", "one-time code, where the policy asks for one"),
  reason: () => new Option("--reason <text>", "why; it is recorded"),
  licenses: () => new Option("--licenses", "print the notices of everything that the executable embeds"),
};

/** What was given for one command: its own options, and those of its parents that it shares. */
export class GivenOptions {
  readonly #values: ReadonlyMap<string, unknown>;

  constructor(values: ReadonlyMap<string, unknown>) {
    this.#values = values;
  }

  /** The text of an option. */
  text(name: OptionName): string | undefined {
    const value = this.#values.get(attributeOf(name));
    return typeof value === "string" ? value : undefined;
  }

  /** True if a switch was given. */
  has(name: OptionName): boolean {
    return this.#values.get(attributeOf(name)) === true;
  }

  /** Every text of an option that may be repeated. */
  texts(name: OptionName): readonly string[] {
    const value = this.#values.get(attributeOf(name));
    return isTexts(value) ? value : [];
  }

  /** The text of an option through one of the readers of `argv.ts`; throws `UsageProblem` with the option's name. */
  read<T>(name: OptionName, reader: (text: string) => Result<T, string>): T | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const result = reader(text);
    if (!result.ok) throw new UsageProblem(`${OPTIONS[name]().long ?? name}: ${result.error}`);
    return result.value;
  }

  /** The flags that `lib/config` resolves. */
  flags(): FlagValues {
    const [state, runtime, mode] = [this.text("state"), this.text("runtime"), this.text("mode")];
    const log_level = this.text("log_level");
    return {
      ...(state === undefined ? {} : { state_dir: state }),
      ...(runtime === undefined ? {} : { runtime_dir: runtime }),
      ...(mode === undefined ? {} : { mode }),
      ...(log_level === undefined ? {} : { log_level }),
      ...(this.has("json") ? { json: true } : {}),
      ...(this.has("quiet") ? { quiet: true } : {}),
    };
  }
}

/**
 * Collects the options of a command and of the commands before it on the line. Throws `UsageProblem` for an option
 * before a subcommand that does not know it: it would have no effect.
 */
export function givenOptions(command: Program): GivenOptions {
  const values = new Map<string, unknown>();
  const own = new Set(command.options.map((option) => option.attributeName()));
  for (let at: Program | null = command; at !== null; at = at.parent) {
    for (const option of at.options) {
      const name = option.attributeName();
      if (at.getOptionValueSource(name) !== "cli") continue;
      if (!own.has(name)) {
        throw new UsageProblem(`remove ${option.long ?? name}: it has no effect on '${command.name()}'`);
      }
      const value: unknown = at.getOptionValue(name);
      const nearer = values.get(name);
      if (isTexts(value) && isTexts(nearer)) values.set(name, [...value, ...nearer]);
      else if (nearer === undefined) values.set(name, value);
    }
  }
  return new GivenOptions(values);
}

function attributeOf(name: OptionName): string {
  return OPTIONS[name]().attributeName();
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
