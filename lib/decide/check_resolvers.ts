/** Rules by name where nobody could ask for a name: they are no error, but no address will ever have one. */
import { parseAddress } from "../core/mod.ts";
import type { Predicates } from "./ast.ts";
import { type Diagnostic, Diagnostics } from "./diagnostic.ts";
import { ruleAsksForNames } from "./lower_hosts.ts";
import { cidrHolds } from "./net.ts";
import type { PolicySnapshot } from "./snapshot.ts";
import { type TypedLayer, typedLayers } from "./typed_rules.ts";

const DNS_PORT = 53;

/**
 * At most one warning: the rules ask for host names, and none of the resolvers that are believed can be reached by
 * datagram. A rule that asks who acts, or when, is taken to let them through: only what surely cannot be is told.
 */
export function checkResolvers(snapshot: PolicySnapshot, resolvers: readonly string[]): readonly Diagnostic[] {
  const layers = typedLayers(snapshot.layers).filter(({ file }) => file.mode === "enforce");
  const asking = layers.flatMap(({ rules }) => rules).find((rule) => ruleAsksForNames(rule));
  if (asking === undefined || resolvers.some((address) => layers.every((layer) => lets(layer, address)))) return [];
  const diagnostics = new Diagnostics();
  const position = asking.node.predicate_positions.get("host") ?? asking.node.position;
  const of = resolvers.length === 0 ? "there is none" : `datagrams to ${resolvers.join(", ")} port 53 are refused`;
  diagnostics.warning(
    position,
    `rule "${asking.name}" asks for names that no resolver can give: ${of}, so no address will have one`,
    resolvers.length === 0
      ? "name one in [guard] resolvers"
      : `allow net.connect and net.send to ${resolvers[0]} port 53 protocol udp`,
  );
  return diagnostics.list();
}

/** True if the layer may let datagrams to a resolver through: by default, or by a rule that does not ask for a name. */
function lets({ file, rules }: TypedLayer, address: string): boolean {
  const fallback = file.defaults.get("net.connect");
  if (fallback === undefined || fallback === "allow" || fallback === "log") return true;
  return rules.some(({ node, types }) =>
    node.verdict === "allow" && types.includes("net.connect") && canCover(node.predicates, address)
  );
}

function canCover({ address, port, protocol, host }: Predicates, resolver: string): boolean {
  const bytes = parseAddress(resolver);
  return host === undefined &&
    (address === undefined || (bytes !== undefined && address.some((cidr) => cidrHolds(cidr, bytes)))) &&
    (port === undefined || port.some(({ from, to }) => from <= DNS_PORT && DNS_PORT <= to)) &&
    (protocol === undefined || protocol.includes("udp"));
}
