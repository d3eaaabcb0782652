/**
 * Matching of globs. Greedy with one remembered star, so a match costs at most the product of the lengths of pattern
 * and text and never grows exponentially. Nothing is allocated.
 */
import type { GlobToken, PathGlob, Segment, TextGlob } from "./glob.ts";

const SLASH = 47;

/** True if any of the globs matches the whole text. */
export function matchTextGlobs(globs: readonly TextGlob[], text: string): boolean {
  for (let i = 0; i < globs.length; i++) {
    const glob = globs[i];
    if (glob !== undefined && matchTextGlob(glob, text)) return true;
  }
  return false;
}

/** True if the glob matches the whole text. */
export function matchTextGlob(glob: TextGlob, text: string): boolean {
  return glob.kind === "literal" ? glob.text === text : matchTokens(glob.tokens, text, 0, text.length);
}

/** True if the tokens match `text[from, to)`. */
function matchTokens(tokens: readonly GlobToken[], text: string, from: number, to: number): boolean {
  let at = from;
  let token = 0;
  let star_token = -1;
  let star_at = from;
  for (;;) {
    const current = tokens[token];
    if (current !== undefined && current.kind === "many") {
      star_token = ++token;
      star_at = at;
      continue;
    }
    if (at >= to) {
      if (current === undefined) return true;
      return false;
    }
    const code = text.codePointAt(at) ?? 0;
    if (current !== undefined && accepts(current, code)) {
      token++;
      at += code > 0xffff ? 2 : 1;
      continue;
    }
    if (star_token < 0) return false;
    // The last star takes one character more; earlier stars need never be tried again.
    const taken = text.codePointAt(star_at) ?? 0;
    star_at += taken > 0xffff ? 2 : 1;
    at = star_at;
    token = star_token;
  }
}

function accepts(token: GlobToken, code: number): boolean {
  switch (token.kind) {
    case "char":
      return token.code === code;
    case "one":
      return true;
    case "class":
      return inRanges(token.ranges, code) !== token.negated;
    case "many":
      return false;
  }
}

function inRanges(ranges: readonly (readonly [number, number])[], code: number): boolean {
  for (let i = 0; i < ranges.length; i++) {
    const range = ranges[i];
    if (range !== undefined && code >= range[0] && code <= range[1]) return true;
  }
  return false;
}

/**
 * True if the segments match `name` from offset `from`: "" or "/a/b" there for rooted globs (the offset is the end of
 * the root), "a/b" for a name without a leading slash.
 */
function matchSegments(segments: readonly Segment[], name: string, from: number): boolean {
  let at = name.charCodeAt(from) === SLASH ? from + 1 : from;
  const end = name.length;
  // "/" and "" have no segments; after the last segment `at` is one beyond the end.
  if (at >= end) at = end + 1;
  let segment = 0;
  let star_segment = -1;
  let star_at = at;
  for (;;) {
    const current = segments[segment];
    if (current !== undefined && current.kind === "deep") {
      star_segment = ++segment;
      star_at = at;
      if (star_segment === segments.length) return true;
      continue;
    }
    if (at > end) return current === undefined;
    if (current !== undefined) {
      const stop = segmentEnd(name, at);
      if (matchSegment(current, name, at, stop)) {
        segment++;
        at = stop + 1;
        continue;
      }
    }
    if (star_segment < 0) return false;
    star_at = segmentEnd(name, star_at) + 1;
    at = star_at;
    segment = star_segment;
  }
}

function segmentEnd(name: string, from: number): number {
  const slash = name.indexOf("/", from);
  return slash < 0 ? name.length : slash;
}

function matchSegment(segment: TextGlob, name: string, from: number, to: number): boolean {
  if (segment.kind === "literal") {
    return segment.text.length === to - from && name.startsWith(segment.text, from);
  }
  return matchTokens(segment.tokens, name, from, to);
}

/**
 * The home directory that `~` stands for: absolute, without a final slash; `undefined` if the session's is not usable.
 */
export function usableHome(home: string | undefined): string | undefined {
  if (home === undefined || home.charCodeAt(0) !== SLASH) return undefined;
  return home.endsWith("/") ? home.replace(/\/+$/, "") : home;
}

/**
 * The offset in `name` where the home directory ends, or -1 if the name is not in it. Without a known home, `any_home`
 * takes `/root` and every `/home/NAME` for one.
 */
export function homeEnd(name: string, home: string | undefined, any_home: boolean): number {
  // The root directory as home is "" here; its own name still has a slash.
  if (home === "") return name.charCodeAt(0) !== SLASH ? -1 : name.length === 1 ? 1 : 0;
  if (home !== undefined) return isBelow(name, home) ? home.length : -1;
  if (!any_home) return -1;
  if (isBelow(name, "/root")) return 5;
  if (!name.startsWith("/home/") || name.length === 6) return -1;
  return segmentEnd(name, 6);
}

/** True if `name` is the directory or below it; the directory has no final slash. */
export function isBelow(name: string, directory: string): boolean {
  if (!name.startsWith(directory)) return false;
  return name.length === directory.length || name.charCodeAt(directory.length) === SLASH;
}

/** How `~` is understood while matching one name. */
export interface HomeView {
  /** A usable home, see `usableHome`. */
  readonly home: string | undefined;
  /** What `~` means without one: any home (for what forbids) or none (for what permits). */
  readonly any_home: boolean;
}

/** True if the glob matches a normalised name. */
export function matchPathGlob(glob: PathGlob, name: string, view: HomeView): boolean {
  switch (glob.root) {
    case "absolute":
      return name.charCodeAt(0) === SLASH && matchSegments(glob.segments, name, 0);
    case "anywhere":
      return matchSegments(glob.segments, name, 0);
    case "abstract":
      return name.charCodeAt(0) !== SLASH && matchSegments(glob.segments, name, 0);
    case "home": {
      const end = homeEnd(name, view.home, view.any_home);
      return end >= 0 && matchSegments(glob.segments, name, end);
    }
  }
}
