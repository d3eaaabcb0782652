/** What the properties of lib/task share. */
import type { Parameters } from "fast-check";

/**
 * Parameters of a run. A failure prints its seed; `AGENTGUARD_SEED` replays it. `AGENTGUARD_RUNS` sets how many runs.
 * Throws if one of them is set and is no integer.
 */
export function runParameters<T>(): Parameters<T> {
  return {
    ...integerFromEnvironment("seed", "AGENTGUARD_SEED"),
    ...integerFromEnvironment("numRuns", "AGENTGUARD_RUNS"),
  };
}

function integerFromEnvironment(key: "seed" | "numRuns", name: string): { seed?: number; numRuns?: number } {
  const text = process.env[name];
  if (text === undefined) return {};
  const value = Number(text);
  if (text.trim() === "" || !Number.isSafeInteger(value)) throw new TypeError(`set ${name} to an integer: got ${text}`);
  return { [key]: value };
}
