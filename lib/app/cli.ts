/** From the words of the command line to one typed command. Does nothing but read them. */
import { CommanderError } from "commander";
import { err, ok, type Result } from "../core/mod.ts";
import { splitAtDashes } from "./argv.ts";
import { buildProgram, commandPath } from "./cli_program.ts";
import { type ParsedLine, UsageProblem } from "./cli_options.ts";
import type { Command, UsageError } from "./command.ts";
import { escapeText } from "./format_text.ts";

/** Longest quotation of what was typed in a usage message, characters. */
const MESSAGE_CHARS_MAX = 400;

/**
 * Reads the words after the program's name. What follows the first `--` belongs to the guarded command and is never
 * looked at. Help and completion scripts come back as a `print` command.
 */
export function parseCommandLine(argv: readonly string[]): Result<Command, UsageError> {
  const { ours, rest } = splitAtDashes(argv);
  let printed = "";
  const line: ParsedLine = rest === undefined ? {} : { rest };
  const program = buildProgram(line, (text) => printed += text);
  try {
    program.parse([...ours], { from: "user" });
  } catch (thrown) {
    if (thrown instanceof UsageProblem) return err({ message: thrown.message });
    if (!(thrown instanceof CommanderError)) throw thrown;
    if (thrown.code !== "commander.helpDisplayed") {
      const path = commandPath(program, ours).join(" ");
      const text = thrown.message.replace(/^error: /, "").replaceAll("\n", " ").trim().replace(/\.$/, "");
      const hint = `see 'agentguard help${path === "" ? "" : ` ${path}`}'`;
      return err({ message: `${escapeText(text, MESSAGE_CHARS_MAX)}; ${hint}` });
    }
  }
  if (printed !== "") return ok({ kind: "print", text: printed });
  return line.command === undefined ? err({ message: "give a command; see 'agentguard help'" }) : ok(line.command);
}
