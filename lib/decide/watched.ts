/** What a policy's rules about reading need in a name, for what only wants to know whether any could be about it. */
import type { ActionType } from "../core/mod.ts";
import { reachableTypes } from "./actions.ts";
import type { PathGlob, Segment } from "./glob.ts";
import { matchTextGlob, usableHome } from "./match.ts";
import { normalName } from "./names.ts";
import { anchorsOf, type PathAnchor } from "./path_index.ts";
import type { NumberedRule } from "./reference.ts";
import type { PolicySnapshot } from "./snapshot.ts";

/** A text that every name has which a rule could refuse or ask about. */
export interface NeededText {
  /** `exact`: the whole name; `tree`: the directory or one above; the others as `PathAnchor`. */
  readonly kind: "exact" | "tree" | "base" | "component" | "extension";
  readonly text: string;
}

/** What enforcing rules and defaults need in the names of files that are read. */
export interface NeededNames {
  /** Why every name could be refused or asked about; absent where `texts` says which. */
  readonly all?: string;
  /** Some of `texts` may stand anywhere in a name. */
  readonly floating: boolean;
  readonly texts: readonly NeededText[];
}

/** The action that is meant. */
const READ: ActionType = "file.read";

/** Every name that is about to be read and has none of the texts is nobody's business. `home`: what `~` stands for. */
export function neededNames(snapshot: PolicySnapshot, home: string | undefined): NeededNames {
  const texts = new Map<string, NeededText>();
  const known_home = home === undefined ? undefined : usableHome(normalName(home));
  let floating = false;
  let all: string | undefined;
  for (const { name, globs } of refusing(snapshot)) {
    if (globs === undefined) all ??= name;
    for (const glob of globs ?? []) {
      if (glob.root === "abstract") continue; // no file
      const [anchor] = anchorsOf(glob);
      const needed = anchor === undefined ? undefined : neededText(anchor, known_home);
      if (needed === undefined) all ??= name;
      else {
        texts.set(`${needed.kind} ${needed.text}`, needed);
        floating ||= needed.kind !== "exact" && needed.kind !== "tree";
      }
    }
  }
  return { ...(all === undefined ? undefined : { all }), floating, texts: [...texts.values()] };
}

/**
 * The first rule or default that could be about reading something in `/proc`; `undefined` where none could. `names`:
 * all names that there are below it, beside numbers; `undefined`: they are too many. Asked only where it matters.
 */
export function speaksOfProc(
  snapshot: PolicySnapshot,
  names: () => ReadonlySet<string> | undefined,
): string | undefined {
  let known: readonly string[] | undefined;
  for (const { name, globs } of refusing(snapshot)) {
    if (globs === undefined) return name;
    for (const { root, segments } of globs) {
      if (root === "abstract" || root === "home") continue;
      const [first] = segments;
      if (root === "absolute" && (first === undefined || !isAmong(first, ["proc"]))) continue;
      if (root === "absolute" && first?.kind === "literal") return name;
      if (segments.some(beginsWithDot)) continue; // nothing in /proc does
      const found = known === undefined ? names() : undefined;
      if (known === undefined && found === undefined) return name;
      known ??= [...found ?? [], "proc", "1", "12", "123", "1234", "12345", "123456", "1234567"];
      const there = known;
      if (segments.every((segment) => isAmong(segment, there))) return name;
    }
  }
  return undefined;
}

function beginsWithDot(segment: Segment): boolean {
  if (segment.kind === "literal") return segment.text.startsWith(".");
  const first = segment.kind === "wild" ? segment.tokens[0] : undefined;
  return first?.kind === "char" && String.fromCodePoint(first.code) === ".";
}

function isAmong(segment: Segment, names: readonly string[]): boolean {
  return segment.kind === "deep" || names.some((name) => matchTextGlob(segment, name));
}

/** Enforcing rules and defaults that may refuse a read or ask about it, with their patterns; none: about every name. */
function refusing(
  { layers }: PolicySnapshot,
): readonly { readonly name: string; readonly globs: readonly PathGlob[] | undefined }[] {
  return layers.filter(({ file }) => file.mode === "enforce").flatMap(({ file, rules }) => {
    const verdict = file.defaults.get(READ);
    const found = rules.filter((rule) => refuses(rule)).map((rule) => ({ name: rule.name, globs: globsOf(rule) }));
    if (verdict !== "deny" && verdict !== "ask") return found;
    return [{ name: `the default of ${file.file}`, globs: undefined }, ...found];
  });
}

function refuses(rule: NumberedRule): boolean {
  const { mode, verdict } = rule.node;
  return mode === "enforce" && (verdict === "deny" || verdict === "ask") && reachableTypes(rule).includes(READ);
}

function globsOf({ node }: NumberedRule): readonly PathGlob[] | undefined {
  return node.predicates.path?.flatMap((pattern) => pattern.globs);
}

/** Only what lies at the beginning of a name depends on where the home is. */
function neededText({ home, kind, text }: PathAnchor, known_home: string | undefined): NeededText | undefined {
  if (kind === "segment") return { kind: "component", text };
  if (kind !== "exact" && kind !== "tree") return { kind, text };
  if (!home) return { kind, text };
  if (known_home === undefined) return undefined;
  // The root directory as home is empty here; its own name has a slash.
  return { kind, text: `${known_home}${text}` || (kind === "exact" ? "/" : "") };
}
