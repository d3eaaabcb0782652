/**
 * The command line inside a tool call: what a shell tool of an agent is about to run. `args.command` or `args.cmd` is a
 * text (a shell script) or a list (a program with its arguments); other calls have none.
 */
import type { Event, ExecAction, ToolCallAction } from "../core/mod.ts";
import { innerEvent } from "./inner_event.ts";
import { type CommandLine, readCommandLine, readShellScript } from "./shell.ts";

const COMMAND_KEYS = ["command", "cmd"] as const;

/** Reads it; `undefined` where the call has none. Never throws, whatever stands in the arguments. */
export function toolCommandLine({ args }: ToolCallAction): CommandLine | undefined {
  const command = commandOf(args);
  if (typeof command === "string") return readShellScript(command);
  if (!Array.isArray(command) || command.length === 0) return undefined;
  // What is not a text cannot be followed; it still stands in its place.
  const is_text = command.every((each) => typeof each === "string");
  const argv = command.map((each: unknown) => typeof each === "string" ? each : "");
  const line = readCommandLine({ path: argv[0] ?? "", argv });
  const opaque = !is_text || line?.opaque === true;
  const own = { argv, uncertain: !is_text, builtin: false, opaque, moved: false };
  return { commands: [own, ...(line?.commands ?? [])], opaque };
}

function commandOf(args: unknown): unknown {
  if (typeof args !== "object" || args === null) return undefined;
  for (const key of COMMAND_KEYS) {
    // Only own values: what a call inherits nobody has said.
    const value: unknown = Object.getOwnPropertyDescriptor(args, key)?.value;
    if (value !== undefined) return value;
  }
  return undefined;
}

/** The event of each command of the line, as if whoever made the call started it by itself. */
export function toolCommandEvent(event: Event, command: CommandLine["commands"][number]): Event {
  const { process, base } = event;
  const line: ExecAction = { type: "exec", path: process?.exe ?? "", argv: [] };
  const inner = innerEvent(event, line, command);
  // Nobody stands between the caller and the command.
  const { process: _process, ancestors: _ancestors, ...rest } = inner;
  return {
    ...rest,
    ...(process === undefined ? {} : { process }),
    ...(event.ancestors === undefined ? {} : { ancestors: event.ancestors }),
    ...(base === undefined ? {} : { base }),
  };
}
