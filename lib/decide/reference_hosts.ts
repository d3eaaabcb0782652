/** Host names for the reference interpreter. */
import { type Action, isSpecialPurpose, parseAddress } from "../core/mod.ts";
import type { TextPattern } from "./ast.ts";
import { type Side, textGlobHolds } from "./reference_patterns.ts";

/** The names of an action's address, the latest first, or the name that was looked up. */
export function hostNames(action: Action): readonly string[] {
  const canonical = (name: string): string => name.toLowerCase().replace(/\.$/, "");
  if (action.type === "net.dns") return [canonical(action.name)];
  if ((action.type !== "net.connect" && action.type !== "net.send") || action.host === undefined) return [];
  return (action.hosts ?? [action.host]).map(canonical);
}

/**
 * Any name of the address is enough. What permits by name does not hold for an address of special purpose, unless its
 * address is asked for beside the name (`placed`): who answers for a name must not open what is near (DNS rebinding).
 */
export function hostHolds(
  patterns: readonly TextPattern[],
  action: Action,
  { side, placed }: { readonly side: Side; readonly placed: boolean },
): boolean {
  const matches = (name: string): boolean =>
    patterns.some(({ globs }) => globs.some((glob) => textGlobHolds(glob, name)));
  if (!hostNames(action).some(matches)) return false;
  if (side === "any" || placed || !("address" in action)) return true;
  const bytes = parseAddress(action.address);
  return bytes !== undefined && !isSpecialPurpose(bytes);
}
