/** BPF maps in memory, and the lookups that the probes do in them, written again from the C source. */
import {
  AgControl,
  AgExecPolicy,
  AgExecRule,
  AgHostKey,
  AgHostSet,
  AgLimit,
  AgNetAction,
  AgNetPolicy,
  AgProtocol,
  AgRuleBits,
  AgVerdict,
} from "../../../probes/abi.gen.ts";
import { AgentguardError, isSpecialPurpose, type NetActionName } from "../../../lib/core/mod.ts";
import type { PolicyMap } from "../../../lib/act/mod.ts";

/** A hash map: bytes to bytes. */
export class FakeMap implements PolicyMap {
  readonly entries: Map<string, Uint8Array> = new Map();
  readonly #keys: Map<string, Uint8Array> = new Map();
  readonly #max: number;
  readonly #changed: () => void;

  constructor(max: number, changed: () => void) {
    this.#max = max;
    this.#changed = changed;
  }

  lookup(key: Uint8Array, value: Uint8Array): boolean {
    const found = this.entries.get(key.toHex());
    if (found === undefined) return false;
    value.set(found);
    return true;
  }

  update(key: Uint8Array, value: Uint8Array): void {
    if (!this.entries.has(key.toHex()) && this.entries.size >= this.#max) {
      throw new AgentguardError("overflow", "write to map: full");
    }
    this.entries.set(key.toHex(), value.slice());
    this.#keys.set(key.toHex(), key.slice());
    this.#changed();
  }

  remove(key: Uint8Array): boolean {
    const removed = this.entries.delete(key.toHex());
    this.#keys.delete(key.toHex());
    this.#changed();
    return removed;
  }

  keys(): Uint8Array[] {
    return [...this.#keys.values()].map((key) => key.slice());
  }

  /** The value of the key with the longest prefix that covers the key (BPF_MAP_TYPE_LPM_TRIE). */
  longest(key: Uint8Array): Uint8Array | undefined {
    const most = prefixBits(key);
    let best = -1;
    let found: string | undefined;
    for (const [text, other] of this.#keys) {
      const bits = prefixBits(other);
      if (bits <= best || bits > most || !samePrefix(key, other, bits)) continue;
      best = bits;
      found = text;
    }
    return found === undefined ? undefined : this.entries.get(found);
  }
}

/** The first word of a trie's key. */
function prefixBits(key: Uint8Array): number {
  return (key[0] ?? 0) | ((key[1] ?? 0) << 8);
}

/** Compares so many bits behind the first word. */
function samePrefix(a: Uint8Array, b: Uint8Array, bits: number): boolean {
  const whole = 4 + (bits >> 3);
  for (let i = 4; i < whole; i++) if (a[i] !== b[i]) return false;
  const mask = 0xff << (8 - (bits & 7));
  return ((a[whole] ?? 0) & mask & 0xff) === ((b[whole] ?? 0) & mask & 0xff);
}

/** One connection attempt. */
export interface NetTry {
  readonly action: NetActionName;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly port: number;
  readonly protocol: number;
  /** Names that hold; absent: none. */
  readonly hosts?: readonly string[];
}

/** What the kernel would say. */
export interface Said {
  readonly verdict: "none" | "allow" | "deny";
  readonly rule_index: number;
  readonly generation: number;
}

const ACTIONS: Readonly<Record<NetActionName, number>> = {
  "net.connect": AgNetAction.CONNECT,
  "net.send": AgNetAction.SEND,
  "net.bind": AgNetAction.BIND,
};
const VERDICTS = { [AgVerdict.NONE]: "none", [AgVerdict.ALLOW]: "allow", [AgVerdict.DENY]: "deny" } as const;

/** All policy maps of one object, made when they are first asked for, and what the programs read from them. */
export class FakeMaps {
  readonly #maps: Map<string, FakeMap> = new Map();
  readonly #sizes: Readonly<Record<string, number>>;
  /** Runs after every change. */
  onChange: () => void = () => {};

