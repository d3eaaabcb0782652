/** Opens for writing that can also be read through: what is said of reading counts, too, where it is stricter. */
import type { Event, Ruling } from "../core/mod.ts";
import { STRICTNESS } from "./selection.ts";

/** The same open as one for reading alone; `undefined` where nothing can be read through it. */
export function readingOf(event: Event): Event | undefined {
  const { action } = event;
  if (action.type !== "file.write" || action.flags?.includes("reads") !== true) return undefined;
  const flags = action.flags.filter((flag) => flag !== "reads" && flag !== "append");
  return { ...event, action: { ...action, type: "file.read", flags } };
}

/**
 * The ruling about writing, or that about the reading that comes with it, where a rule refuses, asks or redacts more.
 * Defaults about reading do not count: what rules allow to be written need not be allowed twice.
 */
export function withReading(writing: Ruling, reading: Ruling): Ruling {
  if (reading.rule === undefined) return writing;
  const [known, next] = [STRICTNESS[writing.verdict], STRICTNESS[reading.verdict]];
  if (next !== known) return next > known && next >= STRICTNESS.redact ? reading : writing;
  const [known_would, next_would] = [wouldOf(writing), wouldOf(reading)];
  return next_would > known_would && next_would >= STRICTNESS.redact ? reading : writing;
}

/** What it would be if everything were enforced. */
function wouldOf({ verdict, would }: Ruling): number {
  return STRICTNESS[would ?? verdict];
}
