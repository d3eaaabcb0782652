/** Globs: characters to lexemes, and braces to alternatives. Bounded in number, depth and size. */
import { err, ok, type Result } from "../core/mod.ts";

/** Why a pattern cannot be used, with what to write instead. */
export interface GlobError {
  readonly message: string;
  readonly suggestion?: string;
}

/** Alternatives that one pattern may expand to. */
const ALTERNATIVES_MAX = 64;
/** Braces within braces. */
const BRACE_DEPTH_MAX = 8;
/** Pairs of braces in one pattern, and characters in all its alternatives together: expansion stays cheap. */
const BRACE_GROUPS_MAX = 64;
const EXPANDED_MAX = 16_384;

/** A character or wildcard as written; `plain` if it was not escaped. */
export type Lexeme =
  | { readonly kind: "char"; readonly code: number; readonly plain: boolean }
  | { readonly kind: "one" }
  | { readonly kind: "stars"; readonly count: number }
  | { readonly kind: "class"; readonly negated: boolean; readonly ranges: readonly (readonly [number, number])[] }
  | { readonly kind: "open" | "close" | "comma" };

/** The alternatives of a pattern, each as characters and wildcards without braces. */
export function expandGlob(text: string): Result<readonly (readonly Lexeme[])[], GlobError> {
  if (text === "") return err({ message: "an empty pattern never matches" });
  const lexemes = lex(text);
  if (!lexemes.ok) return lexemes;
  if (!text.includes("{")) return ok([lexemes.value]);
  return new BraceExpander(lexemes.value).run();
}

const STAR = 42;
const COMMA = 44;
const QUESTION = 63;
const BRACKET = 91;
const BACKSLASH = 92;
const OPEN = 123;
const CLOSE = 125;

function lex(text: string): Result<readonly Lexeme[], GlobError> {
  const codes: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i) ?? 0;
    if (code > 0xffff) i++;
    codes.push(code);
  }
  const lexemes: Lexeme[] = [];
  let depth = 0;
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] ?? 0;
    if (code === BACKSLASH) {
      const next = codes[++i];
      if (next === undefined) {
        return err({ message: "a backslash at the end escapes nothing", suggestion: "double it" });
      }
      lexemes.push({ kind: "char", code: next, plain: false });
    } else if (code === STAR) {
      let count = 1;
      while (codes[i + 1] === code) {
        count++;
        i++;
      }
      lexemes.push({ kind: "stars", count });
    } else if (code === QUESTION) lexemes.push({ kind: "one" });
    else if (code === BRACKET) {
      const parsed = lexClass(codes, i);
      if (parsed === undefined) {
        return err({ message: "a [ without its ]", suggestion: "write \\\\[ for the character" });
      }
      lexemes.push(parsed.lexeme);
      i = parsed.end;
    } else if (code === OPEN) {
      depth++;
      lexemes.push({ kind: "open" });
    } else if (code === CLOSE && depth > 0) {
      depth--;
      lexemes.push({ kind: "close" });
    } else if (code === COMMA && depth > 0) lexemes.push({ kind: "comma" });
    else lexemes.push({ kind: "char", code, plain: true });
  }
  if (depth > 0) return err({ message: "a { without its }", suggestion: "write \\\\{ for the character" });
  return ok(lexemes);
}

/** A class beginning at `[`; a `]` right after the start stands for itself. */
function lexClass(
  codes: readonly number[],
  start: number,
): { readonly lexeme: Lexeme; readonly end: number } | undefined {
  const at = (i: number): string => i < codes.length ? String.fromCodePoint(codes[i] ?? 0) : "";
  let i = start + 1;
  const negated = at(i) === "!" || at(i) === "^";
  if (negated) i++;
  const ranges: (readonly [number, number])[] = [];
  for (let first = true; i < codes.length; first = false) {
    if (at(i) === "]" && !first) return { lexeme: { kind: "class", negated, ranges }, end: i };
    if (at(i) === "\\") i++;
    const from = codes[i];
    if (from === undefined) return undefined;
    i++;
    if (at(i) !== "-" || at(i + 1) === "]" || i + 1 >= codes.length) {
      ranges.push([from, from]);
      continue;
    }
    i++;
    if (at(i) === "\\") i++;
    const to = codes[i];
    if (to === undefined) return undefined;
    i++;
    ranges.push([from, to]);
  }
  return undefined;
}

/** Turns `a{b,c}d` into `abd` and `acd`, bounded in number and depth. */
class BraceExpander {
  readonly #lexemes: readonly Lexeme[];
  #at = 0;
  #groups = 0;
  #exceeded: string | undefined;

  constructor(lexemes: readonly Lexeme[]) {
    this.#lexemes = lexemes;
  }

  run(): Result<readonly (readonly Lexeme[])[], GlobError> {
    const alternatives = this.#sequence(0);
    if (this.#exceeded !== undefined) return err({ message: this.#exceeded, suggestion: "use several patterns" });
    return ok(alternatives);
  }

  /** The alternatives of everything up to the end, or to the comma or brace that ends this part. */
  #sequence(depth: number): readonly (readonly Lexeme[])[] {
    let done: readonly (readonly Lexeme[])[] = [[]];
    let run: Lexeme[] = [];
    const flush = (): void => {
      if (run.length > 0) done = done.map((before) => [...before, ...run]);
      run = [];
    };
    while (this.#at < this.#lexemes.length && this.#exceeded === undefined) {
      const lexeme = this.#lexemes[this.#at];
      if (lexeme === undefined || (depth > 0 && (lexeme.kind === "comma" || lexeme.kind === "close"))) break;
      this.#at++;
      if (lexeme.kind !== "open") {
        run.push(lexeme);
        continue;
      }
      flush();
      const choices = this.#group(depth + 1);
      if (!this.#fits(done, choices)) break;
      done = done.flatMap((before) => choices.map((choice) => [...before, ...choice]));
    }
    flush();
    return done;
  }

  #fits(before: readonly (readonly Lexeme[])[], choices: readonly (readonly Lexeme[])[]): boolean {
    const longest = (list: readonly (readonly Lexeme[])[]): number => list.reduce((n, l) => Math.max(n, l.length), 0);
    const count = before.length * choices.length;
    if (count > ALTERNATIVES_MAX || count * (longest(before) + longest(choices)) > EXPANDED_MAX) {
      this.#exceeded = `the braces of a pattern stand for too much (${ALTERNATIVES_MAX} alternatives at most)`;
    }
    return this.#exceeded === undefined;
  }

  #group(depth: number): readonly (readonly Lexeme[])[] {
    if (depth > BRACE_DEPTH_MAX) this.#exceeded = `braces nest deeper than ${BRACE_DEPTH_MAX}`;
    if (++this.#groups > BRACE_GROUPS_MAX) {
      this.#exceeded = `a pattern has more than ${BRACE_GROUPS_MAX} pairs of braces`;
    }
    const choices: (readonly Lexeme[])[] = [];
    while (this.#exceeded === undefined) {
      choices.push(...this.#sequence(depth));
      if (choices.length > ALTERNATIVES_MAX) {
        this.#exceeded = `a pair of braces has more than ${ALTERNATIVES_MAX} alternatives`;
      }
      const end = this.#lexemes[this.#at++];
      if (end === undefined || end.kind === "close") break;
    }
    return choices;
  }
}
