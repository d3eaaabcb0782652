/** The configuration of a command that needs no policy: flags, environment, defaults. */
import { type Config, type ConfigError, type FlagValues, resolveConfig } from "../config/mod.ts";
import { AgentguardError } from "../core/mod.ts";
import type { CommandIo } from "./command_io.ts";

/** Resolves the flags of a command. Throws `config` with every problem in one line. */
export function configOf(io: CommandIo, flags: FlagValues): Config {
  const result = resolveConfig({ flags, env: io.env, uid: io.uid, cwd: io.cwd });
  if (result.ok) return result.value;
  throw configProblem(result.error);
}

/** One exception for all problems. */
export function configProblem(problems: readonly ConfigError[]): AgentguardError {
  return new AgentguardError("config", problems.map((problem) => problem.message).join("; "));
}
