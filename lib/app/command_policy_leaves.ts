/** The commands on policies and recordings: their options, and what becomes of them. */
import { isUlid } from "../core/mod.ts";
import { LEARN_CLASSES } from "../decide/mod.ts";
import { readText, readWord } from "./argv.ts";
import type { Leaf, LeafWords } from "./cli_leaves.ts";
import { type GivenOptions, UsageProblem } from "./cli_options.ts";
import type { Command } from "./command.ts";
import { FIELD_OPTIONS, LIST_OPTIONS } from "./command_policy_options.ts";

/** In the order of the help. */
export const POLICY_LEAVES: readonly Leaf[] = [
  {
    group: "policy",
    name: "explain",
    path: "policy explain",
    options: ["policy", "state", "json", ...FIELD_OPTIONS, ...LIST_OPTIONS, "given", "home"],
    arguments: [["[entry_id]", "an entry of the record, instead of an action by its values"]],
    make: readExplain,
  },
  {
    group: "policy",
    name: "test",
    path: "policy test",
    options: ["json"],
    arguments: [["<file...>", "suite files"]],
    make: (given, { words }) => ({ kind: "policy.test", suites: words, flags: given.flags() }),
  },
  ...(["show", "lower"] as const).map((verb): Leaf => ({
    group: "policy",
    name: verb,
    path: `policy ${verb}`,
    options: ["json", "home"],
    arguments: [["<file...>", "policy files; later ones can only tighten"]],
    make: (given, { words }) => ({
      kind: `policy.${verb}`,
      policies: words,
      home: given.text("home"),
      flags: given.flags(),
    }),
  })),
  {
    group: "policy",
    name: "diff",
    path: "policy diff",
    options: ["json", "recording", "home"],
    arguments: [["<file>", "the policy as it is"], ["<other>", "the policy as it would be"]],
    make: readDiff,
  },
  {
    group: "policy",
    name: "learn",
    path: "policy learn",
    options: ["json", "name", "default", "class", "home"],
    arguments: [["<recording...>", "state directories, or lines of audit query --json; - for stdin"]],
    make: readLearn,
  },
];

/** `replay` stands at the top level. */
export const REPLAY_LEAF: Leaf = {
  name: "replay",
  path: "replay",
  options: ["policy", "json", "home"],
  arguments: [["<recording>", "a state directory, or lines of audit query --json; - for stdin"]],
  make: readReplay,
};

function readExplain(given: GivenOptions, { words }: LeafWords): Command {
  const common = {
    kind: "policy.explain",
    policies: given.texts("policy"),
    given: given.texts("given"),
    home: given.text("home"),
  } as const;
  const fields: Record<string, string | readonly string[]> = {};
  for (const name of FIELD_OPTIONS) {
    const value = given.text(name);
    if (value !== undefined) fields[name] = value;
  }
  for (const name of LIST_OPTIONS) {
    const values = given.texts(name);
    if (values.length > 0) fields[name] = values;
  }
  const [entry_id] = words;
  if (entry_id === undefined) {
    if (Object.keys(fields).length === 0) {
      throw new UsageProblem("give an action, for example --action exec --exe git, or the id of an entry");
    }
    return { ...common, of: { kind: "fields", fields }, flags: given.flags() };
  }
  const [foreign] = [...Object.keys(fields), ...(common.given.length > 0 ? ["given"] : [])];
  if (foreign !== undefined) {
    throw new UsageProblem(`give either the entry or an action: remove --${foreign.replaceAll("_", "-")}`);
  }
  if (!isUlid(entry_id.toUpperCase())) {
    throw new UsageProblem("use an entry id of 26 characters, see entry_id in agentguard audit query --json");
  }
  return { ...common, of: { kind: "entry", entry_id: entry_id.toUpperCase() }, flags: given.flags() };
}

function readDiff(given: GivenOptions, { words }: LeafWords): Command {
  const [before, after] = words;
  if (before === undefined || after === undefined) throw new UsageProblem("give two policies");
  const [recording, home] = [given.text("recording"), given.text("home")];
  return { kind: "policy.diff", before, after, recording, home, flags: given.flags() };
}

function readLearn(given: GivenOptions, { words }: LeafWords): Command {
  const classes = given.texts("class").map((text) => {
    const word = readWord(text, LEARN_CLASSES);
    if (!word.ok) throw new UsageProblem(`--class: ${word.error}`);
    return word.value;
  });
  return {
    kind: "policy.learn",
    recordings: words,
    name: given.read("name", readText),
    fallback: given.read("default", (text) => readWord(text, ["ask", "deny"] as const)),
    classes,
    home: given.text("home"),
    flags: given.flags(),
  };
}

function readReplay(given: GivenOptions, { words }: LeafWords): Command {
  const policies = given.texts("policy");
  const [recording] = words;
  if (recording === undefined) throw new UsageProblem("give a recording");
  if (policies.length === 0) throw new UsageProblem("give the policy to replay against: --policy FILE");
  return { kind: "replay", recording, policies, home: given.text("home"), flags: given.flags() };
}
