/** Paths, programs and arguments, as the reference interpreter compares them. */
import type { Event } from "../core/mod.ts";
import type { ArgvToken, PathPattern, ProgramPattern } from "./ast.ts";
import { type Names, requested, type Unsure } from "./reference_names.ts";
import { normal, pathHolds, type Side, textGlobHolds } from "./reference_patterns.ts";
import { argumentLists, isCut } from "./script_args.ts";

function namesHold(names: Names, side: Side, holds: (name: string) => boolean): boolean {
  const present = names.filter((name) => name !== undefined);
  if (side === "any") return present.some((name) => holds(typeof name === "string" ? name : name.relative));
  return present.length > 0 && present.every((name) => typeof name === "string" && holds(name));
}

/** True if the names match, as the side asks: any of them, or all. */
export function pathsHold(patterns: readonly PathPattern[], names: Names, event: Event, side: Side): boolean {
  return namesHold(names, side, (name) => patterns.some((pattern) => pathHolds(pattern.globs, name, event, side)));
}

/** True if what an exec starts is among the programs. */
export function programsHold(patterns: readonly ProgramPattern[], event: Event, side: Side): boolean {
  const { action } = event;
  if (action.type !== "exec" && action.type !== "exec.failed") return false;
  const names: (string | Unsure | undefined)[] = [requested(action.requested_path, event)];
  if (action.type === "exec") {
    names.push(normal(action.path));
    // What runs a script is a reason to forbid it, not to permit it.
    if (side === "any" && action.interpreter !== undefined) names.push(normal(action.interpreter));
  }
  return namesHold(names, side, (name) => programHolds(patterns, name, event, side));
}

/** True if one program is, by base name or by path. */
export function programHolds(patterns: readonly ProgramPattern[], name: string, event: Event, side: Side): boolean {
  const base = name.slice(name.lastIndexOf("/") + 1);
  return patterns.some((pattern) =>
    pattern.kind === "name"
      ? pattern.globs.some((glob) => textGlobHolds(glob, base))
      : pathHolds(pattern.globs, name, event, side)
  );
}

/** True if the arguments of an exec have one of the forms. */
export function argvHolds(patterns: readonly (readonly ArgvToken[])[], event: Event, side: Side): boolean {
  const { action } = event;
  if (action.type !== "exec") return false;
  // Nobody knows what a cut list goes on with: what permits must not rest on it.
  if (side === "all" && action.flags?.includes("args_truncated") === true) return false;
  const lists = argumentLists(action, side === "any");
  const cut = isCut(action);
  return lists.some((list) =>
    patterns.some((tokens) => sequenceHolds(tokens, cut ? list.slice(1, -1) : list.slice(1), cut))
  );
}

/** `cut`: what follows the arguments may be anything, and the list holds if it could. */
function sequenceHolds(tokens: readonly ArgvToken[], args: readonly string[], cut: boolean): boolean {
  const [token, ...rest] = tokens;
  if (cut && args.length === 0) return true;
  if (token === undefined) return args.length === 0;
  if (token.kind === "rest") {
    return Array.from({ length: args.length + 1 }, (_, skip) => skip).some((skip) =>
      sequenceHolds(rest, args.slice(skip), cut)
    );
  }
  const [arg, ...others] = args;
  if (arg === undefined) return false;
  return token.globs.some((glob) => textGlobHolds(glob, arg)) && sequenceHolds(rest, others, cut);
}
