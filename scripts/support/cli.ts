/** What every script's command line shares: `--help`, strict options, one clear line on failure. */

import { parseArgs } from "node:util";

/** A script's command line, as data. */
export interface ScriptSpec {
  /** Printed by `--help`; its first line says what the script does. */
  readonly help: string;
  /** Options besides `--help`; each is a flag or takes one value. */
  readonly options?: Readonly<Record<string, "flag" | "value">>;
  /** Words may follow after `--`. */
  readonly command?: true;
}

/** The options that were given: true for a flag, the text for a value. */
export type ScriptOptions = Readonly<Record<string, string | true>>;

/**
 * Runs a script's main function and ends the process: 0 after success or `--help`, 2 after a wrong command line, 1
 * after an error (its message on stderr), else the code that main returns.
 */
export async function runScript(
  spec: ScriptSpec,
  main: (options: ScriptOptions, command: readonly string[]) => Promise<number>,
): Promise<void> {
  const words = process.argv.slice(2);
  const { own, command } = spec.command === true ? splitCommand(words) : { own: words, command: [] };
  const parsed = parse(spec, own);
  if (typeof parsed === "string") {
    console.error(`${parsed}; see --help`);
    process.exit(2);
  }
  if (parsed["help"] === true) {
    console.log(spec.help.trim());
    process.exit(0);
  }
  try {
    process.exit(await main(parsed, command));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  }
}

/** Bun takes a `--` away that stands first: then the first word is no option. */
function splitCommand(
  words: readonly string[],
): { readonly own: readonly string[]; readonly command: readonly string[] } {
  const dashes = words.indexOf("--");
  if (dashes >= 0) return { own: words.slice(0, dashes), command: words.slice(dashes + 1) };
  const whole = words[0] !== undefined && !words[0].startsWith("-");
  return whole ? { own: [], command: words } : { own: words, command: [] };
}

function parse(spec: ScriptSpec, words: readonly string[]): ScriptOptions | string {
  const known: Record<string, { type: "boolean" | "string" }> = { help: { type: "boolean" } };
  for (const [name, kind] of Object.entries(spec.options ?? {})) {
    known[name] = { type: kind === "flag" ? "boolean" : "string" };
  }
  try {
    const { values } = parseArgs({ args: [...words], options: known, strict: true });
    const options: Record<string, string | true> = {};
    for (const [name, value] of Object.entries(values)) {
      if (typeof value === "string" || value === true) options[name] = value;
    }
    return options;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
