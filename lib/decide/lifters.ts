/** Who refuses an action by default, and which rules lift that. */
import type { ActionType } from "../core/mod.ts";
import type { TypedLayer, TypedRule } from "./typed_rules.ts";

/** Rules that refuse. */
export function forbids({ node }: TypedRule): boolean {
  return node.mode === "enforce" && (node.verdict === "deny" || node.verdict === "ask");
}

/** Rules that lift a default. */
function permits({ node }: TypedRule): boolean {
  return node.mode === "enforce" && (node.verdict === "allow" || node.verdict === "redact");
}

/** Layers whose default refuses an action. */
function refusingLayers(layers: readonly TypedLayer[], action: ActionType): readonly TypedLayer[] {
  return layers.filter((layer) => {
    const verdict = layer.file.defaults.get(action);
    return verdict === "deny" || verdict === "ask";
  });
}

/**
 * Whose rules may lift the default of an action. `none`: nobody refuses it by default. `nobody`: some layer refuses and
 * has nothing that lifts it, so everything is refused. `undecidable`: two layers would have to agree, which the kernel
 * cannot ask.
 */
export type Lifter =
  | { readonly kind: "none" }
  | { readonly kind: "nobody" }
  | { readonly kind: "undecidable" }
  | { readonly kind: "rules"; readonly rules: readonly TypedRule[] };

/** See `Lifter`. `layers` are those that enforce. */
export function lifter(layers: readonly TypedLayer[], action: ActionType): Lifter {
  const refusing = refusingLayers(layers, action);
  const lifting = refusing.map(({ rules }) => rules.filter((rule) => permits(rule) && rule.types.includes(action)));
  const [first] = lifting;
  if (first === undefined) return { kind: "none" };
  if (lifting.some((rules) => rules.length === 0)) return { kind: "nobody" };
  return lifting.length === 1 ? { kind: "rules", rules: first } : { kind: "undecidable" };
}
