/** What a command has lost for good, where a later policy would let it have that. */
import type { PlannedBaseline } from "../act/mod.ts";
import { isWithin } from "../core/mod.ts";

/** Places that one message names. */
const SHOWN_MAX = 5;

/** One line, or none where the later policy asks for nothing that is gone. `now`: the plan by that policy. */
export function keptDetails(begun: PlannedBaseline, now: PlannedBaseline | undefined): readonly string[] {
  const masked = begun.masks.map(({ path }) => path).filter((path) => !isMasked(path, now));
  const kept = [
    ...(masked.length === 0 ? [] : [`masked: ${shown(masked)}`]),
    ...(widened(begun.allowed.write_trees, now?.allowed.write_trees, isWithin)
      ? [`files change only below: ${shown(begun.allowed.write_trees ?? [])}`]
      : []),
    ...(widened(begun.allowed.connect_ports, now?.allowed.connect_ports, same)
      ? [`TCP connections only to ports: ${shown(begun.allowed.connect_ports ?? [])}`]
      : []),
    ...(widened(begun.allowed.bind_ports, now?.allowed.bind_ports, same)
      ? [`TCP servers only at ports: ${shown(begun.allowed.bind_ports ?? [])}`]
      : []),
  ];
  if (kept.length === 0) return [];
  return [`the policy allows more than the command can get back: ${kept.join("; ")}; start it anew for that`];
}

function isMasked(path: string, now: PlannedBaseline | undefined): boolean {
  return now?.masks.some((mask) => mask.path === path || (mask.tree && isWithin(path, mask.path))) === true;
}

/** The later list allows something that the one at the start does not. */
function widened<T>(
  begun: readonly T[] | undefined,
  now: readonly T[] | undefined,
  covers: (now: T, begun: T) => boolean,
): boolean {
  if (begun === undefined) return false;
  return now === undefined || now.some((each) => !begun.some((known) => covers(each, known)));
}

function same(now: number, begun: number): boolean {
  return now === begun;
}

function shown(list: readonly (string | number)[]): string {
  if (list.length === 0) return "none";
  const more = list.length > SHOWN_MAX ? [`and ${list.length - SHOWN_MAX} more`] : [];
  return [...list.slice(0, SHOWN_MAX), ...more].join(", ");
}
