/** The tree of commands, as commander reads it. */
import { Argument, Command as Program } from "commander";
import { nearest } from "../config/mod.ts";
import { HELP, type HelpPath } from "./cli_help.ts";
import { type GroupName, GUARD_OPTIONS, type Leaf, LEAVES, makeDaemon, makeRun } from "./cli_leaves.ts";
import { givenOptions, OPTIONS, type ParsedLine, UsageProblem } from "./cli_options.ts";
import { completionScript, SHELLS } from "./completions.ts";
import { escapeText, formatWord } from "./format_text.ts";

/** Width of the help, columns. */
const HELP_COLUMNS = 110;

/** Builds the tree. What is parsed goes to `line`, help goes to `write`. */
export function buildProgram(line: ParsedLine, write: (text: string) => void): Program {
  const program = new Program("agentguard");
  program.exitOverride();
  program.configureOutput({
    writeOut: write,
    writeErr: () => {},
    outputError: () => {},
    getOutHelpWidth: () => HELP_COLUMNS,
    getOutHasColors: () => false,
  });
  program.configureHelp({
    visibleArguments: (command) => command.registeredArguments.filter(isShown),
    subcommandTerm: (command) =>
      [command.name(), ...command.registeredArguments.filter(isShown).map(operandTerm)].join(" "),
  });
  program.enablePositionalOptions();
  program.helpCommand(false);
  program.usage("[options] [-- CMD ARG...]\n       agentguard COMMAND [options]");
  addTexts(program, "");
  for (const name of GUARD_OPTIONS) program.addOption(OPTIONS[name]());
  program.option("-V, --version", "print the version, as the command 'version' does");
  program.addArgument(new Argument("[word...]").argOptional());
  program.action((words: string[]) => {
    const word = words[0];
    if (word !== undefined) throw new UsageProblem(unknownCommand(program, word));
    const given = givenOptions(program);
    if (program.getOptionValueSource("version") === "cli") {
      refuseRest(line, "version");
      line.command = { kind: "version", licenses: false, flags: given.flags() };
    } else line.command = line.rest === undefined ? makeDaemon(given) : makeRun(given, line.rest);
  });
  for (const leaf of LEAVES) addLeaf(program, leaf, line);
  addHelp(program, line);
  addCompletions(program, line);
  return program;
}

/** Operands named `word` only catch what is wrong, for a better message. */
function isShown(argument: Argument): boolean {
  return argument.name() !== "word";
}

function operandTerm(argument: Argument): string {
  const name = argument.name() + (argument.variadic ? "..." : "");
  return argument.required ? `<${name}>` : `[${name}]`;
}

/** Names of the commands that the words name, from the program down; options between them are skipped. */
export function commandPath(program: Program, words: readonly string[]): readonly string[] {
  const path: string[] = [];
  let at = program;
  for (const word of words) {
    const next = at.commands.find((candidate) => candidate.name() === word);
    if (next === undefined) continue;
    path.push(word);
    at = next;
  }
  return path;
}

function addLeaf(program: Program, leaf: Leaf, line: ParsedLine): void {
  const command = (leaf.group === undefined ? program : groupOf(program, leaf.group)).command(leaf.name);
  addTexts(command, leaf.path);
  if (leaf.takes_rest === true) {
    command.usage("[options] -- CMD ARG...");
  }
  for (const option of leaf.options) command.addOption(OPTIONS[option]());
  for (const [words, description] of leaf.arguments ?? []) command.addArgument(new Argument(words, description));
  command.action(() => {
    const given = givenOptions(command);
    if (leaf.takes_rest !== true) refuseRest(line, leaf.path);
    line.command = leaf.make(given, { words: command.args, rest: line.rest });
  });
}

function refuseRest(line: ParsedLine, path: HelpPath): void {
  if (line.rest !== undefined) throw new UsageProblem(`remove --: '${path}' runs no command`);
}

/** The command that only holds others, made when its first member is; the one that it is in comes before it. */
function groupOf(program: Program, name: GroupName): Program {
  const above = name === "audit hold" ? "audit" : name === "approvals grants" ? "approvals" : undefined;
  const parent = above === undefined ? program : groupOf(program, above);
  const own = name.slice(name.lastIndexOf(" ") + 1);
  const found = parent.commands.find((candidate) => candidate.name() === own);
  if (found !== undefined) return found;
  const group = parent.command(own).helpCommand(false).usage("COMMAND [options]");
  addTexts(group, name);
  group.addArgument(new Argument("[word...]"));
  group.action(() => {
    const word = group.args[0];
    if (word !== undefined) throw new UsageProblem(unknownCommand(group, word));
    const members = group.commands.map((member) => member.name()).join("|");
    throw new UsageProblem(`say what to do: agentguard ${name} ${members}`);
  });
  return group;
}

function addTexts(command: Program, path: HelpPath): void {
  command.description(HELP[path].purpose);
  command.summary(HELP[path].purpose.split(/[.:;]/)[0] ?? "");
  if (HELP[path].after !== "") command.addHelpText("after", HELP[path].after);
  command.helpOption("-h, --help", "print this help");
}

/** The help is written by commander; no command is left to carry out. */
function addHelp(program: Program, line: ParsedLine): void {
  const help = program.command("help").argument("[command...]", "for example: audit query");
  addTexts(help, "help");
  help.action(() => {
    refuseRest(line, "help");
    givenOptions(help);
    let at = program;
    for (const word of help.args) {
      const next = at.commands.find((candidate) => candidate.name() === word);
      if (next === undefined) throw new UsageProblem(`no help on '${escapeText(word, 64)}'; see 'agentguard help'`);
      at = next;
    }
    at.outputHelp();
  });
}

function addCompletions(program: Program, line: ParsedLine): void {
  const completions = program.command("completions");
  completions.addArgument(new Argument("<shell>", "the shell to complete for").choices(SHELLS));
  addTexts(completions, "completions");
  completions.action(() => {
    refuseRest(line, "completions");
    givenOptions(completions);
    const shell = SHELLS.find((candidate) => candidate === completions.args[0]);
    if (shell !== undefined) line.command = { kind: "print", text: completionScript(program, shell) };
  });
}

function unknownCommand(at: Program, word: string): string {
  const group = at.parent === null ? "" : `${at.name()} `;
  const shown = escapeText(word, 64);
  const near = nearest(word, at.commands.map((child) => child.name()));
  if (near !== undefined) return `unknown command '${group}${shown}'; did you mean 'agentguard ${group}${near}'?`;
  if (group !== "") return `unknown command '${group}${shown}'; see 'agentguard help ${at.name()}'`;
  return `unknown command '${shown}'; to run a program guarded: agentguard -- ${formatWord(word, 64)}`;
}