  constructor(sizes: Readonly<Record<string, number>> = {}) {
    this.#sizes = sizes;
    this.get("control").update(new Uint8Array(4), new Uint8Array(AgControl.SIZE));
  }

  get = (name: string): FakeMap => {
    const known = this.#maps.get(name);
    if (known !== undefined) return known;
    const made = new FakeMap(this.#sizes[name] ?? 16_384, () => this.onChange());
    this.#maps.set(name, made);
    return made;
  };

  /** The active slot. */
  slot(): number {
    return this.#read("control", new Uint8Array(4))?.getUint32(AgControl.slot, true) ?? 0;
  }

  /** probes/network.h, ag_decide_net. */
  decideNet(request: NetTry): Said {
    const slot = u32(this.slot() & 1);
    const p = this.#read("net_policy", slot);
    if (p === undefined) return { verdict: "allow", rule_index: -1, generation: 0 };
    const action = ACTIONS[request.action];
    const generation = p.getUint32(AgNetPolicy.generation, true);
    const denies = p.getUint32(AgNetPolicy.deny_by_default + action * 4, true) !== 0;
    const port = join(u32(48), slot, Uint8Array.of(request.port >> 8, request.port & 255, 0, 0));
    const family = request.address.length === 4 ? "v4" : "v6";
    const address = join(u32(32 + request.address.length * 8), slot, request.address);
    if (p.getUint32(AgNetPolicy.rules, true) === 0) {
      return { verdict: denies ? "deny" : "allow", rule_index: -1, generation };
    }
    const tries = [
      this.get(`${family}_rules`).longest(address),
      this.get("port_rules").longest(port),
      this.get(`${family}_except`).longest(address),
      this.get("port_except").longest(port),
    ];
    const [by_address, by_port, x_address, x_port] = tries.map((value) => wordsOf(value));
    if (by_address === undefined || by_port === undefined || x_address === undefined || x_port === undefined) {
      return { verdict: "deny", rule_index: -1, generation };
    }
    const protocol = request.protocol === 6
      ? AgProtocol.TCP
      : request.protocol === 17
      ? AgProtocol.UDP
      : AgProtocol.OTHER;
    const by_protocol = AgNetPolicy.protocol + protocol * AgRuleBits.SIZE;
    const x_protocol = AgNetPolicy.except_protocol + protocol * AgRuleBits.SIZE;
    const named = this.#named(p, slot, request);
    let allowed = false;
    for (let w = 0; w < AgLimit.NET_WORDS; w++) {
      const of = (offset: number): bigint => p.getBigUint64(offset + w * 8, true);
      let bits = by_address(w) & by_port(w) & of(by_protocol) & of(AgNetPolicy.action + action * AgRuleBits.SIZE);
      bits &= of(AgNetPolicy.any_host) | named.rules(w);
      const x_named = of(AgNetPolicy.any_host_except) | named.except(w);
      bits &= ~(x_address(w) & x_port(w) & of(x_protocol) & of(AgNetPolicy.except) & x_named);
      const denied = bits & of(AgNetPolicy.deny);
      if (denied !== 0n) {
        const bit = w * 64 + lowestBit(denied);
        return { verdict: "deny", rule_index: p.getInt32(AgNetPolicy.rule_index + bit * 4, true), generation };
      }
      if ((bits & of(AgNetPolicy.allow)) !== 0n) allowed = true;
    }
    return { verdict: !allowed && denies ? "deny" : "allow", rule_index: -1, generation };
  }

  /** probes/names.h: ag_set_of for each name, and ag_names_of. */
  #named(
    p: DataView,
    slot: Uint8Array,
    { address, hosts = [] }: NetTry,
  ): Readonly<Record<"rules" | "except", (w: number) => bigint>> {
    const sets = hosts.map((host) => {
      const reversed = new TextEncoder().encode(`${Array.from(host).reverse().join("")}\0`);
      const key = new Uint8Array(AgHostKey.SIZE);
      key.set(join(u32(32 + 8 * reversed.length), slot, reversed));
      const number = this.get("host_names").longest(key) ?? u32(0);
      const at = new DataView(slot.buffer).getUint32(0, true) * AgLimit.HOST_SETS_MAX +
        new DataView(number.buffer).getUint32(0, true);
      return this.#read("host_sets", u32(at));
    });
    const of = (kind: "rules" | "except", masked: number) => (w: number): bigint => {
      const bits = sets.reduce((all, set) => all | (set?.getBigUint64(AgHostSet[kind] + w * 8, true) ?? 0n), 0n);
      return isSpecialPurpose(address) ? bits & ~p.getBigUint64(masked + w * 8, true) : bits;
    };
    return { rules: of("rules", AgNetPolicy.public_host), except: of("except", AgNetPolicy.public_host_except) };
  }

