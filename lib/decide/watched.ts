/** What a policy's rules about files need in a name, for what only wants to know whether any could be about it. */
import type { ActionType, Verdict } from "../core/mod.ts";
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
  /** What the rules are about that need it. */
  readonly actions: readonly ActionType[];
}

/** What enforcing rules and defaults need in the names of files. */
export interface NeededNames {
  /** Actions that could be refused or asked about whatever the name; `texts` says of the others which. */
  readonly all: readonly ActionType[];
  /** Some of `texts` may stand anywhere in a name. */
  readonly floating: boolean;
  readonly texts: readonly NeededText[];
}

/**
 * Every name that has none of the texts which count for an action is nobody's business when that is done to it. For
 * `actions` about files; `home`: what `~` stands for.
 */
export function neededNames(
  snapshot: PolicySnapshot,
  home: string | undefined,
  actions: readonly ActionType[],
): NeededNames {
  const texts = new Map<string, NonNullable<Needed> & { readonly actions: Set<ActionType> }>();
  const known_home = home === undefined ? undefined : usableHome(normalName(home));
  const all = new Set<ActionType>();
  for (const { globs, about } of refusing(snapshot, actions)) {
    for (const needed of globs === undefined ? [undefined] : globs.flatMap((glob) => neededOf(glob, known_home))) {
      if (needed === undefined) {
        for (const action of about) all.add(action);
        continue;
      }
      const key = `${needed.kind} ${needed.text}`;
      const known = texts.get(key) ?? { ...needed, actions: new Set() };
      texts.set(key, known);
      for (const action of about) known.actions.add(action);
    }
  }
  const found = [...texts.values()].map((text) => ({ ...text, actions: [...text.actions] }));
  const floating = found.some(({ kind }) => kind !== "exact" && kind !== "tree");
  return { all: [...all], floating, texts: found };
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
  for (const { name, globs } of refusing(snapshot, ["file.read"])) {
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

/** A rule or default that may refuse or ask. */
interface Refusing {
  readonly name: string;
  /** Which of the actions that are meant. */
  readonly about: readonly ActionType[];
  /** None: every name. */
  readonly globs: readonly PathGlob[] | undefined;
}

/** Enforcing rules and defaults that may refuse one of these actions or ask about it. */
function refusing({ layers }: PolicySnapshot, actions: readonly ActionType[]): readonly Refusing[] {
  return layers.filter(({ file }) => file.mode === "enforce").flatMap(({ file, rules }) => {
    const found: Refusing[] = [];
    const closed = actions.filter((action) => refuses(file.defaults.get(action)));
    if (closed.length > 0) found.push({ name: `the default of ${file.file}`, about: closed, globs: undefined });
    for (const rule of rules) {
      const { mode, verdict } = rule.node;
      if (mode !== "enforce" || !refuses(verdict)) continue;
      const types = reachableTypes(rule);
      const about = actions.filter((action) => types.includes(action));
      if (about.length > 0) found.push({ name: rule.name, about, globs: globsOf(rule) });
    }
    return found;
  });
}

/** True where what is meant does not simply go on. */
export function refuses(verdict: Verdict | undefined): boolean {
  return verdict === "deny" || verdict === "ask";
}

function globsOf({ node }: NumberedRule): readonly PathGlob[] | undefined {
  return node.predicates.path?.flatMap((pattern) => pattern.globs);
}

/** A text without what it counts for; `undefined`: every name is meant. */
export type Needed = Omit<NeededText, "actions"> | undefined;

/** What every name has that the glob matches; none where it matches no file. `known_home`: see `usableHome`. */
export function neededOf(glob: PathGlob, known_home: string | undefined): readonly Needed[] {
  if (glob.root === "abstract") return []; // no file
  const [anchor] = anchorsOf(glob);
  return [anchor === undefined ? undefined : neededText(anchor, known_home)];
}

/** Only what lies at the beginning of a name depends on where the home is. */
function neededText({ home, kind, text }: PathAnchor, known_home: string | undefined): Needed {
  if (kind === "segment") return { kind: "component", text };
  if (kind !== "exact" && kind !== "tree") return { kind, text };
  if (!home) return { kind, text };
  if (known_home === undefined) return undefined;
  // The root directory as home is empty here; its own name has a slash.
  return { kind, text: `${known_home}${text}` || (kind === "exact" ? "/" : "") };
}
