/** From paths to few patterns: a much used directory stands for its content, other names stand for themselves. */
import { type Evidence, joinEvidence } from "./learn_evidence.ts";
import type { NameMasks } from "./learn_names.ts";

/** A pattern with what it rests on. */
export interface LearntPattern {
  readonly pattern: string;
  readonly evidence: Evidence;
}

/** Patterns, and which of them stands for a name. */
export interface LearntPaths {
  readonly patterns: readonly LearntPattern[];
  readonly pattern_of: ReadonlyMap<string, string>;
}

/** Entries of a directory, or its subdirectories, that must be used before it stands for all of them. */
const SIBLINGS_MIN = 3;

/** Segments that a directory needs before it stands for everything below it, and not only for its entries. */
const DEEP_MIN = 3;

/** Directories that never stand for their content: too much else is there. */
const NEVER: readonly RegExp[] = [
  /^\/(?:etc|home|root|var|tmp|dev|run|usr|opt|srv|mnt|media|boot|lib|lib64|bin|sbin)?$/,
  /^\/(?:var\/tmp|dev\/shm|home\/[^/]+)$/,
  /^\/(?:proc|sys)(?:\/|$)/,
];
/** Below these nothing is widened that changes files. */
const SYSTEM = /^\/(?:usr|etc|bin|sbin|lib|lib64|boot|dev|opt|var\/lib)(?:\/|$)/;

/** How far names may be widened. */
export interface PathLearning {
  readonly masks: NameMasks;
  /** Directories that the recording made: theirs is everything in them. */
  readonly made: ReadonlySet<string>;
  /** `never`: every name stands for itself. `reads` and `changes`: see `NEVER` and `SYSTEM`. */
  readonly widen: "never" | "reads" | "changes";
  /** Home directory, which never stands for its content. */
  readonly home?: string;
}

interface Node {
  /** The name as recorded; of masked names the first. */
  readonly raw: string;
  readonly pattern: string;
  readonly children: Map<string, Node>;
  /** The recording made this directory. */
  made: boolean;
  /** What speaks for the name itself. */
  own?: Evidence;
  /** What speaks for unnamed entries of this directory: merged opens. */
  merged?: Evidence;
  readonly names: string[];
}

/** Collects names of one kind of action and widens them at the end. */
export class PathLearner {
  readonly #names: Map<string, Evidence> = new Map();
  readonly #merged: Map<string, Evidence> = new Map();

  /** One name that was used. */
  add(name: string, evidence: Evidence): void {
    this.#names.set(name, joinEvidence(this.#names.get(name), evidence));
  }

  /** Names in a directory that were used and merged under pressure: which ones is not known. */
  addMerged(directory: string, evidence: Evidence): void {
    this.#merged.set(directory, joinEvidence(this.#merged.get(directory), evidence));
  }

  /** How many names. */
  get size(): number {
    return this.#names.size + this.#merged.size;
  }

  /** The patterns, sorted. */
  learn(how: PathLearning): LearntPaths {
    const roots = new Map<string, Node>();
    for (const [name, evidence] of this.#names) {
      const node = place(roots, name, how);
      node.own = joinEvidence(node.own, evidence);
      node.names.push(name);
    }
    for (const [name, evidence] of this.#merged) {
      const node = place(roots, name, how);
      node.merged = joinEvidence(node.merged, evidence);
    }
    const out = new Patterns();
    for (const root of roots.values()) widen(root, how, { out, own: root.pattern === "" ? "/" : root.pattern });
    return out.finish();
  }
}

/** Patterns on their way out. */
class Patterns {
  readonly #found: Map<string, Evidence> = new Map();
  readonly #pattern_of: Map<string, string> = new Map();

  /** The pattern stands for the name of a node. */
  own(pattern: string, { own, names }: Node): void {
    if (own !== undefined) this.#add(pattern, own);
    for (const name of names) this.#pattern_of.set(name, pattern);
  }

  /** The pattern stands for unnamed entries of a node. */
  merged(pattern: string, { merged }: Node): void {
    if (merged !== undefined) this.#add(pattern, merged);
  }

  finish(): LearntPaths {
    const patterns = [...this.#found].map(([pattern, evidence]) => ({ pattern, evidence }));
    return { patterns: patterns.sort((a, b) => compare(a.pattern, b.pattern)), pattern_of: this.#pattern_of };
  }

  #add(pattern: string, evidence: Evidence): void {
    this.#found.set(pattern, joinEvidence(this.#found.get(pattern), evidence));
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The node of a name; masked names share one. */
function place(roots: Map<string, Node>, name: string, { masks, made }: PathLearning): Node {
  if (!name.startsWith("/")) return child(roots, name, masks.relative(name));
  let node = child(roots, "/", "");
  let end = 0;
  while (end < name.length && name.length > 1) {
    const next = name.indexOf("/", end + 1);
    end = next < 0 ? name.length : next;
    const raw = name.slice(0, end);
    node = child(node.children, raw, `${node.pattern}/${masks.segment(raw)}`);
    if (made.has(raw)) node.made = true;
  }
  return node;
}

function child(children: Map<string, Node>, raw: string, pattern: string): Node {
  const known = children.get(pattern);
  if (known !== undefined) return known;
  const node: Node = { raw, pattern, children: new Map(), made: false, names: [] };
  children.set(pattern, node);
  return node;
}

/** Depth first; the depth of the tree is bounded by the longest path that the kernel accepts. */
function widen(node: Node, how: PathLearning, to: { readonly out: Patterns; readonly own: string }): void {
  const { out, own } = to;
  const { pattern } = node;
  const children = [...node.children.values()];
  const wide = mayWiden(node, how);
  const deep = children.filter((each) => each.children.size > 0 || each.merged !== undefined);
  if (wide && (node.made || (deep.length >= SIBLINGS_MIN && depthOf(node) >= DEEP_MIN))) {
    for (const each of descendants(node)) {
      out.own(`${pattern}/**`, each);
      out.merged(`${pattern}/**`, each);
    }
    return;
  }
  out.own(own, node);
  out.merged(`${pattern}/*`, node);
  const used = children.filter((each) => each.own !== undefined);
  const all = (wide && used.length >= SIBLINGS_MIN) || node.merged !== undefined;
  for (const each of children) widen(each, how, { out, own: all ? `${pattern}/*` : each.pattern });
}

/** Segments of a name. */
function depthOf({ raw }: Node): number {
  return raw === "/" ? 0 : raw.split("/").length - 1;
}

function mayWiden({ raw }: Node, { widen, home }: PathLearning): boolean {
  if (widen === "never" || !raw.startsWith("/") || NEVER.some((each) => each.test(raw)) || raw === home) return false;
  return widen === "reads" || !SYSTEM.test(raw);
}

/** A node and everything below it. */
function descendants(node: Node): readonly Node[] {
  return [node, ...[...node.children.values()].flatMap((each) => descendants(each))];
}
