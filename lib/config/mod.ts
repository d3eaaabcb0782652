/**
 * lib/config: flags, `AGENTGUARD_*` environment and the `[config]` table of the policy become one typed `Config` in
 * which every value names its origin. Precedence: flag, environment, policy, default.
 *
 * It never reads a file, the process environment or the clock: everything comes in as arguments, so the same input
 * gives the same result. It never creates a directory and never decides what a value is used for.
 * Errors: all problems are returned together as `ConfigError[]`; nothing throws.
 * Lifetimes: none, it holds no state.
 */
export { CONFIG_KEYS, resolveConfig, SYSTEM_RUNTIME_DIR } from "./resolve.ts";
export type {
  Config,
  ConfigError,
  ConfigInput,
  ConfigKey,
  ConfigTable,
  FlagValues,
  Origin,
  Sourced,
} from "./resolve.ts";
export { nearest } from "./suggest.ts";
