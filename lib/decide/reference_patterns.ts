/** Patterns for the reference interpreter: plain recursion over arrays, no tricks. */
import type { Event } from "../core/mod.ts";
import type { GlobToken, PathGlob, Segment, TextGlob } from "./glob.ts";

/**
 * What a match must be sure of. `any`: one of several names is enough and an unknown home is every home; for what
 * forbids. `all`: every name must match; for what permits.
 */
export type Side = "any" | "all";

/** Without `.`, `..`, double and final slashes; a name that does not begin with a slash is left as it is. */
export function normal(name: string): string {
  if (!name.startsWith("/")) return name;
  const parts: string[] = [];
  for (const part of name.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** True if any of the globs matches the normal name. */
export function pathHolds(globs: readonly PathGlob[], name: string, event: Event, side: Side): boolean {
  return globs.some((glob) => roots(glob, name, event, side).some((rest) => segmentsHold(glob.segments, rest)));
}

/** The segments below each root from which the glob may match the name. */
function roots(glob: PathGlob, name: string, event: Event, side: Side): readonly (readonly string[])[] {
  const rooted = name.startsWith("/");
  const parts = rooted ? partsOf(name) : name === "" ? [] : name.split("/");
  if (glob.root === "anywhere") return [parts];
  if (glob.root === "abstract") return rooted ? [] : [parts];
  if (!rooted) return [];
  if (glob.root === "absolute") return [parts];
  const home = event.session?.home;
  if (home !== undefined && home.startsWith("/")) {
    const below = partsOf(normal(home));
    return below.every((part, i) => part === parts[i]) ? [parts.slice(below.length)] : [];
  }
  if (side === "all") return [];
  if (parts[0] === "root") return [parts.slice(1)];
  return parts[0] === "home" && parts.length > 1 ? [parts.slice(2)] : [];
}

function partsOf(path: string): readonly string[] {
  return path.split("/").filter((part) => part !== "");
}

function segmentsHold(segments: readonly Segment[], parts: readonly string[]): boolean {
  const [segment, ...rest] = segments;
  if (segment === undefined) return parts.length === 0;
  if (segment.kind === "deep") {
    return segmentsHold(rest, parts) || (parts.length > 0 && segmentsHold(segments, parts.slice(1)));
  }
  const [part, ...others] = parts;
  return part !== undefined && textGlobHolds(segment, part) && segmentsHold(rest, others);
}

/** True if the glob matches the whole text. */
export function textGlobHolds(glob: TextGlob, text: string): boolean {
  if (glob.kind === "literal") return glob.text === text;
  return tokensHold(glob.tokens, Array.from(text, (character) => character.codePointAt(0) ?? 0));
}

function tokensHold(tokens: readonly GlobToken[], codes: readonly number[]): boolean {
  const [token, ...rest] = tokens;
  if (token === undefined) return codes.length === 0;
  if (token.kind === "many") return tokensHold(rest, codes) || (codes.length > 0 && tokensHold(tokens, codes.slice(1)));
  const [code, ...others] = codes;
  if (code === undefined) return false;
  const accepted = token.kind === "one" || (token.kind === "char" && token.code === code) ||
    (token.kind === "class" && token.ranges.some(([from, to]) => code >= from && code <= to) !== token.negated);
  return accepted && tokensHold(rest, others);
}
