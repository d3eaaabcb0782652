/** Finds rules by address, port and host name; the work does not grow with the number of rules. */
import type { CidrPattern, TextPattern } from "./ast.ts";
import type { Cidr, PortRange } from "../core/mod.ts";
import type { EventNames } from "./names.ts";
import { byteMask } from "./net.ts";
import { v4Mask, v4Number } from "./predicates.ts";
import type { CompiledRule } from "./compiled_rule.ts";
import type { Candidate, Selection } from "./selection.ts";
import { HASH_SEED, hashStep } from "./text_table.ts";

type Bucket = Map<number, Candidate[]>;
type TextBucket = Map<string, Candidate[]>;

/** Wider port ranges are not spread over the port table. */
const SPREAD_PORTS_MAX = 64;

/** True if the port index can hold the ranges. */
export function canIndexPorts(ranges: readonly PortRange[]): boolean {
  return ranges.every(({ from, to }) => to - from < SPREAD_PORTS_MAX);
}

/** A host pattern as the index holds it: a whole name, or `*` and a suffix that begins with a dot. */
export interface HostAnchor {
  readonly suffix: boolean;
  readonly text: string;
}

/** The anchors of host patterns, or `undefined` if one of them has none. */
export function hostAnchors(patterns: readonly TextPattern[]): readonly HostAnchor[] | undefined {
  const anchors: HostAnchor[] = [];
  for (const glob of patterns.flatMap((pattern) => pattern.globs)) {
    if (glob.kind === "literal") {
      anchors.push({ suffix: false, text: glob.text });
      continue;
    }
    const [star, ...rest] = glob.tokens;
    let text = "";
    for (const token of rest) {
      if (token.kind !== "char") return undefined;
      text += String.fromCodePoint(token.code);
    }
    if (star?.kind !== "many" || !text.startsWith(".")) return undefined;
    anchors.push({ suffix: true, text });
  }
  return anchors;
}

/** Networks of one prefix length. */
interface PrefixTable {
  readonly prefix_bits: number;
  readonly mask: number;
  readonly bucket: Bucket;
}

/** Rules by network, port and host. Filled once by the compiler, then only read. */
export class NetIndex {
  readonly #v4: PrefixTable[] = [];
  readonly #v6: PrefixTable[] = [];
  readonly #ports: Bucket = new Map();
  readonly #hosts: TextBucket = new Map();
  readonly #host_suffixes: TextBucket = new Map();

  /** Adds a rule under each of its networks. */
  addAddresses(rule: CompiledRule, cidrs: readonly CidrPattern[]): void {
    for (const cidr of cidrs) {
      const is_v4 = cidr.bytes.length === 4;
      const tables = is_v4 ? this.#v4 : this.#v6;
      let table = tables.find((known) => known.prefix_bits === cidr.prefix_bits);
      if (table === undefined) {
        table = { prefix_bits: cidr.prefix_bits, mask: is_v4 ? v4Mask(cidr.prefix_bits) : 0, bucket: new Map() };
        tables.push(table);
      }
      const key = is_v4 ? v4Number(cidr.bytes) : v6Hash(cidr.bytes, cidr);
      // An IPv6 network is found by a hash, which other networks may share: the rule checks again.
      push(table.bucket, key, { rule, whole: is_v4 });
    }
  }

  /** Adds a rule under each port of its ranges, see `canIndexPorts`. */
  addPorts(rule: CompiledRule, ranges: readonly PortRange[]): void {
    for (const { from, to } of ranges) {
      for (let port = from; port <= to; port++) push(this.#ports, port, { rule, whole: true });
    }
  }

  /** Adds a rule under each of its host anchors. */
  addHosts(rule: CompiledRule, anchors: readonly HostAnchor[]): void {
    // What permits asks about the address, too: see `hostCheck`.
    const whole = rule.one_name || rule.node.predicates.address !== undefined;
    for (const { suffix, text } of anchors) {
      push(suffix ? this.#host_suffixes : this.#hosts, text, { rule, whole });
    }
  }

  /** Sorts the candidates; call once after the last `add`. */
  seal(): void {
    const sort = (candidates: Candidate[]): void => void candidates.sort((a, b) => b.rule.key - a.rule.key);
    for (const { bucket } of [...this.#v4, ...this.#v6]) for (const candidates of bucket.values()) sort(candidates);
    for (const candidates of this.#ports.values()) sort(candidates);
    for (const bucket of [this.#hosts, this.#host_suffixes]) for (const list of bucket.values()) sort(list);
  }

  /** Offers every rule found for the address, the port (-1: none) and the names. */
  lookup(names: EventNames, port: number, selection: Selection): void {
    const { v4, address, hosts } = names;
    if (v4 >= 0) {
      for (let i = 0; i < this.#v4.length; i++) {
        const table = this.#v4[i];
        const found = table?.bucket.get((v4 & table.mask) >>> 0);
        if (found !== undefined) selection.offer(found);
      }
    } else if (address !== undefined) {
      for (let i = 0; i < this.#v6.length; i++) {
        const table = this.#v6[i];
        const found = table?.bucket.get(v6Hash(address, table));
        if (found !== undefined) selection.offer(found);
      }
    }
    if (this.#ports.size > 0) {
      const found = this.#ports.get(port);
      if (found !== undefined) selection.offer(found);
    }
    for (let i = 0; i < hosts.length; i++) this.#lookupHost(hosts[i] ?? "", selection);
  }

  #lookupHost(host: string, selection: Selection): void {
    const exact = this.#hosts.get(host);
    if (exact !== undefined) selection.offer(exact);
    if (this.#host_suffixes.size === 0) return;
    for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) {
      const found = this.#host_suffixes.get(host.slice(dot));
      if (found !== undefined) selection.offer(found);
    }
  }
}

function push<K>(bucket: Map<K, Candidate[]>, key: K, candidate: Candidate): void {
  const known = bucket.get(key);
  if (known === undefined) bucket.set(key, [candidate]);
  else known.push(candidate);
}

/** Hash of the first bits of an IPv6 address. */
function v6Hash(address: Uint8Array, { prefix_bits }: Pick<Cidr, "prefix_bits">): number {
  let hash = HASH_SEED;
  for (let i = 0; 8 * i < prefix_bits; i++) hash = hashStep(hash, (address[i] ?? 0) & byteMask(prefix_bits, i));
  return hash;
}
