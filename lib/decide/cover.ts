/** Which predicates surely hold wherever others hold, and keys to find such pairs without comparing all with all. */
import type { PathPattern, PredicateName, Predicates, ProgramPattern } from "./ast.ts";
import { predicateNames } from "./actions.ts";
import { matchPathGlob } from "./match.ts";
import { byteMask, cidrCovers } from "./net.ts";
import { anchorsOf } from "./path_index.ts";
import { exactPath, treeOf } from "./path_matcher.ts";

/**
 * Keys under which a set of predicates is found as one that may cover others: at least one of them is among the
 * `narrowKeys` of every set that it covers. They come from its first path, program or network, else from its first
 * predicate.
 */
export function wideKeys(wide: Predicates): readonly string[] {
  const patterns = wide.path ?? wide.exe;
  if (patterns !== undefined) return [...new Set(patterns.flatMap((pattern) => widePatternKeys(pattern)))];
  if (wide.address !== undefined) return wide.address.map(({ bytes, prefix_bits }) => networkKey(bytes, prefix_bits));
  return [`has ${predicateNames(wide)[0] ?? "nothing"}`];
}

function widePatternKeys(pattern: PathPattern | ProgramPattern): readonly string[] {
  const keys = [`text ${pattern.text}`];
  for (const glob of pattern.globs) {
    // A pattern below a home covers only its equals: nobody knows where homes are.
    if (!("root" in glob) || glob.root === "home" || exactPath(glob) !== undefined) continue;
    const [anchor] = anchorsOf(glob);
    const is_segment = anchor?.kind === "base" || anchor?.kind === "segment";
    keys.push(anchor === undefined ? "any path" : `${is_segment ? "segment" : anchor.kind} ${anchor.text}`);
  }
  return keys;
}

/** See `wideKeys`. `prefixes` are the lengths of networks among the sets that may cover. */
export function narrowKeys(narrow: Predicates, prefixes: readonly number[]): readonly string[] {
  const keys = new Set<string>(["has nothing"]);
  for (const name of predicateNames(narrow)) keys.add(`has ${name}`);
  for (const pattern of [narrow.path?.[0], narrow.exe?.[0]]) {
    if (pattern === undefined) continue;
    keys.add(`text ${pattern.text}`);
    const path = fixedPath(pattern);
    if (path !== undefined) addPathKeys(path, keys);
  }
  const network = narrow.address?.[0];
  if (network !== undefined) {
    for (const bits of prefixes) if (bits <= network.prefix_bits) keys.add(networkKey(network.bytes, bits));
  }
  return [...keys];
}

/** The path or directory of a pattern whose first alternative has no wildcard before its end. */
function fixedPath(pattern: PathPattern | ProgramPattern): string | undefined {
  const [glob] = pattern.globs;
  if (glob === undefined || !("root" in glob) || glob.root !== "absolute") return undefined;
  return exactPath(glob) ?? treeOf(glob);
}

function addPathKeys(path: string, keys: Set<string>): void {
  keys.add("any path");
  let tree = "";
  for (const segment of path.split("/").slice(1)) {
    tree += `/${segment}`;
    keys.add(`tree ${tree}`).add(`segment ${segment}`);
  }
  const dot = path.lastIndexOf(".");
  if (dot > path.lastIndexOf("/")) keys.add(`extension ${path.slice(dot)}`);
}

function networkKey(bytes: Uint8Array, prefix_bits: number): string {
  let key = `network ${bytes.length} ${prefix_bits}`;
  for (let i = 0; 8 * i < prefix_bits; i++) key += ` ${(bytes[i] ?? 0) & byteMask(prefix_bits, i)}`;
  return key;
}

/**
 * True if the predicate `name` of `wide` surely holds wherever that of `narrow` does. May miss cases, never invents
 * one.
 */
