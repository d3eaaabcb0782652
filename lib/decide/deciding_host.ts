/** Which name of an address a rule asks for. */
import type { NumberedLayer } from "./reference.ts";
import { hostName } from "./names.ts";
import { TextMatcher } from "./path_matcher.ts";

/** The host patterns of the rules of a snapshot, by their index. Compiled when first asked for. */
export class DecidingHosts {
  readonly #layers: readonly NumberedLayer[];
  #matchers: ReadonlyMap<number, TextMatcher> | undefined;

  constructor(layers: readonly NumberedLayer[]) {
    this.#layers = layers;
  }

  /** The first of the names that the rule asks for; `undefined` where it asks for none of them. */
  find(rule_index: number, hosts: readonly string[]): string | undefined {
    const matcher = (this.#matchers ??= compile(this.#layers)).get(rule_index);
    return matcher === undefined ? undefined : hosts.find((host) => matcher.matches(hostName(host)));
  }
}

function compile(layers: readonly NumberedLayer[]): ReadonlyMap<number, TextMatcher> {
  return new Map(layers.flatMap(({ rules }) =>
    rules.flatMap(({ index, node }) => {
      const { host } = node.predicates;
      return host === undefined ? [] : [[index, new TextMatcher(host)] as const];
    })
  ));
}
