/** What rules ask of programs, compiled for tool calls: exe, argv and opaque together, about one command. */
import type { FlagPattern } from "./ast.ts";
import type { EventNames } from "./names.ts";
import type { Check } from "./selection.ts";

/** The checks of one set of predicates, as for program starts. */
export interface ProgramChecks {
  readonly exe?: Check;
  readonly argv?: Check;
  readonly opaque?: readonly FlagPattern[];
}

/** Leaves tool calls to `toolProgramCheck`. */
export function unlessTool(check: Check): Check {
  return (names) => names.event.action.type === "tool.call" || check(names);
}

/** Holds for everything but tool calls whose commands do not hold; `undefined` if nothing is asked of programs. */
export function toolProgramCheck({ exe, argv, opaque }: ProgramChecks, one_name: boolean): Check | undefined {
  if (exe === undefined && argv === undefined && opaque === undefined) return undefined;
  const about_line_alone = exe === undefined && argv === undefined;
  const holds = (names: EventNames): boolean =>
    (exe === undefined || exe(names)) && (argv === undefined || argv(names)) &&
    (opaque === undefined || opaque.some(({ value }) => value === names.opaque()));
  return (names) => {
    if (names.event.action.type !== "tool.call") return true;
    const line = names.toolCommands();
    if (line === undefined) return false;
    const whole = opaque === undefined ? !line.opaque : opaque.some(({ value }) => value === line.opaque);
    if (one_name) return (about_line_alone && whole) || line.commands.some((command) => holds(command.names));
    if (!whole) return false;
    let programs = 0;
    for (const command of line.commands) {
      if (command.builtin) continue;
      if (!holds(command.names)) return false;
      programs++;
    }
    return programs > 0;
  };
}
