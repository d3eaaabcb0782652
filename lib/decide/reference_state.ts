/** The reference interpreter's memory: two plain lists that grow, and are searched from end to end. */
import type { Event, Ruling } from "../core/mod.ts";
import { type NumberedLayer, ruleHolds } from "./reference.ts";
import { keyOf } from "./reference_facts.ts";
import { isCounted, type MarkView, rateSlice, type StateView } from "./state.ts";

interface Mark extends MarkView {
  readonly session: string;
  readonly mark: string;
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

  markTime(session: string, mark: string, view: MarkView & { readonly which: "first" | "last" }): number {
    const found = this.marks.filter((each) =>
      each.session === session && each.mark === mark && each.observes === view.observes && each.permits === view.permits
    );
    return found.at(view.which === "first" ? 0 : -1)?.time_us ?? -1;
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
  for (const { file, rules } of layers) {
    if (file.mode === "disabled") continue;
    for (const { node, name } of rules) {
      const observes = file.mode !== "enforce" || node.mode === "observe";
      const context = { state, now_us, rule: name, observes };
      const { rate = [], ...others } = node.predicates;
      for (const [i, { keys, per_us }] of rate.entries()) {
        if (!ruleHolds({ ...node, predicates: others }, event, context)) continue;
        const counter = `${name}\n${i}`;
        const key = keyOf(keys, event);
        const own = counts.filter((each) => each.counter === counter && each.key === key);
        counts.push({ counter, key, slice: Math.max(rateSlice(per_us, now_us), ...own.map(({ slice }) => slice)) });
      }
      if (!ruleHolds({ ...node, verdict: "log" }, event, context)) continue;
      const surely = ruleHolds({ ...node, verdict: "allow" }, event, context);
      const would = ruling.would ?? ruling.verdict;
      const views: readonly (readonly [boolean, boolean, boolean])[] = [
        [true, false, true],
        [true, true, surely && would !== "deny" && would !== "ask"],
        [false, false, !observes],
        [false, true, !observes && surely && ruling.verdict !== "deny" && ruling.verdict !== "ask"],
      ];
      for (const mark of [`rule ${node.name}`, ...(node.labels ?? []).map((label) => `label ${label}`)]) {
        for (const [observing, permits, holds] of views) {
          if (holds) marks.push({ session, mark, observes: observing, permits, time_us: now_us });
        }
      }
    }
  }
  const ended = event.action.type === "session.end";
  return new ReferenceState(ended ? marks.filter((mark) => mark.session !== session) : marks, counts);
}
