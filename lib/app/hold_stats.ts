/** Statistics of held calls, in memory that main reads at any time. */
import { HOLD_STAT_NAMES, type HoldStatName } from "./holder_protocol.ts";

/** Adds to one of them. */
export function countStat(stats: Float64Array, name: HoldStatName, by: number): void {
  const at = HOLD_STAT_NAMES.indexOf(name);
  stats[at] = (stats[at] ?? 0) + by;
}
