/**
 * Finds rules by path. One pass over a name computes the hashes of every directory above it, of every segment and of
 * the extension, and looks each up; the work does not grow with the number of rules.
 */
import type { PathGlob, Segment } from "./glob.ts";
import { homeEnd } from "./match.ts";
import type { EventNames } from "./names.ts";
import type { CompiledRule } from "./compiled_rule.ts";
import type { Candidate, Selection } from "./selection.ts";
import { HASH_SEED, hashStep, TextTable } from "./text_table.ts";

const SLASH = 47;
const DOT = 46;

/** What part of a name an anchor is compared with. */
type AnchorKind = "exact" | "tree" | "base" | "segment" | "extension";

/** A piece of literal text that every matching name has at a known place. */
export interface PathAnchor {
  /** Relative to the home directory. */
  readonly home: boolean;
  readonly kind: AnchorKind;
  readonly text: string;
  /** True if having the anchor is all that the glob asks for. */
  readonly whole: boolean;
}

/** The anchors that a glob offers, the most telling first; none for a glob without a usable literal. */
export function anchorsOf(glob: PathGlob): readonly PathAnchor[] {
  const { root, segments } = glob;
  const home = root === "home";
  const anchors: PathAnchor[] = [];
  const leading = leadingLiterals(segments);
  if (root !== "anywhere") {
    const text = root === "abstract" ? leading.join("/") : leading.map((part) => `/${part}`).join("");
    if (leading.length === segments.length) {
      // The root directory itself is the name "/", but below a home it is the empty rest.
      return [{ home, kind: "exact", text: text === "" && !home ? "/" : text, whole: true }];
    }
    // `/**` is about every absolute name: an index does not help.
    if (leading.length > 0 || home) {
      const whole = leading.length + 1 === segments.length && segments[leading.length]?.kind === "deep";
      if (whole) return [{ home, kind: "tree", text, whole }];
      anchors.push({ home, kind: "tree", text, whole });
    }
  }
  return [...floatingAnchors(glob), ...anchors];
}

/** Anchors that may stand at any depth: the last segment, an extension, literal segments after a wildcard. */
function floatingAnchors({ root, segments }: PathGlob): readonly PathAnchor[] {
  const home = root === "home";
  const begins_deep = root === "anywhere";
  const anchors: PathAnchor[] = [];
  const last = segments.at(-1);
  if (last?.kind === "literal") {
    anchors.push({ home, kind: "base", text: last.text, whole: begins_deep && segments.length === 2 });
  }
  for (const segment of segments.slice(leadingLiterals(segments).length)) {
    if (segment.kind !== "literal" || segment === last) continue;
    const whole = begins_deep && segments.length === 3 && last?.kind === "deep";
    anchors.push({ home, kind: "segment", text: segment.text, whole });
  }
  if (last?.kind === "wild") {
    const { text, is_all } = literalSuffix(last);
    const dot = text.lastIndexOf(".");
    const whole = begins_deep && segments.length === 2 && is_all && dot === 0;
    if (dot >= 0) anchors.push({ home, kind: "extension", text: text.slice(dot), whole });
  }
  return anchors;
}

function leadingLiterals(segments: readonly Segment[]): readonly string[] {
  const texts: string[] = [];
  for (const segment of segments) {
    if (segment.kind !== "literal") break;
    texts.push(segment.text);
  }
  return texts;
}

/** The literal text after the last wildcard; `is_all` if before it there is only `*`. */
function literalSuffix(
  segment: Extract<Segment, { readonly kind: "wild" }>,
): { readonly text: string; readonly is_all: boolean } {
  let text = "";
  let at = segment.tokens.length - 1;
  for (; at >= 0; at--) {
    const token = segment.tokens[at];
    if (token?.kind !== "char") break;
    text = String.fromCodePoint(token.code) + text;
  }
  return { text, is_all: at === 0 && segment.tokens[0]?.kind === "many" };
}

/** Collects anchors and builds the index. */
export class PathIndexBuilder {
  readonly #rooted = new AnchorTables();
  readonly #home = new AnchorTables();

  /** Adds a rule under one of its anchors. `whole_allowed` is false where the predicate must be checked in any case. */
  add(rule: CompiledRule, anchor: PathAnchor, options: { readonly whole_allowed: boolean }): void {
    const tables = anchor.home ? this.#home : this.#rooted;
    tables.add(anchor, { rule, whole: anchor.whole && options.whole_allowed });
  }

  /** The index, or `undefined` if nothing was added. */
  build(): PathIndex | undefined {
    const rooted = this.#rooted.build();
    const home = this.#home.build();
    return rooted === undefined && home === undefined ? undefined : new PathIndex(rooted, home);
  }
}

