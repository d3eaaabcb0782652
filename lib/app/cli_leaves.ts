/** The commands of the command line: their options, and what becomes of them. */
import { isUlid } from "../core/mod.ts";
import { readSessionId, readType } from "./argv.ts";
import type { HelpPath } from "./cli_help.ts";
import { type GivenOptions, type OptionName, UsageProblem } from "./cli_options.ts";
import type { Command, SessionCommand } from "./command.ts";
import { AUDIT_KEEP_LEAVES } from "./command_audit_keep_leaves.ts";
import { APPROVALS_LEAVES } from "./command_approvals_leaves.ts";
import { AUDIT_LEAVES } from "./command_audit_leaves.ts";
import { POLICY_LEAVES, REPLAY_LEAF } from "./command_policy_leaves.ts";
import { formatWord } from "./format_text.ts";

/** Options of everything that guards. */
export const GUARD_OPTIONS: readonly OptionName[] = [
  "policy",
  "mode",
  "state",
  "runtime",
  "json",
  "quiet",
  "log_level",
  "ask_here",
];

/** Commands that only hold others. */
export type GroupName = "sessions" | "approvals" | "approvals grants" | "audit" | "audit hold" | "policy";

/** The words of a command: its own, and those after `--` (absent without one). */
export interface LeafWords {
  readonly words: readonly string[];
  readonly rest: readonly string[] | undefined;
}

/** One command that does something. */
export interface Leaf {
  readonly group?: GroupName;
  readonly name: string;
  readonly path: HelpPath;
  readonly options: readonly OptionName[];
  /** Each with its description; the form is commander's. */
  readonly arguments?: readonly (readonly [string, string])[];
  /** True if the words after `--` are for it. */
  readonly takes_rest?: boolean;
  readonly make: (given: GivenOptions, words: LeafWords) => Command;
}

/** The daemon. */
export function makeDaemon(given: GivenOptions): Command {
  if (given.has("ask_here")) throw new UsageProblem("remove --ask-here: a daemon runs no command");
  return { kind: "daemon", policies: given.texts("policy"), flags: given.flags() };
}

/** The guarded run; refuses an empty command. */
export function makeRun(given: GivenOptions, argv: readonly string[]): Command {
  if (argv.length === 0) throw new UsageProblem("give the command to run after --: agentguard -- CMD ARG...");
  if (argv[0] === "") throw new UsageProblem("give the command to run after --: its name is empty");
  const ask_here = given.has("ask_here") ? { ask_here: true as const } : {};
  return { kind: "run", argv, policies: given.texts("policy"), ...ask_here, flags: given.flags() };
}

const CLIENT_OPTIONS: readonly OptionName[] = ["runtime", "json"];

const SESSION_VERBS = ["show", "kill", "pause", "resume"] as const;

/** Every command but `help` and `completions`, which need the whole tree; in the order of the help. */
export const LEAVES: readonly Leaf[] = [
  {
    name: "run",
    path: "run",
    options: GUARD_OPTIONS,
    takes_rest: true,
    arguments: [["[word...]", ""]],
    make: readRun,
  },
  {
    name: "doctor",
    path: "doctor",
    options: ["policy", "state", "runtime", "json"],
    make: (given) => ({ kind: "doctor", policies: given.texts("policy"), flags: given.flags() }),
  },
  {
    name: "status",
    path: "status",
    options: [...CLIENT_OPTIONS, "config"],
    make: (given) => ({ kind: "status", show_config: given.has("config"), flags: given.flags() }),
  },
  { name: "events", path: "events", options: [...CLIENT_OPTIONS, "follow", "session", "type"], make: readEvents },
  {
    group: "sessions",
    name: "list",
    path: "sessions list",
    options: CLIENT_OPTIONS,
    make: (given) => ({ kind: "sessions.list", flags: given.flags() }),
  },
  ...SESSION_VERBS.map((verb): Leaf => ({
    group: "sessions",
    name: verb,
    path: `sessions ${verb}`,
    options: CLIENT_OPTIONS,
    arguments: [["<id>", "session id, see 'agentguard sessions list'"]],
    make: (given, words) => readSession(given, words, { kind: `sessions.${verb}` }),
  })),
  ...APPROVALS_LEAVES,
  ...AUDIT_LEAVES,
  ...AUDIT_KEEP_LEAVES,
  {
    name: "trace",
    path: "trace",
    options: ["state", "json"],
    arguments: [["<id>", "id of a decision, an approval or an entry, or an entry's number"]],
    make: (given, { words }) => ({ kind: "trace", id: readTraceId(words[0] ?? ""), flags: given.flags() }),
  },
  {
    group: "policy",
    name: "check",
    path: "policy check",
    options: ["json"],
    arguments: [["<file...>", "policy files; later ones can only tighten"]],
    make: (given, { words }) => ({ kind: "policy.check", policies: words, flags: given.flags() }),
  },
  ...POLICY_LEAVES,
  REPLAY_LEAF,
  {
    name: "version",
    path: "version",
    options: ["json", "licenses"],
    make: (given) => ({ kind: "version", licenses: given.has("licenses"), flags: given.flags() }),
  },
];

function readRun(given: GivenOptions, { words, rest }: LeafWords): Command {
  const word = words[0];
  if (word !== undefined) {
    throw new UsageProblem(`put -- before the command: agentguard run -- ${formatWord(word, 64)}`);
  }
  if (rest === undefined) throw new UsageProblem("give the command to run after --: agentguard run -- CMD ARG...");
  return makeRun(given, rest);
}

function readEvents(given: GivenOptions): Command {
  const session_id = given.read("session", readSessionId);
  const type = given.read("type", readType);
  return {
    kind: "events",
    follow: given.has("follow"),
    ...(session_id === undefined ? {} : { session_id }),
    ...(type === undefined ? {} : { type }),
    flags: given.flags(),
  };
}

function readTraceId(word: string): string {
  const id = word.toUpperCase();
  if (isUlid(id) || /^[1-9]\d{0,14}$/.test(id)) return id;
  throw new UsageProblem(`use an id of 26 characters, or the number of an entry, not ${formatWord(word, 64)}`);
}

function readSession(
  given: GivenOptions,
  { words }: LeafWords,
  options: { readonly kind: SessionCommand["kind"] },
): Command {
  const session_id = readSessionId(words[0] ?? "");
  if (!session_id.ok) throw new UsageProblem(session_id.error);
  return { kind: options.kind, session_id: session_id.value, flags: given.flags() };
}
