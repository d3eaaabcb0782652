/** Names that rules about files protect, for what reaches them by other names. */
import type { PathGlob } from "./glob.ts";
import { usableHome } from "./match.ts";
import { normalName } from "./names.ts";
import type { PolicySnapshot } from "./snapshot.ts";

/** A place below which, or at which, a rule forbids something. */
export interface ProtectedPlace {
  /** Absolute path: the part of the pattern before its first wildcard. */
  readonly path: string;
  /** The pattern has no wildcard: exactly this path is meant. */
  readonly exact: boolean;
  readonly rule_index: number;
  readonly rule: string;
  readonly verdict: "deny" | "ask";
}

/**
 * The places of every enforcing rule that may refuse or ask about a file action. Patterns that begin anywhere (`**` and
 * bare names) name no place.
 */
export function protectedPlaces(snapshot: PolicySnapshot, home: string | undefined): readonly ProtectedPlace[] {
  const known_home = home === undefined ? undefined : usableHome(normalName(home));
  const places: ProtectedPlace[] = [];
  for (const { file, rules } of snapshot.layers) {
    if (file.mode !== "enforce") continue;
    for (const { node, index, name } of rules) {
      const { verdict } = node;
      if (node.mode !== "enforce" || (verdict !== "deny" && verdict !== "ask")) continue;
      if (!node.actions.some((action) => action.startsWith("file."))) continue;
      for (const glob of (node.predicates.path ?? []).flatMap((pattern) => pattern.globs)) {
        const place = placeOf(glob, known_home);
        if (place !== undefined) places.push({ ...place, rule_index: index, rule: name, verdict });
      }
    }
  }
  return places;
}

function placeOf(
  { root, segments }: PathGlob,
  home: string | undefined,
): Pick<ProtectedPlace, "path" | "exact"> | undefined {
  const begin = root === "absolute" ? "" : root === "home" ? home : undefined;
  if (begin === undefined) return undefined;
  let path = begin;
  for (const segment of segments) {
    if (segment.kind !== "literal") return { path: path === "" ? "/" : path, exact: false };
    path += `/${segment.text}`;
  }
  return { path: path === "" ? "/" : path, exact: true };
}
