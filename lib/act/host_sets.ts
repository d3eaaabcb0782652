/**
 * Host names of rules for the kernel. A lookup of a name, spelled from its end, gives the number of a set: the rules
 * whose host the name is, and those whose exception's host it is. As with prefixes of addresses each entry carries what
 * every shorter one that covers it says.
 */
import { AgAddressKey, AgHostKey, AgHostSet, AgLimit } from "../../probes/abi.gen.ts";
import { AgentguardError, type HostGlob, type LoweredNetRule, parseAddress } from "../core/mod.ts";
import { addRule, noRules } from "./prefix_bits.ts";

/** A key of `host_names` without its slot. */
interface HostName {
  /** From its end; a whole name ends with a NUL. ASCII. */
  readonly reversed: string;
  readonly set: number;
}

/** Rules that the same names fulfil. */
interface HostSet {
  readonly rules: BigUint64Array;
  readonly except: BigUint64Array;
}

/** What the maps hold. Set 0 is that of names that no rule asks for. */
export interface HostSets {
  readonly names: readonly HostName[];
  readonly sets: readonly HostSet[];
}

/** The names that rules ask for; rules have the bit of their place in the list. */
export function hostSets(rules: readonly LoweredNetRule[]): HostSets {
  const found = new Map<string, HostSet>();
  const add = (host: HostGlob, bit: number, of: "rules" | "except"): void => {
    const reversed = reversedName(host);
    const known = found.get(reversed) ?? { rules: noRules(), except: noRules() };
    found.set(reversed, known);
    addRule(known[of], bit);
  };
  rules.forEach(({ match, except }, bit) => {
    for (const host of match.hosts ?? []) add(host, bit, "rules");
    for (const host of except?.hosts ?? []) add(host, bit, "except");
  });
  // Shorter ones first: what covers a name is complete when it is added.
  const ordered = [...found].sort(([a], [b]) => a.length - b.length);
  for (const [reversed, own] of ordered) {
    const covering = nearestAbove(found, reversed);
    if (covering !== undefined) join(own, covering);
  }
  const numbers = new Map<string, number>();
  const sets: HostSet[] = [{ rules: noRules(), except: noRules() }];
  const names = ordered.map(([reversed, set]): HostName => {
    const key = `${set.rules.join(",")} ${set.except.join(",")}`;
    const known = numbers.get(key);
    if (known !== undefined) return { reversed, set: known };
    numbers.set(key, sets.length);
    sets.push(set);
    return { reversed, set: sets.length - 1 };
  });
  return { names, sets };
}

/** `moc.elpmaxe.ipa` and a NUL for a name, `moc.elpmaxe.` for all that ends with `.example.com`. */
function reversedName({ suffix, text }: HostGlob): string {
  const reversed = Array.from(text).reverse().join("");
  return suffix ? reversed : `${reversed}\0`;
}

function nearestAbove(found: ReadonlyMap<string, HostSet>, reversed: string): HostSet | undefined {
  for (let length = reversed.length - 1; length >= 0; length--) {
    const above = found.get(reversed.slice(0, length));
    if (above !== undefined) return above;
  }
  return undefined;
}

function join(own: HostSet, above: HostSet): void {
  for (const kind of ["rules", "except"] as const) {
    above[kind].forEach((word, i) => {
      own[kind][i] = (own[kind][i] ?? 0n) | word;
    });
  }
}

/** Keys and values of `host_names` for a slot. Throws `overflow` for a name that no key holds. */
export function hostNameEntries(
  slot: number,
  { names }: HostSets,
): readonly { readonly key: Uint8Array; readonly value: Uint8Array }[] {
  return names.map(({ reversed, set }) => {
    if (reversed.length > AgLimit.HOST_KEY_BYTES) {
      throw new AgentguardError("overflow", `lower policy: a host name has ${reversed.length} bytes`);
    }
    const key = new Uint8Array(AgHostKey.SIZE);
    const view = new DataView(key.buffer);
    view.setUint32(AgHostKey.prefix_bits, 32 + 8 * reversed.length, true);
    view.setUint32(AgHostKey.slot, slot, true);
    key.set(Buffer.from(reversed, "latin1"), AgHostKey.name);
    return { key, value: word(set) };
  });
}

/** Keys and values of `host_sets` for a slot. Throws `overflow` where there are more than it holds. */
export function hostSetEntries(
  slot: number,
  { sets }: HostSets,
): readonly { readonly key: Uint8Array; readonly value: Uint8Array }[] {
  if (sets.length > AgLimit.HOST_SETS_MAX) {
    throw new AgentguardError("overflow", `lower policy: ${sets.length} sets of host names`);
  }
  return sets.map(({ rules, except }, set) => {
    const value = new Uint8Array(AgHostSet.SIZE);
    value.set(new Uint8Array(rules.buffer), AgHostSet.rules);
    value.set(new Uint8Array(except.buffer), AgHostSet.except);
    return { key: word(slot * AgLimit.HOST_SETS_MAX + set), value };
  });
}

/** The key of an address in `resolvers`, and with a slot in `addr_names`. Throws `invariant` for what is none. */
export function addressKey(address: string, slot = 0): Uint8Array {
  const bytes = parseAddress(address);
  if (bytes === undefined) throw new AgentguardError("invariant", `key of an address: ${address} is none`);
  const key = new Uint8Array(AgAddressKey.SIZE);
  const view = new DataView(key.buffer);
  view.setUint32(AgAddressKey.slot, slot, true);
  view.setUint32(AgAddressKey.family, bytes.length === 4 ? 4 : 6, true);
  key.set(bytes, AgAddressKey.address);
  return key;
}

function word(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
