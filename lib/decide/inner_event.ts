/** The event of a command inside a command line: the same session and time, another program and caller. */
import type { Event, ExecAction } from "../core/mod.ts";
import type { CommandLine, InnerCommand } from "./shell.ts";
import { isLoader } from "./shell_wrappers.ts";
import { baseName } from "./base_name.ts";

/**
 * True if the program has started already, so that each program inside will be decided at its own start. Then only
 * rules that ask for arguments look inside: for them the start of the line is the earlier moment. What the dynamic
 * loader runs has no start of its own.
 */
export function hasStarted(event: Event): boolean {
  if (event.action.type === "exec" && isLoader(baseName(event.action.path))) return false;
  return event.kernel !== undefined || event.shown !== undefined || event.held === true;
}

/** Programs that have others started outside of the session, where nothing is held. */
const STARTS_ELSEWHERE: ReadonlySet<string> = new Set(["systemd-run"]);

/**
 * The commands inside a command line that are decided with it. Where every program start is held, each program is
 * decided when it starts: what is left is what the shell runs itself, what runs elsewhere, and what the dynamic loader
 * runs without a start.
 */
export function insideOf(event: Event, line: CommandLine, action: ExecAction): readonly InnerCommand[] {
  if (event.held !== true) return line.commands;
  const name = baseName(action.path);
  if (STARTS_ELSEWHERE.has(name) || isLoader(name)) return line.commands;
  return line.commands.filter((command) => command.builtin);
}

/** What the event would be if the command started by itself. A program without a slash stays a bare name. */
export function innerEvent(event: Event, line: ExecAction, command: InnerCommand): Event {
  const { base, process, ancestors, action: _action, ...rest } = event;
  const cwd = command.moved ? undefined : base ?? line.cwd ?? process?.cwd;
  const { cwd: _cwd, ...caller } = process ?? { pid: 0, start: "0" };
  return {
    ...rest,
    process: { ...caller, exe: line.path, ...(cwd === undefined ? {} : { cwd }) },
    ...(ancestors === undefined
      ? {}
      : { ancestors: process?.exe === undefined ? ancestors : [process.exe, ...ancestors] }),
    action: {
      type: "exec",
      path: programPath(command.argv[0] ?? "", cwd, event.session?.home),
      argv: command.argv,
      ...(cwd === undefined ? {} : { cwd }),
      ...(command.uncertain ? { flags: ["args_truncated"] } : {}),
    },
  };
}

function programPath(program: string, cwd: string | undefined, home: string | undefined): string {
  if (program.startsWith("/") || !program.includes("/")) return program;
  if (program.startsWith("~/")) return home === undefined ? program : `${home}${program.slice(1)}`;
  return cwd === undefined ? program : `${cwd}/${program}`;
}
