/** The reference interpreter's memory: two plain lists that grow, and are searched from end to end. */
import type { Event, Ruling } from "../core/mod.ts";
import { type NumberedLayer, ruleHolds } from "./reference.ts";
import { readingOf } from "./reading.ts";
import { keyOf } from "./reference_facts.ts";
import { isCounted, rateSlice, type StateView } from "./state.ts";

interface Mark {
  readonly session: string;
  readonly key: string;
  readonly time_us: number;
}

interface Count {
  readonly counter: string;
  readonly key: string;
  readonly slice: number;
}

/** Everything that happened so far. A value: `advanceReference` gives a new one. */
export class ReferenceState implements StateView {
  readonly marks: readonly Mark[];
  readonly counts: readonly Count[];

  constructor(marks: readonly Mark[] = [], counts: readonly Count[] = []) {
    this.marks = marks;
    this.counts = counts;
  }

  markTime(session: string, key: string, which: "first" | "last"): number {
    const found = this.marks.filter((each) => each.session === session && each.key === key);
    return found.at(which === "first" ? 0 : -1)?.time_us ?? -1;
  }

  rateCount(counter: string, key: string, options: { readonly per_us: number; readonly now_us: number }): number {
    const own = this.counts.filter((each) => each.counter === counter && each.key === key);
    const now = Math.max(rateSlice(options.per_us, options.now_us), ...own.map(({ slice }) => slice));
    return own.filter(({ slice }) => isCounted(slice, now)).length;
  }
}

/** The state after an event that was decided. */
export function advanceReference(
  layers: readonly NumberedLayer[],
  state: ReferenceState,
  { event, ruling, now_us }: { readonly event: Event; readonly ruling: Ruling; readonly now_us: number },
): ReferenceState {
  const session = event.session?.session_id ?? "";
  const marks: Mark[] = [...state.marks];
  const counts: Count[] = [...state.counts];
  const reading = readingOf(event);
  const ways = reading === undefined ? [event] : [event, reading];
  for (const { file, rules } of layers) {
    if (file.mode === "disabled") continue;
    for (const { node, name } of rules) {
      const observes = file.mode !== "enforce" || node.mode === "observe";
      const context = { state, now_us, rule: name, observes, file: file.file };
      const { rate = [], ...others } = node.predicates;
      for (const [i, { keys, per_us }] of rate.entries()) {
        const counted = ways.find((way) => ruleHolds({ ...node, verdict: "log", predicates: others }, way, context));
        if (counted === undefined) continue;
        const counter = `${name}\n${i}`;
        const key = keyOf(keys, counted);
        const own = counts.filter((each) => each.counter === counter && each.key === key);
        counts.push({ counter, key, slice: Math.max(rateSlice(per_us, now_us), ...own.map(({ slice }) => slice)) });
      }
      const tried = ways.find((way) => ruleHolds({ ...node, verdict: "log" }, way, context));
      if (tried === undefined) continue;
      const surely = ruleHolds({ ...node, verdict: "allow" }, tried, context);
      const would = ruling.would ?? ruling.verdict;
      const keys: readonly (readonly [string, boolean])[] = [
        ["seen tried", true],
        [`seen passed ${file.file}`, surely && would !== "deny" && would !== "ask"],
        ["real tried", !observes],
        [`real passed ${file.file}`, !observes && surely && ruling.verdict !== "deny" && ruling.verdict !== "ask"],
      ];
      for (const mark of [`rule ${node.name}`, ...(node.labels ?? []).map((label) => `label ${label}`)]) {
        for (const [key, holds] of keys) if (holds) marks.push({ session, key: `${key}\n${mark}`, time_us: now_us });
      }
    }
  }
  const ended = event.action.type === "session.end";
  return new ReferenceState(ended ? marks.filter((mark) => mark.session !== session) : marks, counts);
}
