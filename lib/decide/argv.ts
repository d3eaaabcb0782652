/** Argument patterns, compiled: tokens in order, `...` for any number of arguments. */
import type { ArgvPattern } from "./ast.ts";
import { TextMatcher } from "./path_matcher.ts";
import { argumentLists, isCut } from "./script_args.ts";
import type { Check } from "./selection.ts";

/** One token: a set of texts, or `undefined` for any number of arguments. */
type Token = TextMatcher | undefined;

/**
 * Compiles to a check on `argv[1..]`. What permits (`one_name` false) does not rest on an argument list that was cut,
 * nor on one that runs code which nobody could follow, unless the rule asks for that (`any_code`).
 */
export function compileArgv(
  patterns: readonly ArgvPattern[],
  one_name: boolean,
  { any_code }: { readonly any_code: boolean },
): Check {
  const sequences = patterns.map(({ tokens }) =>
    tokens.map((token): Token => token.kind === "rest" ? undefined : new TextMatcher([token]))
  );
  return (names) => {
    const { action } = names.event;
    if (action.type !== "exec") return false;
    if (!one_name && action.flags?.includes("args_truncated") === true) return false;
    if (!one_name && !any_code && names.opaque()) return false;
    const cut = isCut(action);
    if (action.interpreter === undefined) return anyMatches(sequences, action.argv, cut);
    return argumentLists(action, one_name).some((list) => anyMatches(sequences, list, cut));
  };
}

function anyMatches(sequences: readonly (readonly Token[])[], argv: readonly string[], cut: boolean): boolean {
  for (let i = 0; i < sequences.length; i++) {
    const sequence = sequences[i];
    if (sequence !== undefined && matchSequence(sequence, argv, cut)) return true;
  }
  return false;
}

/**
 * Greedy with one remembered `...`: at most tokens times arguments steps. Of a list that was `cut` the last argument
 * and whatever followed may be anything: it matches if it could.
 */
export function matchSequence(tokens: readonly Token[], argv: readonly string[], cut = false): boolean {
  const end = cut ? Math.max(1, argv.length - 1) : argv.length;
  let at = 1;
  let token = 0;
  let rest_token = -1;
  let rest_at = 1;
  for (;;) {
    if (token < tokens.length && tokens[token] === undefined) {
      rest_token = ++token;
      rest_at = at;
      if (rest_token === tokens.length) return true;
      continue;
    }
    // Not `>=`: whatever stands where a list should be, this ends.
    if (!(at < end)) return cut || token === tokens.length;
    if (tokens[token]?.matches(argv[at] ?? "") === true) {
      token++;
      at++;
      continue;
    }
    if (rest_token < 0) return false;
    at = ++rest_at;
    token = rest_token;
  }
}