export function predicateCovers(name: PredicateName, wide: Predicates, narrow: Predicates): boolean {
  switch (name) {
    case "path":
      // With new_path on one side only, `path` means different names.
      return (wide.new_path === undefined) === (narrow.new_path === undefined) && pathsCover(wide.path, narrow.path);
    case "new_path":
    case "cwd":
      return pathsCover(wide[name], narrow[name]);
    case "exe":
    case "by":
    case "ancestor":
      return programsCover(wide[name], narrow[name]);
    case "address":
      return every(narrow.address, (inner) => wide.address?.some((outer) => cidrCovers(outer, inner)) === true);
    case "port":
      return every(
        narrow.port,
        ({ from, to }) => wide.port?.some((outer) => outer.from <= from && to <= outer.to) === true,
      );
    case "protocol":
      return every(narrow.protocol, (inner) => wide.protocol?.includes(inner) === true);
    case "user":
      return every(narrow.user, ({ uid }) => wide.user?.some((outer) => outer.uid === uid) === true);
    case "argv": {
      const text = (tokens: readonly unknown[]): string => JSON.stringify(tokens, withoutPositions);
      const known = new Set(wide.argv?.map(({ tokens }) => text(tokens)));
      return every(narrow.argv, ({ tokens }) => known.has(text(tokens)));
    }
    case "agent":
    case "principal":
    case "session":
    case "tool":
    case "server":
    case "group":
    case "tag":
    case "model":
    case "tokens":
    case "declared":
    case "opaque":
    case "risk":
    case "time":
    case "after":
    case "since":
    case "label":
      return textsCover(wide[name], narrow[name]);
    case "host":
      // A permit without an address does not hold for special addresses, see `isSpecialPurpose`; one with it may.
      return (wide.address === undefined) === (narrow.address === undefined) && textsCover(wide.host, narrow.host);
    case "args":
      // Here all must hold, so what the wider set asks must be among what the narrower one asks.
      return narrow.args !== undefined && textsCover(narrow.args, wide.args);
    case "rate":
    case "action":
      return false;
  }
}

/** For `JSON.stringify`: leaves places out, so that equal patterns give equal texts. */
export function withoutPositions(key: string, value: unknown): unknown {
  return key === "position" ? undefined : value;
}

/** True if each text of `narrow` is one of `wide`. */
function textsCover(
  wide: readonly { readonly text: string }[] | undefined,
  narrow: readonly { readonly text: string }[] | undefined,
): boolean {
  return every(narrow, ({ text }) => wide?.some((outer) => outer.text === text) === true);
}

function every<T>(list: readonly T[] | undefined, holds: (element: T) => boolean): boolean {
  return list !== undefined && list.every(holds);
}

function pathsCover(wide: readonly PathPattern[] | undefined, narrow: readonly PathPattern[] | undefined): boolean {
  return every(narrow, (inner) => wide?.some((outer) => pathCovers(outer, inner)) === true);
}

function pathCovers(outer: PathPattern, inner: PathPattern): boolean {
  if (outer.text === inner.text) return true;
  return inner.globs.every((glob) => {
    const exact = exactPath(glob);
    const path = exact ?? (glob.root === "absolute" ? treeOf(glob) : undefined);
    if (path === undefined) return false;
    // A directory with all below it is covered only by patterns that end deep and hold the directory itself.
    return outer.globs.some((wide) =>
      (exact !== undefined || wide.segments.at(-1)?.kind === "deep") &&
      matchPathGlob(wide, path === "" ? "/" : path, { home: undefined, any_home: false })
    );
  });
}

function programsCover(
  wide: readonly ProgramPattern[] | undefined,
  narrow: readonly ProgramPattern[] | undefined,
): boolean {
  return every(narrow, (inner) =>
    wide?.some((outer) => {
      if (outer.kind === "name" || inner.kind === "name") return outer.kind === inner.kind && outer.text === inner.text;
      return pathCovers(outer, inner);
    }) === true);
}
