/** What a policy's rules about program starts need in the names of a start, as `neededNames` does for files. */
import { reachableTypes } from "./actions.ts";
import type { ProgramPattern } from "./ast.ts";
import type { PathGlob } from "./glob.ts";
import { marksSetBy } from "./marks.ts";
import { matchTextGlobs, usableHome } from "./match.ts";
import { normalName } from "./names.ts";
import type { NumberedRule } from "./reference.ts";
import { BUILTINS, WRAPPERS } from "./shell_wrappers.ts";
import type { PolicySnapshot } from "./snapshot.ts";
import { type Needed, neededOf, type NeededText, refuses } from "./watched.ts";

/** A text that one of the names has which a rule could be about. */
export type ProgramText = Omit<NeededText, "actions">;

/** What enforcing rules and defaults need in the names of a program, and rules that others ask the past about. */
export interface NeededStarts {
  /** Every start may concern a rule. */
  readonly all: boolean;
  /**
   * A rule may be about what a shell does by itself, so every start of a program that starts others is somebody's.
   * `texts` has their names, without the versions at their ends.
   */
  readonly wrappers: boolean;
  readonly texts: readonly ProgramText[];
}

/** It has others started outside of the session: what it is given is looked at for its arguments. */
const ELSEWHERE: ProgramText = { kind: "base", text: "systemd-run" };

/**
 * A held start is nobody's business where none of its names (the program's, what it was asked for as, the image that
 * runs a script) has one of the texts, and it is no dynamic loader: what that runs has no start of its own.
 * `home`: what `~` stands for.
 */
export function neededStarts(snapshot: PolicySnapshot, home: string | undefined): NeededStarts {
  const known_home = home === undefined ? undefined : usableHome(normalName(home));
  const texts = new Map<string, ProgramText>();
  const add = (text: ProgramText): unknown => texts.set(`${text.kind} ${text.text}`, text);
  let [all, wrappers] = [false, false];
  for (const { file, rules } of snapshot.layers) {
    if (file.mode === "disabled") continue;
    const enforces = file.mode === "enforce";
    all ||= enforces && refuses(file.defaults.get("exec"));
    for (const rule of rules) {
      const { mode, verdict, predicates } = rule.node;
      const stops = enforces && mode === "enforce" && refuses(verdict);
      if (!(stops || leavesSomething(rule, snapshot)) || !reachableTypes(rule).includes("exec")) continue;
      const needed = programTexts(rule, known_home);
      if (needed === undefined) all = true;
      else for (const text of needed) add(text);
      if (!stops || predicates.argv === undefined) continue;
      add(ELSEWHERE);
      wrappers ||= mayMeanBuiltin(rule);
    }
  }
  if (wrappers) { for (const text of WRAPPERS.keys()) add({ kind: "base", text }); }
  return { all, wrappers, texts: [...texts.values()] };
}

/** Who decides must be told of what others ask about later. */
function leavesSomething({ node }: NumberedRule, { marks }: PolicySnapshot): boolean {
  return node.predicates.rate !== undefined || marksSetBy(node).some((mark) => marks.has(mark));
}

/** The texts of which every start has one that the rule could be about; `undefined`: it could be about any. */
function programTexts({ node }: NumberedRule, known_home: string | undefined): readonly ProgramText[] | undefined {
  const { exe, path } = node.predicates;
  for (const globs of [exe?.flatMap(globsOf), path?.flatMap((pattern) => pattern.globs)]) {
    const needed = globs?.flatMap((glob) => neededOf(glob, known_home));
    if (needed !== undefined && needed.every(isText)) return needed;
  }
  return undefined;
}

function isText(needed: Needed): needed is ProgramText {
  return needed !== undefined;
}

/** A base name may stand at the end of any name. */
function globsOf(pattern: ProgramPattern): readonly PathGlob[] {
  if (pattern.kind === "path") return pattern.globs;
  return pattern.globs.map((glob) => ({ root: "anywhere", segments: [{ kind: "deep" }, glob] }));
}

/** True if the rule could be about a command that has no program: such a command has a name without a slash. */
function mayMeanBuiltin({ node }: NumberedRule): boolean {
  const { exe, path } = node.predicates;
  if (path?.every((pattern) => pattern.globs.every(({ root }) => root === "absolute" || root === "home"))) return false;
  return exe === undefined ||
    exe.some((pattern) =>
      pattern.kind === "path"
        ? pattern.globs.some(({ root }) => root === "anywhere" || root === "abstract")
        : [...BUILTINS].some((name) => matchTextGlobs(pattern.globs, name))
    );
}
