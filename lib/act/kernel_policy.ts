/**
 * Writes the kernel's copy of a policy. Two slots: the inactive one is filled completely, then the active slot number
 * is flipped, so that no action ever sees half a policy.
 */
import {
  AgControl,
  AgExecKey,
  AgExecPolicy,
  AgHostKey,
  AgLimit,
  AgNetPolicy,
  AgObjectKey,
  AgPortKey,
  AgTreeKey,
  AgV4Key,
  AgV6Key,
} from "../../probes/abi.gen.ts";
import { type AddressName, AgentguardError, type LoweredPolicy } from "../core/mod.ts";
import { execEntries, execKey, unixEntries } from "./exec_rules.ts";
import type { OwnPlaces } from "./baseline.ts";
import type { ObjectFinder } from "./file_objects.ts";
import { filePolicy, nameEntries, objectEntries } from "./file_rules.ts";
import { addressKey, hostNameEntries, hostSetEntries, hostSets } from "./host_sets.ts";
import { ownEntries } from "./own_objects.ts";
import { NET_ACTIONS, TrieRules, TRIES, writeNetRule } from "./net_rules.ts";
import { pushDown } from "./prefix_bits.ts";
import { nameLesson, type Teach } from "./taught_names.ts";

/** The part of a BPF map that is used; `ffi`'s BpfMap has it. */
export interface PolicyMap {
  lookup(key: Uint8Array, value: Uint8Array): boolean;
  update(key: Uint8Array, value: Uint8Array): void;
  remove(key: Uint8Array): boolean;
  keys(): Uint8Array[];
}

/** Maps by the names that the probes give them. */
export type PolicyMaps = (name: string) => PolicyMap;

const KEYED_BY_PATH = ["exec_rules", "exec_trees", "unix_rules", "unix_trees"] as const;

/** What a host has beside the maps. */
export interface KernelPolicyOptions {
  /** Where programs learn the names of addresses. */
  readonly teach?: Teach | undefined;
}

/** Owns the policy maps of one object. */
export class KernelPolicy {
  readonly #maps: PolicyMaps;
  readonly #objects: ObjectFinder | undefined;
  readonly #teach: Teach | undefined;

  /** `objects`: where programs at security hooks are loaded, which want to know what the names of rules stand for. */
  constructor(maps: PolicyMaps, objects?: ObjectFinder, { teach }: KernelPolicyOptions = {}) {
    this.#maps = maps;
    this.#objects = objects;
    this.#teach = teach;
  }

  /**
   * Makes `policy` the one that the kernel decides by; `names` are those that hold now. Throws `overflow` where it does
   * not fit; the old one then stays.
   */
  install(policy: LoweredPolicy, names: Iterable<AddressName> = []): void {
    const slot = 1 - this.#activeSlot();
    this.#clear(slot);
    this.#writeNet(slot, policy);
    this.#writeHosts(slot, policy);
    this.#writeExec(slot, policy);
    this.#writeUnix(slot, policy);
    this.#writeFiles(slot, policy);
    this.#teach?.();
    if (policy.names === true) this.#teachAll(slot, names);
    // The old slot stays filled until the next install: a program that read its number may still be looking things up
    // in it.
    this.#setControl(AgControl.slot, slot);
  }

  /**
   * Keeps guarded processes from the guard's own files, as they are now, and where the policy enforces from cgroups.
   * Does nothing without programs at security hooks.
   */
  protect(own: OwnPlaces, enforces: boolean): void {
    if (this.#objects === undefined) return;
    const map = this.#maps("own_objects");
    const entries = ownEntries(own, this.#objects);
    const now = new Set(entries.map(({ key }) => key.toHex()));
    for (const { key, value } of entries) map.update(key, value);
    for (const key of map.keys()) if (!now.has(key.toHex())) map.remove(key);
    this.#setControl(AgControl.keeps_cgroups, enforces ? 1 : 0);
  }

  /** Names that came while another policy was put into force, for the one that is in force now. */
  teach(names: Iterable<AddressName>): void {
    this.#teachAll(this.#activeSlot(), names);
  }

  #teachAll(slot: number, names: Iterable<AddressName>): void {
    if (this.#teach === undefined) return;
    for (const name of names) this.#teach(nameLesson(slot, name));
  }

  /** Addresses whose answers about names are believed, from now on. */
  setResolvers(addresses: readonly string[]): void {
    const map = this.#maps("resolvers");
    const now = new Map(addresses.map((address) => [addressKey(address).toHex(), addressKey(address)]));
    for (const key of map.keys()) if (!now.has(key.toHex())) map.remove(key);
    for (const key of now.values()) map.update(key, Uint8Array.of(1, 0, 0, 0));
  }

  /** Names of `[[agent]]` programs that the exec program looks for: absolute paths and base names, with their index. */
  setAgents(
    agents: readonly { readonly index: number; readonly paths: readonly string[]; readonly names: readonly string[] }[],
  ): void {
    const map = this.#maps("agents");
    for (const key of map.keys()) map.remove(key);
    for (const agent of agents) {
      const value = new Uint8Array(4);
      new DataView(value.buffer).setUint32(0, agent.index, true);
      for (const path of agent.paths) map.update(execKey(0, path, false), value);
      for (const name of agent.names) map.update(execKey(0, name, true), value);
    }
  }

  #activeSlot(): number {
    const value = new Uint8Array(AgControl.SIZE);
    this.#maps("control").lookup(new Uint8Array(4), value);
    return new DataView(value.buffer).getUint32(AgControl.slot, true) & 1;
  }

  /** One field of the control word; the others stay. */
  #setControl(at: number, field: number): void {
    const control = this.#maps("control");
    const value = new Uint8Array(AgControl.SIZE);
    control.lookup(new Uint8Array(4), value);
    new DataView(value.buffer).setUint32(at, field, true);
    control.update(new Uint8Array(4), value);
  }

