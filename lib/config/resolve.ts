/** From the four sources to one configuration. */
import { err, LIMITS, type LogLevel, type Mode, ok, type Result } from "../core/mod.ts";
import { nearest } from "./suggest.ts";
import { parseBoolean, parseDirectory, parseLogLevel, parseMode, parsePort, type Parser } from "./value.ts";

/** Where a value came from. */
export type Origin = "flag" | "env" | "policy" | "default";

/** A value and where it came from: `from` is the flag, the variable, the policy file, or the reason of the default. */
export interface Sourced<T> {
  readonly value: T;
  readonly origin: Origin;
  readonly from: string;
}

/** The configuration beyond the policy's rules. `null` means "not set". */
export interface Config {
  /** Absolute directory of the record; holds `record.db`. */
  readonly state_dir: Sourced<string>;
  /** Absolute directory of the sockets; holds `control.sock`. */
  readonly runtime_dir: Sourced<string>;
  /** Overrides the mode of the policy. */
  readonly mode: Sourced<Mode | null>;
  /** No notices on stderr. */
  readonly quiet: Sourced<boolean>;
  /** Machine-readable notices and output. */
  readonly json: Sourced<boolean>;
  /** Least severity that is logged. */
  readonly log_level: Sourced<LogLevel>;
  /** Loopback TCP port of the control API, 1-65535. */
  readonly http_port: Sourced<number | null>;
}

/** Name of a configuration value. */
export type ConfigKey = keyof Config;

/** Every configuration value, in the order in which it is shown. */
export const CONFIG_KEYS: readonly ConfigKey[] = [
  "state_dir",
  "runtime_dir",
  "mode",
  "quiet",
  "json",
  "log_level",
  "http_port",
];

/** What the command line gave, unchecked. Absent means that the flag was not there. */
export interface FlagValues {
  readonly state_dir?: string;
  readonly runtime_dir?: string;
  readonly mode?: string;
  readonly quiet?: boolean;
  readonly json?: boolean;
  readonly log_level?: string;
  readonly http_port?: string;
}

/** The `[config]` table of one policy file, as the TOML parser gave it. */
export interface ConfigTable {
  /** The policy file, for messages. */
  readonly file: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** Place of a key in the file, if it is known; lines and columns count from 1. */
  readonly locate?: (key: string) => { readonly line: number; readonly column: number } | undefined;
}

/** Everything that the result depends on. */
export interface ConfigInput {
  readonly flags: FlagValues;
  /** The process environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Tables of the policy layers; a later one wins. */
  readonly tables?: readonly ConfigTable[];
  /** Effective user id; 0 chooses the system directories. */
  readonly uid: number;
  /** Absolute; relative directories of flags and environment are below it. */
  readonly cwd: string;
}

/** One thing that is wrong; `message` says where and what to do. */
export interface ConfigError {
  readonly key: string;
  readonly origin: Origin;
  readonly message: string;
}

const FLAG_NAMES: Readonly<Record<ConfigKey, string>> = {
  state_dir: "--state",
  runtime_dir: "--runtime",
  mode: "--mode",
  quiet: "--quiet",
  json: "--json",
  log_level: "--log-level",
  http_port: "--http-port",
};

const ENV_NAMES: Readonly<Record<ConfigKey, string>> = {
  state_dir: "AGENTGUARD_STATE",
  runtime_dir: "AGENTGUARD_RUNTIME",
  mode: "AGENTGUARD_MODE",
  quiet: "AGENTGUARD_QUIET",
  json: "AGENTGUARD_JSON",
  log_level: "AGENTGUARD_LOG_LEVEL",
  http_port: "AGENTGUARD_HTTP_PORT",
};

/** The policy has a `mode` of its own at its top level; a second one below `[config]` could contradict it. */
const TABLE_KEYS: readonly ConfigKey[] = CONFIG_KEYS.filter((key) => key !== "mode");

/**
 * Longest runtime directory, bytes: `sun_path` of a unix address has 108 (unix(7)), and socket names take some of them.
 */
const RUNTIME_DIR_BYTES_MAX = 80;

/** Directory of the sockets of a guard that root runs, where nothing else is said. */
export const SYSTEM_RUNTIME_DIR = "/run/agentguard";

/** Resolves every value, or returns every problem. */
export function resolveConfig(input: ConfigInput): Result<Config, readonly ConfigError[]> {
  const resolver = new Resolver(input);
  for (const table of input.tables ?? []) resolver.checkKeys(table);
  const state_dir = resolver.value("state_dir", parseDirectory(LIMITS.path_bytes_max), () => defaultStateDir(input));
  const runtime_dir = resolver.value(
    "runtime_dir",
    parseDirectory(RUNTIME_DIR_BYTES_MAX),
    () => defaultRuntimeDir(input, state_dir),
  );
  const mode = resolver.value<Mode | null>("mode", parseMode, () => fallback(null, "the policy's mode"));
  const quiet = resolver.value("quiet", parseBoolean, () => fallback(false, "built in"));
  const json = resolver.value("json", parseBoolean, () => fallback(false, "built in"));
  const log_level = resolver.value<LogLevel>("log_level", parseLogLevel, () => fallback("info", "built in"));
  const http_port = resolver.value<number | null>("http_port", parsePort, () => fallback(null, "built in"));
  if (
    resolver.errors.length > 0 || state_dir === undefined || runtime_dir === undefined || mode === undefined ||
    quiet === undefined || json === undefined || log_level === undefined || http_port === undefined
  ) return err(resolver.errors);
  return ok({ state_dir, runtime_dir, mode, quiet, json, log_level, http_port });
}

