/** Rules with the action types that they can cover, worked out once for those who ask about them often. */
import type { ActionType } from "../core/mod.ts";
import { reachableTypes } from "./actions.ts";
import type { NumberedLayer, NumberedRule } from "./reference.ts";

/** A rule with its types. */
export interface TypedRule extends NumberedRule {
  readonly types: readonly ActionType[];
}

/** A layer of such rules. */
export interface TypedLayer extends NumberedLayer {
  readonly rules: readonly TypedRule[];
}

/** The same layers with the types of each rule. */
export function typedLayers(layers: readonly NumberedLayer[]): readonly TypedLayer[] {
  return layers.map(({ file, rules }) => ({
    file,
    rules: rules.map(({ index, name, node }) => ({ index, name, node, types: reachableTypes({ node }) })),
  }));
}
