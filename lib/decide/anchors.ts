/**
 * Under which piece of text, network or port each rule is found. Every glob offers several anchors; the one that the
 * fewest rules share is taken, so that a common directory or a common port does not become a long list.
 */
import type { PathPattern, Predicates, ProgramPattern } from "./ast.ts";
import type { PathGlob, TextGlob } from "./glob.ts";
import { canIndexPorts, type HostAnchor, hostAnchors } from "./net_index.ts";
import { anchorsOf, type PathAnchor } from "./path_index.ts";
import type { NumberedRule } from "./reference.ts";

/** Under what a rule is found. */
export type Anchors =
  | { readonly kind: "path" | "exe" | "by"; readonly anchors: readonly PathAnchor[] }
  | { readonly kind: "host"; readonly anchors: readonly HostAnchor[] }
  | { readonly kind: "tool"; readonly texts: readonly string[] }
  | { readonly kind: "address" | "port" }
  | { readonly kind: "none" };

/** One way to find a rule: for each of its patterns, the keys that could be used and what each costs in company. */
interface Option {
  readonly kind: Exclude<Anchors["kind"], "none">;
  /** Per pattern, the keys to choose from. */
  readonly slots: readonly (readonly string[])[];
  /** The anchors of one choice per slot. */
  readonly take: (choice: readonly number[]) => Anchors;
}

/** Chooses for all rules of a layer. */
export function planAnchors(rules: readonly NumberedRule[]): ReadonlyMap<NumberedRule, Anchors> {
  const counts = new Map<string, number>();
  const options = rules.map((rule) => optionsOf(rule.node.predicates));
  for (const list of options) {
    for (const { slots } of list) {
      for (const keys of slots) for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  const plan = new Map<NumberedRule, Anchors>();
  rules.forEach((rule, i) => plan.set(rule, cheapest(options[i] ?? [], counts)));
  return plan;
}

function cheapest(options: readonly Option[], counts: ReadonlyMap<string, number>): Anchors {
  let best: Anchors = { kind: "none" };
  let best_cost = Infinity;
  for (const option of options) {
    let cost = 0;
    const choice = option.slots.map((keys) => {
      let chosen = 0;
      let least = Infinity;
      keys.forEach((key, i) => {
        const count = counts.get(key) ?? 0;
        if (count < least) {
          least = count;
          chosen = i;
        }
      });
      cost = Math.max(cost, least);
      return chosen;
    });
    if (cost < best_cost) {
      best = option.take(choice);
      best_cost = cost;
    }
  }
  return best;
}

/** Every predicate that an index can hold in full, the most selective kinds first. */
function optionsOf(predicates: Predicates): readonly Option[] {
  const { path, exe, by, address, host, tool, port } = predicates;
  const options = [
    path && pathOption("path", path.flatMap(({ globs }) => globs.map((glob) => anchorsOf(glob)))),
    exe && pathOption("exe", programAnchors(exe)),
    address &&
    { kind: "address" as const, slots: address.map(({ text }) => [`address ${text}`]), take: addressAnchors },
    host && hostOption(hostAnchors(host)),
    tool && toolOption(tool.flatMap(({ globs }) => globs)),
    by && pathOption("by", programAnchors(by)),
    port && canIndexPorts(port)
      ? { kind: "port" as const, slots: port.map(({ from, to }) => [`port ${from}-${to}`]), take: portAnchors }
      : undefined,
  ];
  return options.filter((option) => option !== undefined);
}

function addressAnchors(): Anchors {
  return { kind: "address" };
}

function portAnchors(): Anchors {
  return { kind: "port" };
}

function programAnchors(patterns: readonly ProgramPattern[]): readonly (readonly PathAnchor[])[] {
  return patterns.flatMap((pattern: ProgramPattern | PathPattern) =>
    pattern.globs.map((glob: PathGlob | TextGlob): readonly PathAnchor[] => {
      if ("root" in glob) return anchorsOf(glob);
      return glob.kind === "literal" ? [{ home: false, kind: "base", text: glob.text, whole: true }] : [];
    })
  );
}

function pathOption(kind: "path" | "exe" | "by", slots: readonly (readonly PathAnchor[])[]): Option | undefined {
  if (slots.some((anchors) => anchors.length === 0)) return undefined;
  return {
    kind,
    slots: slots.map((anchors) => anchors.map(({ home, kind: part, text }) => `${kind} ${home} ${part} ${text}`)),
    take: (choice) => ({ kind, anchors: slots.flatMap((anchors, i) => anchors[choice[i] ?? 0] ?? []) }),
  };
}

function hostOption(anchors: readonly HostAnchor[] | undefined): Option | undefined {
  if (anchors === undefined) return undefined;
  return {
    kind: "host",
    slots: anchors.map(({ suffix, text }) => [`host ${suffix} ${text}`]),
    take: () => ({ kind: "host", anchors }),
  };
}

function toolOption(globs: readonly TextGlob[]): Option | undefined {
  const texts = globs.flatMap((glob) => glob.kind === "literal" ? [glob.text] : []);
  if (texts.length < globs.length) return undefined;
  return { kind: "tool", slots: texts.map((text) => [`tool ${text}`]), take: () => ({ kind: "tool", texts }) };
}
