/** Marks: what rules set on sessions and ask about later. Every rule sets its own name, a log rule also its labels. */
import type { LabelPattern, Predicates, RuleNode } from "./ast.ts";

/** The name under which a mark is kept. */
export function markName({ kind, name }: Pick<LabelPattern, "kind" | "name">): string {
  return `${kind} ${name}`;
}

/** Who asks about a mark. */
export interface MarkView {
  /** The rule only observes, or its file does. */
  readonly observes: boolean;
  /** The file whose rule permits something because of the mark; absent for what forbids. */
  readonly permits_in?: string;
}

/**
 * The key under which a mark is kept for those who see it alike. What forbids counts attempts. What permits counts only
 * what surely was meant and passed, and only in the same file, so that a later layer cannot widen an earlier one. What
 * is enforced never sees what only observing rules have set, so that observing changes no outcome.
 */
export function markKey(mark: string, { observes, permits_in }: MarkView): string {
  const side = permits_in === undefined ? "tried" : `passed ${permits_in}`;
  return `${observes ? "seen" : "real"} ${side}\n${mark}`;
}

/** The mark of a key. */
export function markOfKey(key: string): string {
  return key.slice(key.lastIndexOf("\n") + 1);
}

/** The marks that a rule can set. */
export function marksSetBy(node: RuleNode): readonly string[] {
  return [
    markName({ kind: "rule", name: node.name }),
    ...(node.labels ?? []).map((name) => markName({ kind: "label", name })),
  ];
}

const NO_PATTERNS: readonly LabelPattern[] = [];

/** Where a set of predicates asks about marks. */
export function markPatterns({ after, since, label }: Predicates): readonly LabelPattern[] {
  if (after === undefined && since === undefined && label === undefined) return NO_PATTERNS;
  return [...(after ?? []), ...(since ?? []), ...(label ?? [])];
}

/** The marks that any of the rules asks about. */
export function marksAskedBy(nodes: readonly RuleNode[]): ReadonlySet<string> {
  const asked = new Set<string>();
  for (const { predicates, excepts } of nodes) {
    for (const pattern of markPatterns(predicates)) asked.add(markName(pattern));
    for (const except of excepts) for (const pattern of markPatterns(except)) asked.add(markName(pattern));
  }
  return asked;
}
