/** Programs and arguments of a tool call, as the reference interpreter sees them: those of its command line. */
import type { Event, ToolCallAction } from "../core/mod.ts";
import type { Predicates } from "./ast.ts";
import type { Side } from "./reference_patterns.ts";
import { toolCommandEvent, toolCommandLine } from "./tool_command.ts";

/** What a rule asks of a program. */
export type ProgramPredicates = Pick<Predicates, "exe" | "argv" | "opaque">;

/** Those of a set of predicates that ask of a program. */
export function programsOf({ exe, argv, opaque }: Predicates): ProgramPredicates {
  return {
    ...(exe === undefined ? {} : { exe }),
    ...(argv === undefined ? {} : { argv }),
    ...(opaque === undefined ? {} : { opaque }),
  };
}

/**
 * What forbids holds for the line if it holds for one of its commands. What permits needs every command that starts a
 * program, at least one, and a line that can be followed (or `opaque` in the rule). A call without a command line has
 * no program.
 */
export function toolProgramsHold(
  predicates: ProgramPredicates,
  { event, action, side }: { readonly event: Event; readonly action: ToolCallAction; readonly side: Side },
  holds: (command: Event, opaque: boolean) => boolean,
): boolean {
  const line = toolCommandLine(action);
  if (line === undefined) return false;
  const { exe, argv, opaque } = predicates;
  const each = (command: (typeof line.commands)[number]): boolean =>
    holds(toolCommandEvent(event, command), command.opaque);
  const whole = opaque === undefined ? !line.opaque : opaque.some(({ value }) => value === line.opaque);
  if (side === "any") {
    const about_line_alone = exe === undefined && argv === undefined;
    return (about_line_alone && whole) || line.commands.some(each);
  }
  const programs = line.commands.filter(({ builtin }) => !builtin);
  return whole && programs.length > 0 && programs.every(each);
}
