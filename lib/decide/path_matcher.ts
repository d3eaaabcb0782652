/** Compiled sets of path, program and text patterns. */
import type { PathPattern, ProgramPattern, TextPattern } from "./ast.ts";
import type { PathGlob, TextGlob } from "./glob.ts";
import { homeEnd, isBelow, matchPathGlob, matchTextGlob } from "./match.ts";
import type { EventNames } from "./names.ts";

/** Tells whether a name is in the set. `any_home`: what `~` means where the home is unknown. */
type NameTest = (name: string, names: EventNames) => boolean;

/** A set of paths: exact ones in a hash set, the rest one after the other. */
export class PathMatcher {
  readonly #exact: ReadonlySet<string>;
  readonly #tests: readonly NameTest[];

  constructor(patterns: readonly PathPattern[], any_home: boolean) {
    const exact = new Set<string>();
    const tests: NameTest[] = [];
    for (const glob of patterns.flatMap((pattern) => pattern.globs)) {
      const literal = exactPath(glob);
      if (literal !== undefined) exact.add(literal);
      else tests.push(compilePathGlob(glob, any_home));
    }
    this.#exact = exact;
    this.#tests = tests;
  }

  /** True if any of the patterns matches the normal name. */
  matches(name: string, names: EventNames): boolean {
    if (this.#exact.size > 0 && this.#exact.has(name)) return true;
    const tests = this.#tests;
    for (let i = 0; i < tests.length; i++) if (tests[i]?.(name, names) === true) return true;
    return false;
  }
}

/** The one absolute path that a glob without wildcards stands for. */
export function exactPath({ root, segments }: PathGlob): string | undefined {
  if (root !== "absolute") return undefined;
  let path = "";
  for (const segment of segments) {
    if (segment.kind !== "literal") return undefined;
    path += `/${segment.text}`;
  }
  return path === "" ? "/" : path;
}

/**
 * The directory of a glob of the form `DIRECTORY/**` without other wildcards, relative to its root and without a final
 * slash.
 */
export function treeOf({ root, segments }: PathGlob): string | undefined {
  if (root !== "absolute" && root !== "home") return undefined;
  if (segments.at(-1)?.kind !== "deep") return undefined;
  let path = "";
  for (const segment of segments.slice(0, -1)) {
    if (segment.kind !== "literal") return undefined;
    path += `/${segment.text}`;
  }
  return path;
}

function compilePathGlob(glob: PathGlob, any_home: boolean): NameTest {
  const tree = treeOf(glob);
  if (tree !== undefined && glob.root === "absolute") {
    return tree === "" ? (name) => name.startsWith("/") : (name) => isBelow(name, tree);
  }
  if (tree !== undefined) {
    return (name, names) => {
      const end = homeEnd(name, names.home, any_home);
      if (end < 0 || !name.startsWith(tree, end)) return false;
      const stop = end + tree.length;
      return name.length === stop || name.startsWith("/", stop);
    };
  }
  if (glob.root === "home") return (name, names) => matchPathGlob(glob, name, { home: names.home, any_home });
  const nowhere = { home: undefined, any_home: false };
  return (name) => matchPathGlob(glob, name, nowhere);
}

/** A set of programs, by base name or by path. */
export class ProgramMatcher {
  readonly #names: TextMatcher | undefined;
  readonly #paths: PathMatcher | undefined;

  constructor(patterns: readonly ProgramPattern[], any_home: boolean) {
    const names = patterns.filter((pattern) => pattern.kind === "name");
    const paths = patterns.filter((pattern) => pattern.kind === "path");
    this.#names = names.length > 0 ? new TextMatcher(names) : undefined;
    this.#paths = paths.length > 0 ? new PathMatcher(paths, any_home) : undefined;
  }

  /** True if any of the patterns matches the normal name. */
  matches(name: string, names: EventNames): boolean {
    if (this.#names?.matches(name.slice(name.lastIndexOf("/") + 1)) === true) return true;
    return this.#paths?.matches(name, names) === true;
  }
}

/** A set of texts: exact ones in a hash set, the rest one after the other. */
export class TextMatcher {
  readonly #exact: ReadonlySet<string>;
  readonly #wild: readonly TextGlob[];

  constructor(patterns: readonly Pick<TextPattern, "globs">[]) {
    const exact = new Set<string>();
    const wild: TextGlob[] = [];
    for (const glob of patterns.flatMap((pattern) => pattern.globs)) {
      if (glob.kind === "literal") exact.add(glob.text);
      else wild.push(glob);
    }
    this.#exact = exact;
    this.#wild = wild;
  }

  /** True if any of the patterns matches the whole text. */
  matches(text: string): boolean {
    if (this.#exact.size > 0 && this.#exact.has(text)) return true;
    const wild = this.#wild;
    for (let i = 0; i < wild.length; i++) {
      const glob = wild[i];
      if (glob !== undefined && matchTextGlob(glob, text)) return true;
    }
    return false;
  }
}
