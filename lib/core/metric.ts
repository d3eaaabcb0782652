/** Counters that a stage owns and a publisher reads. Plain numbers: one thread each, summed by the publisher. */
import { invariant } from "./errors.ts";

/** A named set of counters, for example `{ frames: 0, decode_errors: 0 }`. */
export type Counters<Name extends string> = Record<Name, number>;

/** Makes counters that start at zero. */
export function counters<Name extends string>(names: readonly Name[]): Counters<Name> {
  const made: Partial<Counters<Name>> = {};
  for (const name of names) made[name] = 0;
  invariant(isComplete(made, names), "make counters: a name has no value");
  return made;
}

function isComplete<Name extends string>(
  made: Partial<Counters<Name>>,
  names: readonly Name[],
): made is Counters<Name> {
  return names.every((name) => made[name] !== undefined);
}

/** Adds the values of `more` to `sum`, key by key; keys that `sum` lacks are added. */
export function addCounters(sum: Record<string, number>, more: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + value;
}