  /** probes/process.h: ag_exec and ag_match_program, for the resolved and the requested name. */
  decideExec(names: readonly string[]): Said {
    const slot = u32(this.slot() & 1);
    const p = this.#read("exec_policy", slot);
    const generation = p?.getUint32(AgExecPolicy.generation, true) ?? 0;
    const denies = p?.getUint32(AgExecPolicy.deny_by_default, true) ?? 0;
    if (p === undefined || (p.getUint32(AgExecPolicy.rules, true) === 0 && denies === 0)) {
      return { verdict: "none", rule_index: -1, generation: 0 };
    }
    let verdict: number = AgVerdict.NONE;
    let rule_index = -1;
    const apply = (value: Uint8Array | undefined): void => {
      if (value === undefined) return;
      const rule = new DataView(value.buffer);
      if (rule.getUint32(AgExecRule.verdict, true) <= verdict) return;
      verdict = rule.getUint32(AgExecRule.verdict, true);
      rule_index = rule.getInt32(AgExecRule.rule_index, true);
    };
    for (const name of names) {
      const bytes = new TextEncoder().encode(name);
      const head = bytes.subarray(0, AgLimit.KEY_PATH_MAX - 1);
      const rules = this.get("exec_rules").entries;
      if (head.length === bytes.length) apply(rules.get(join(slot, u32(0), padded(bytes)).toHex()));
      apply(this.get("exec_trees").longest(join(u32(32 + head.length * 8), slot, padded(head))));
      const base = bytes.subarray(bytes.lastIndexOf(0x2f) + 1);
      if (base.length > 0 && base.length < AgLimit.KEY_PATH_MAX) {
        apply(rules.get(join(slot, u32(1), padded(base)).toHex()));
      }
    }
    if (verdict === AgVerdict.NONE) verdict = denies !== 0 ? AgVerdict.DENY : AgVerdict.ALLOW;
    return { verdict: VERDICTS[verdict === AgVerdict.DENY ? AgVerdict.DENY : AgVerdict.ALLOW], rule_index, generation };
  }

  #read(name: string, key: Uint8Array): DataView | undefined {
    const value = this.get(name).entries.get(key.toHex());
    return value === undefined ? undefined : new DataView(value.buffer, value.byteOffset, value.byteLength);
  }
}

/** The words of a bit vector. */
function wordsOf(value: Uint8Array | undefined): ((w: number) => bigint) | undefined {
  if (value === undefined) return undefined;
  const view = new DataView(value.buffer);
  return (w) => view.getBigUint64(w * 8, true);
}

function lowestBit(bits: bigint): number {
  let bit = 0;
  while (((bits >> BigInt(bit)) & 1n) === 0n) bit++;
  return bit;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function padded(bytes: Uint8Array): Uint8Array {
  const path = new Uint8Array(AgLimit.KEY_PATH_MAX);
  path.set(bytes);
  return path;
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}
