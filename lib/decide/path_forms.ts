/** Path patterns in the forms that kernel programs compare: exact paths, base names, directories. */
import type { PathGlob, Segment } from "./glob.ts";
import { usableHome } from "./match.ts";
import { normalName } from "./names.ts";
import { exactPath, treeOf } from "./path_matcher.ts";

/** One pattern in a form that the kernel compares. `tree` is everything below a directory, and the directory. */
export interface PathForm {
  readonly kind: "path" | "name" | "tree";
  readonly text: string;
}

/** The home as paths in the kernel have it; `undefined` where it is not known or says nothing. */
export function kernelHome(home: string | undefined): string | undefined {
  return home === undefined ? undefined : usableHome(normalName(home));
}

/** The form of a glob; `undefined` where it has none. `home` is from `kernelHome`. */
export function pathForm(glob: PathGlob, home: string | undefined): PathForm | undefined {
  if (glob.root === "home") {
    if (home === undefined) return undefined;
    const below: readonly Segment[] = home.split("/").slice(1).map((text) => ({ kind: "literal", text }));
    return pathForm({ root: "absolute", segments: [...below, ...glob.segments] }, home);
  }
  const path = exactPath(glob);
  if (path !== undefined) return { kind: "path", text: path };
  const tree = treeOf(glob);
  if (tree !== undefined && tree !== "") return { kind: "tree", text: tree };
  const [first, second] = glob.segments;
  const is_name = glob.root === "anywhere" && glob.segments.length === 2 && first?.kind === "deep";
  return is_name && second?.kind === "literal" ? { kind: "name", text: second.text } : undefined;
}

/** The same for names of unix sockets: `@NAME`, without wildcards, is an exact name, too. */
export function socketForm(glob: PathGlob, home: string | undefined): PathForm | undefined {
  if (glob.root !== "abstract") return pathForm(glob, home);
  const texts: string[] = [];
  for (const segment of glob.segments) {
    if (segment.kind !== "literal") return undefined;
    texts.push(segment.text);
  }
  return { kind: "path", text: texts.join("/") };
}

/** The texts of each kind, each once. */
export function textsByKind(
  forms: readonly PathForm[],
): { readonly paths: readonly string[]; readonly names: readonly string[]; readonly trees: readonly string[] } {
  const texts = { path: new Set<string>(), name: new Set<string>(), tree: new Set<string>() };
  for (const { kind, text } of forms) texts[kind].add(text);
  return { paths: [...texts.path], names: [...texts.name], trees: [...texts.tree] };
}