/** Finds the first source that has a key; collects what is wrong on the way. */
class Resolver {
  readonly errors: ConfigError[] = [];
  readonly #input: ConfigInput;

  constructor(input: ConfigInput) {
    this.#input = input;
  }

  /** The value of the first source that has it; `undefined` after an error. */
  value<T>(key: ConfigKey, parser: Parser<T>, byDefault: () => Sourced<T> | string): Sourced<T> | undefined {
    const flag = this.#input.flags[key];
    if (flag !== undefined) return this.#parsed(key, flag, { parser, origin: "flag", from: FLAG_NAMES[key] });
    // An empty variable is an unset one, as in the XDG base directory specification.
    const variable = this.#input.env[ENV_NAMES[key]];
    if (variable !== undefined && variable !== "") {
      return this.#parsed(key, variable, { parser, origin: "env", from: ENV_NAMES[key] });
    }
    const table = this.#input.tables?.findLast((candidate) => Object.hasOwn(candidate.values, key));
    if (table !== undefined && TABLE_KEYS.includes(key)) {
      return this.#parsed(key, table.values[key], { parser, origin: "policy", from: place(table, key) });
    }
    const made = byDefault();
    if (typeof made !== "string") return made;
    this.errors.push({ key, origin: "default", message: made });
    return undefined;
  }

  /** Reports the keys that `[config]` does not have. */
  checkKeys(table: ConfigTable): void {
    for (const key of Object.keys(table.values)) {
      if (TABLE_KEYS.some((known) => known === key)) continue;
      const message = `${place(table, key)}: remove unknown key "${key}" from [config]; ${advice(key)}`;
      this.errors.push({ key, origin: "policy", message });
    }
  }

  #parsed<T>(
    key: ConfigKey,
    raw: unknown,
    how: { readonly parser: Parser<T>; readonly origin: Origin; readonly from: string },
  ): Sourced<T> | undefined {
    // A relative directory in a policy file would mean something else in each working directory.
    const base = how.origin === "policy" ? undefined : this.#input.cwd;
    const parsed = how.parser(raw, base);
    if (parsed.ok) return { value: parsed.value, origin: how.origin, from: how.from };
    const name = how.origin === "policy" ? `${how.from}: ${key}` : how.from;
    this.errors.push({ key, origin: how.origin, message: `${name}: ${parsed.error}` });
    return undefined;
  }
}

function advice(key: string): string {
  if (key === "mode") return `set "mode" at the top level of the policy, or use --mode`;
  const near = nearest(key, TABLE_KEYS);
  return near === undefined ? `known keys are ${TABLE_KEYS.join(", ")}` : `did you mean "${near}"?`;
}

function place(table: ConfigTable, key: string): string {
  const at = table.locate?.(key);
  return at === undefined ? table.file : `${table.file}:${at.line}:${at.column}`;
}

function fallback<T>(value: T, from: string): Sourced<T> {
  return { value, origin: "default", from };
}

/** The variable's value if it is an absolute path: the XDG specification says to ignore others. */
function absoluteVariable(input: ConfigInput, name: string): string | undefined {
  const value = input.env[name];
  return value !== undefined && value.startsWith("/") ? value.replace(/\/+$/, "") : undefined;
}

function defaultStateDir(input: ConfigInput): Sourced<string> {
  if (input.uid === 0) return fallback("/var/lib/agentguard", "built in for root");
  const xdg = absoluteVariable(input, "XDG_STATE_HOME");
  if (xdg !== undefined) return fallback(`${xdg}/agentguard`, "XDG_STATE_HOME");
  const home = absoluteVariable(input, "HOME");
  if (home !== undefined) return fallback(`${home}/.local/state/agentguard`, "HOME");
  return fallback("/var/lib/agentguard", "built in: neither XDG_STATE_HOME nor HOME is an absolute path");
}

function defaultRuntimeDir(input: ConfigInput, state: Sourced<string> | undefined): Sourced<string> | string {
  if (input.uid === 0) return fallback(SYSTEM_RUNTIME_DIR, "built in for root");
  const xdg = absoluteVariable(input, "XDG_RUNTIME_DIR");
  // A name below /tmp could be taken by somebody else first; the state directory is the user's own.
  const made = xdg === undefined
    ? fallback(`${state?.value ?? ""}/run`, "below the state directory: XDG_RUNTIME_DIR is not set")
    : fallback(`${xdg}/agentguard`, "XDG_RUNTIME_DIR");
  if (Buffer.byteLength(made.value) <= RUNTIME_DIR_BYTES_MAX) return made;
  const limit = `${RUNTIME_DIR_BYTES_MAX} bytes, too long for a socket`;
  return `give --runtime DIR: the default ${made.value} is longer than ${limit}`;
}