class AnchorTables {
  readonly #maps: Readonly<Record<AnchorKind, Map<string, Candidate[]>>> = {
    exact: new Map(),
    tree: new Map(),
    base: new Map(),
    segment: new Map(),
    extension: new Map(),
  };

  add(anchor: PathAnchor, candidate: Candidate): void {
    const map = this.#maps[anchor.kind];
    const known = map.get(anchor.text);
    if (known === undefined) map.set(anchor.text, [candidate]);
    else known.push(candidate);
  }

  build(): PathTables | undefined {
    const { exact, tree, base, segment, extension } = this.#maps;
    if (exact.size + tree.size + base.size + segment.size + extension.size === 0) return undefined;
    return {
      exact: tableOf(exact),
      tree: tableOf(tree),
      base: tableOf(base),
      segment: tableOf(segment),
      extension: tableOf(extension),
    };
  }
}

type Table = TextTable<readonly Candidate[]> | undefined;

function tableOf(map: Map<string, Candidate[]>): Table {
  if (map.size === 0) return undefined;
  for (const candidates of map.values()) candidates.sort((a, b) => b.rule.key - a.rule.key);
  return new TextTable<readonly Candidate[]>(map);
}

interface PathTables {
  readonly exact: Table;
  readonly tree: Table;
  readonly base: Table;
  readonly segment: Table;
  readonly extension: Table;
}

const NO_TABLES: PathTables = {
  exact: undefined,
  tree: undefined,
  base: undefined,
  segment: undefined,
  extension: undefined,
};

/** Rules by the paths that they name. Immutable. */
export class PathIndex {
  readonly #rooted: PathTables;
  readonly #home: PathTables;
  readonly #has_home: boolean;

  constructor(rooted: PathTables | undefined, home: PathTables | undefined) {
    this.#rooted = rooted ?? NO_TABLES;
    this.#home = home ?? NO_TABLES;
    this.#has_home = home !== undefined;
  }

  /** Offers every rule whose anchor the name has. `name` is normal, see `normalName`. */
  lookup(name: string, names: EventNames, selection: Selection): void {
    // Without a known home every home counts: rules that permit check the predicate again and then refuse.
    const end = this.#has_home ? homeEnd(name, names.home, true) : -1;
    this.#walk(name, end < 0 ? Infinity : end, selection);
  }

  /**
   * Walks the name once: every directory above it, every segment and the extension are looked up, from the root and, as
   * far as they lie below it, from the home directory, which ends at `end`.
   */
  #walk(name: string, end: number, selection: Selection): void {
    const { tree, segment } = this.#rooted;
    let prefix_hash = HASH_SEED;
    let home_hash = HASH_SEED;
    let segment_hash = HASH_SEED;
    let segment_from = 0;
    let extension_hash = HASH_SEED;
    let extension_from = -1;
    const length = name.length;
    for (let i = 0; i < length; i++) {
      const code = name.charCodeAt(i);
      if (code === SLASH) {
        if (i > segment_from) {
          if (segment !== undefined) offer(segment.find(segment_hash, name, segment_from, i), selection);
          if (segment_from > end) offer(this.#home.segment?.find(segment_hash, name, segment_from, i), selection);
        }
        if (tree !== undefined) offer(tree.find(prefix_hash, name, 0, i), selection);
        if (i >= end) offer(this.#home.tree?.find(home_hash, name, end, i), selection);
        segment_hash = HASH_SEED;
        segment_from = i + 1;
        extension_from = -1;
      } else {
        segment_hash = hashStep(segment_hash, code);
        if (code === DOT) {
          extension_from = i;
          extension_hash = HASH_SEED;
        }
        extension_hash = hashStep(extension_hash, code);
      }
      prefix_hash = hashStep(prefix_hash, code);
      if (i >= end) home_hash = hashStep(home_hash, code);
    }
    const { exact, base, extension } = this.#rooted;
    if (tree !== undefined) offer(tree.find(prefix_hash, name, 0, length), selection);
    if (exact !== undefined) offer(exact.find(prefix_hash, name, 0, length), selection);
    if (segment !== undefined) offer(segment.find(segment_hash, name, segment_from, length), selection);
    if (base !== undefined) offer(base.find(segment_hash, name, segment_from, length), selection);
    const has_extension = extension_from >= 0;
    if (has_extension) offer(extension?.find(extension_hash, name, extension_from, length), selection);
    if (end > length) return;
    const home = this.#home;
    offer(home.tree?.find(home_hash, name, end, length), selection);
    offer(home.exact?.find(home_hash, name, end, length), selection);
    // What the home directory itself is called does not lie below it.
    if (segment_from <= end) return;
    offer(home.segment?.find(segment_hash, name, segment_from, length), selection);
    offer(home.base?.find(segment_hash, name, segment_from, length), selection);
    if (has_extension) offer(home.extension?.find(extension_hash, name, extension_from, length), selection);
  }
}

function offer(candidates: readonly Candidate[] | undefined, selection: Selection): void {
  if (candidates !== undefined) selection.offer(candidates);
}
