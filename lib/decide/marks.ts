/** Marks: what rules set on sessions and ask about later. Every rule sets its own name, a log rule also its labels. */
import type { LabelPattern, Predicates, RuleNode } from "./ast.ts";

/** The name under which a mark is kept. */
export function markName({ kind, name }: Pick<LabelPattern, "kind" | "name">): string {
  return `${kind} ${name}`;
}

/** The marks that a rule can set. */
export function marksSetBy(node: RuleNode): readonly string[] {
  return [
    markName({ kind: "rule", name: node.name }),
    ...(node.labels ?? []).map((name) => markName({ kind: "label", name })),
  ];
}

/** Where a set of predicates asks about marks. */
export function markPatterns({ after, since, label }: Predicates): readonly LabelPattern[] {
  return [...(after ?? []), ...(since ?? []), ...(label ?? [])];
}

/** The marks that any of the rules asks about. */
export function marksAskedBy(nodes: readonly RuleNode[]): ReadonlySet<string> {
  const asked = new Set<string>();
  for (const { predicates, excepts } of nodes) {
    for (const set of [predicates, ...excepts]) for (const pattern of markPatterns(set)) asked.add(markName(pattern));
  }
  return asked;
}