  /** Removes what a slot holds. Keys of tries have their slot behind the prefix length, the others at the front. */
  #clear(slot: number): void {
    for (const name of [...TRIES, ...KEYED_BY_PATH, "host_names"]) {
      const at = name === "host_names"
        ? AgHostKey.slot
        : name === "exec_rules" || name === "unix_rules"
        ? AgExecKey.slot
        : AgV4Key.slot;
      const map = this.#maps(name);
      for (const key of map.keys()) {
        if (new DataView(key.buffer, key.byteOffset).getUint32(at, true) === slot) map.remove(key);
      }
    }
    if (this.#objects === undefined) return;
    for (const [name, at] of FILE_MAPS) {
      const map = this.#maps(name);
      for (const key of map.keys()) {
        if (new DataView(key.buffer, key.byteOffset).getUint32(at, true) === slot) map.remove(key);
      }
    }
  }

  #writeNet(slot: number, policy: LoweredPolicy): void {
    const value = new Uint8Array(AgNetPolicy.SIZE);
    const view = new DataView(value.buffer);
    view.setUint32(AgNetPolicy.generation, policy.generation, true);
    view.setUint32(AgNetPolicy.rules, policy.net.length, true);
    view.setUint32(AgNetPolicy.names, policy.names === true ? 1 : 0, true);
    for (const name of ["net.connect", "net.send", "net.bind"] as const) {
      const at = AgNetPolicy.deny_by_default + NET_ACTIONS[name] * 4;
      view.setUint32(at, policy.net_default[name] === "deny" ? 1 : 0, true);
    }
    if (policy.net.length > AgLimit.NET_RULES_MAX) {
      throw new AgentguardError(
        "overflow",
        `lower policy: ${policy.net.length} network rules, the kernel holds ${AgLimit.NET_RULES_MAX}`,
      );
    }
    const tries = new TrieRules();
    policy.net.forEach((rule, bit) => {
      writeNetRule(view, rule, bit);
      tries.add(rule, bit);
    });
    this.#writeTries(slot, tries);
    this.#maps("net_policy").update(slotKey(slot), value);
  }

  #writeTries(slot: number, tries: TrieRules): void {
    for (const name of TRIES) {
      const map = this.#maps(name);
      const width = name.startsWith("v4") ? 4 : name.startsWith("v6") ? 16 : 2;
      for (const entry of pushDown(tries.rules[name], width)) {
        const size = width === 4 ? AgV4Key.SIZE : width === 16 ? AgV6Key.SIZE : AgPortKey.SIZE;
        const key = new Uint8Array(size);
        const view = new DataView(key.buffer);
        view.setUint32(AgV4Key.prefix_bits, 32 + entry.bits, true);
        view.setUint32(AgV4Key.slot, slot, true);
        key.set(entry.bytes, AgV4Key.address);
        map.update(key, new Uint8Array(entry.words.buffer));
      }
    }
  }

  #writeHosts(slot: number, { net }: LoweredPolicy): void {
    const hosts = hostSets(net);
    for (const { key, value } of hostSetEntries(slot, hosts)) this.#maps("host_sets").update(key, value);
    for (const { key, value } of hostNameEntries(slot, hosts)) this.#maps("host_names").update(key, value);
  }

  #writeExec(slot: number, policy: LoweredPolicy): void {
    const value = new Uint8Array(AgExecPolicy.SIZE);
    const view = new DataView(value.buffer);
    view.setUint32(AgExecPolicy.generation, policy.generation, true);
    view.setUint32(AgExecPolicy.rules, policy.exec.length, true);
    view.setUint32(AgExecPolicy.deny_by_default, policy.exec_default === "deny" ? 1 : 0, true);
    for (const entry of execEntries(slot, policy.exec)) this.#maps(entry.map).update(entry.key, entry.value);
    this.#maps("exec_policy").update(slotKey(slot), value);
  }

  #writeUnix(slot: number, { generation, unix = [] }: LoweredPolicy): void {
    const value = new Uint8Array(AgExecPolicy.SIZE);
    const view = new DataView(value.buffer);
    view.setUint32(AgExecPolicy.generation, generation, true);
    view.setUint32(AgExecPolicy.rules, unix.length, true);
    for (const entry of unixEntries(slot, unix)) this.#maps(entry.map).update(entry.key, entry.value);
    this.#maps("unix_policy").update(slotKey(slot), value);
  }

  #writeFiles(slot: number, { generation, exec, files = [] }: LoweredPolicy): void {
    if (this.#objects === undefined) return;
    if (files.length > AgLimit.NET_RULES_MAX) {
      throw new AgentguardError(
        "overflow",
        `lower policy: ${files.length} file rules, the kernel holds ${AgLimit.NET_RULES_MAX}`,
      );
    }
    const objects = objectEntries(slot, { files, exec }, this.#objects);
    for (const { map, key, value } of [...nameEntries(slot, files), ...objects]) this.#maps(map).update(key, value);
    this.#maps("file_policy").update(slotKey(slot), filePolicy(generation, files, objects.length));
  }
}

/** Maps of file rules, and where in a key the slot stands. */
const FILE_MAPS: readonly (readonly [string, number])[] = [
  ["file_names", AgExecKey.slot],
  ["file_trees", AgTreeKey.slot],
  ["file_objects", AgObjectKey.slot],
];

function slotKey(slot: number): Uint8Array {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, slot, true);
  return key;
}
