/**
 * Globs: text to a small syntax tree. `*` any run within a segment, `?` one character, `[a-z]` and `[!a-z]` classes,
 * `{a,b}` alternatives (may nest), `\x` the character itself; in paths `**` alone between slashes is any number of
 * segments (also none: `/a/**` covers `/a` itself), and `~` at the start is the session user's home.
 */
import { err, ok, type Result } from "../core/mod.ts";
import { expandGlob, type GlobError, type Lexeme } from "./glob_lexer.ts";

/** One step of a glob within a segment or a text. Characters are Unicode code points. */
export type GlobToken =
  | { readonly kind: "char"; readonly code: number }
  | { readonly kind: "one" }
  | { readonly kind: "many" }
  | { readonly kind: "class"; readonly negated: boolean; readonly ranges: readonly (readonly [number, number])[] };

/** A glob over a text without segments: equal to `literal`, or matching `tokens`. */
export type TextGlob =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "wild"; readonly tokens: readonly GlobToken[] };

/** One segment of a path glob; `deep` is `**`. */
export type Segment = TextGlob | { readonly kind: "deep" };

/**
 * Where a path glob begins: at `/`, at the home directory, anywhere (`**`), or at a name without a slash (`@abstract`).
 */
export type PathRoot = "absolute" | "home" | "anywhere" | "abstract";

/** A path glob without alternatives. `segments` excludes the root. */
export interface PathGlob {
  readonly root: PathRoot;
  readonly segments: readonly Segment[];
}

const SLASH = 47;
const TILDE = 126;
const AT = 64;

/** What makes a text more than itself. Most patterns have none of it, or only a `**` at one end. */
const SPECIAL = /[*?[\]{}\\~]/;

/** Reads a glob over a plain text; two or more `*` in a row mean the same as one. */
export function parseTextGlob(text: string): Result<readonly TextGlob[], GlobError> {
  if (text !== "" && !SPECIAL.test(text)) return ok([{ kind: "literal", text }]);
  const expanded = expandGlob(text);
  if (!expanded.ok) return expanded;
  return ok(expanded.value.map((lexemes) => toTextGlob(lexemes)));
}

/** Reads a glob over paths. */
export function parsePathGlob(text: string): Result<readonly PathGlob[], GlobError> {
  const plain = plainPathGlob(text);
  if (plain !== undefined) return ok([plain]);
  const expanded = expandGlob(text);
  if (!expanded.ok) return expanded;
  const globs: PathGlob[] = [];
  for (const lexemes of expanded.value) {
    const glob = toPathGlob(lexemes, text);
    if (!glob.ok) return glob;
    globs.push(glob.value);
  }
  return ok(globs);
}

/**
 * The glob of the commonest forms (literal segments below the root, a home or any directory, with or without a deep
 * end), without the way through lexemes; `undefined` for all others, and for everything that is an error.
 */
function plainPathGlob(text: string): PathGlob | undefined {
  const home = text.startsWith("~/");
  const anywhere = text.startsWith("**/");
  const deep = text.endsWith("/**");
  const start = home ? 2 : anywhere ? 3 : 1;
  const end = deep ? text.length - 3 : text.length;
  if (!(home || anywhere || text.startsWith("/")) || start >= end) return undefined;
  const middle = text.slice(start, end);
  if (SPECIAL.test(middle)) return undefined;
  const segments: Segment[] = anywhere ? [{ kind: "deep" }] : [];
  for (const part of middle.split("/")) {
    if (part === "" || part === "." || part === "..") return undefined;
    segments.push({ kind: "literal", text: part });
  }
  if (deep) segments.push({ kind: "deep" });
  return { root: home ? "home" : anywhere ? "anywhere" : "absolute", segments };
}

function toTextGlob(lexemes: readonly Lexeme[]): TextGlob {
  const tokens: GlobToken[] = [];
  let literal = "";
  let is_literal = true;
  for (const lexeme of lexemes) {
    if (lexeme.kind === "char") {
      tokens.push({ kind: "char", code: lexeme.code });
      literal += String.fromCodePoint(lexeme.code);
    } else if (lexeme.kind === "one" || lexeme.kind === "class") {
      tokens.push(lexeme);
      is_literal = false;
    } else if (lexeme.kind === "stars") {
      tokens.push({ kind: "many" });
      is_literal = false;
    }
  }
  return is_literal ? { kind: "literal", text: literal } : { kind: "wild", tokens };
}

function toPathGlob(lexemes: readonly Lexeme[], text: string): Result<PathGlob, GlobError> {
  const parts: Lexeme[][] = [[]];
  for (const lexeme of lexemes) {
    if (lexeme.kind === "char" && lexeme.code === SLASH) parts.push([]);
    else parts.at(-1)?.push(lexeme);
  }
  const [first = []] = parts;
  const root = rootOf(first, parts.length);
  if (root === undefined) {
    return err({
      message: `a relative pattern never matches: ${JSON.stringify(text)}`,
      suggestion: `write ${JSON.stringify(`**/${text}`)} for any directory, or begin with / or ~`,
    });
  }
  const written = root === "absolute" || root === "home" ? parts.slice(1) : parts;
  // "/" alone is the root directory: no segments.
  const is_root = root === "absolute" && written.length === 1 && written[0]?.length === 0;
  const segments: Segment[] = [];
  for (const part of is_root ? [] : written) {
    const segment = toSegment(part);
    if (!segment.ok) return segment;
    // Two `**` in a row say no more than one.
    if (segment.value.kind !== "deep" || segments.at(-1)?.kind !== "deep") segments.push(segment.value);
  }
  return ok({ root, segments });
}

function rootOf(first: readonly Lexeme[], parts: number): PathRoot | undefined {
  const [lexeme] = first;
  if (lexeme === undefined) return parts > 1 ? "absolute" : undefined;
  if (first.length === 1 && lexeme.kind === "char" && lexeme.plain && lexeme.code === TILDE) return "home";
  if (first.length === 1 && lexeme.kind === "stars" && lexeme.count === 2) return "anywhere";
  if (lexeme.kind === "char" && lexeme.code === AT) return "abstract";
  return undefined;
}

function toSegment(part: readonly Lexeme[]): Result<Segment, GlobError> {
  if (part.length === 0) {
    return err({
      message: "an empty segment never matches: paths are compared without double or final slashes",
      suggestion: "end with /** to mean a directory and everything below it",
    });
  }
  const [only] = part;
  if (part.length === 1 && only?.kind === "stars" && only.count === 2) return ok({ kind: "deep" });
  if (part.some((lexeme) => lexeme.kind === "stars" && lexeme.count > 1)) {
    return err({ message: "** must stand alone between slashes", suggestion: "write **/*.ext, or * within a name" });
  }
  const segment = toTextGlob(part);
  if (segment.kind === "literal" && (segment.text === "." || segment.text === "..")) {
    return err({
      message: `the segment ${segment.text} never matches: paths are compared without . and ..`,
      suggestion: "write the path itself",
    });
  }
  return ok(segment);
}
