/** Policies for commands that work on them: loaded, or every finding on stderr. */
import type { Mode } from "../core/mod.ts";
import { BUILTIN_POLICY, type Diagnostic, formatDiagnostic, loadPolicy, type PolicySnapshot } from "../decide/mod.ts";
import type { CommandIo } from "./command_io.ts";
import { escapeMessage } from "./format_text.ts";
import { loadPolicyFiles } from "./policy_files.ts";

/** Loads layers; without a file the built-in policy. `undefined` after saying on stderr why not. */
export async function loadForCommand(
  io: CommandIo,
  files: readonly string[],
  options: { readonly mode?: Mode } = {},
): Promise<PolicySnapshot | undefined> {
  const how = { generation: 1, ...options };
  const loaded = files.length === 0 ? loadPolicy([BUILTIN_POLICY], how) : loadPolicyFiles(files, how);
  if (loaded.ok) return loaded.value;
  await sayFindings(io, loaded.error);
  return undefined;
}

/** One line for each finding. */
export async function sayFindings(io: CommandIo, findings: readonly Diagnostic[]): Promise<void> {
  for (const finding of findings) await io.stderr.write(`${escapeMessage(formatDiagnostic(finding))}\n`);
}

/** What `~` stands for: as given, else the caller's home. */
export function homeOption(io: CommandIo, given: string | undefined): { readonly home?: string } {
  const home = given ?? io.env["HOME"];
  return home === undefined || home === "" ? {} : { home };
}
