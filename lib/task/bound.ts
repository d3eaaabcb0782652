/** Checks of the bounds that constructors take. Private to this folder. */
import { AgentguardError } from "../core/mod.ts";

/** Returns the value if it is an integer in `[min, max]`; throws `config` naming it otherwise. */
export function integerBound(
  what: string,
  value: number,
  range: { readonly min: number; readonly max: number },
): number {
  if (Number.isInteger(value) && value >= range.min && value <= range.max) return value;
  throw new AgentguardError("config", `set ${what} to an integer from ${range.min} to ${range.max}: got ${value}`);
}

/** Returns the value if it is a duration, 0 or more milliseconds (`Infinity` included); throws `config` otherwise. */
export function durationBound(what: string, value_ms: number): number {
  if (value_ms >= 0) return value_ms;
  throw new AgentguardError("config", `set ${what} to 0 or more milliseconds: got ${value_ms}`);
}
