/** Names of rules as keys and sets. */
import { describe, expect, test } from "bun:test";
import { AgHostKey, AgLimit } from "../../../probes/abi.gen.ts";
import type { AddressName, HostGlob, LoweredNetRule, LoweredPolicy } from "../../../lib/core/mod.ts";
import { KernelPolicy, type NameLesson } from "../../../lib/act/mod.ts";
import { addressKey, hostNameEntries, hostSetEntries, hostSets } from "../../../lib/act/host_sets.ts";
import { FakeMaps, type NetTry } from "./fake_maps.ts";

const ANY = { cidrs: [], ports: [], protocols: [] } as const;
const ALLOW = { "net.connect": "allow", "net.send": "allow", "net.bind": "allow" } as const;

function host(text: string): HostGlob {
  return text.startsWith("*") ? { suffix: true, text: text.slice(1) } : { suffix: false, text };
}

function asking(verdict: "allow" | "deny", hosts: readonly string[], except?: readonly string[]): LoweredNetRule {
  return {
    rule_index: 7,
    verdict,
    actions: ["net.connect"],
    match: { ...ANY, hosts: hosts.map(host) },
    ...(except === undefined ? {} : { except: { ...ANY, hosts: except.map(host) } }),
  };
}

describe("sets", () => {
  test("a name carries the rules of all that covers it; equal sets are one; the first is empty", () => {
    const { names, sets } = hostSets([
      asking("deny", ["*.b", "a.b"]),
      asking("deny", ["*.a.b"]),
      asking("deny", ["*"], ["a.b", "x.b"]),
    ]);
    const of = (reversed: string): string => {
      const set = sets[names.find((name) => name.reversed === reversed)?.set ?? -1];
      return set === undefined ? "none" : `${set.rules[0]} ${set.except[0]}`;
    };
    expect(of("")).toBe("4 0");
    expect(of("b.")).toBe("5 0");
    expect(of("b.a.")).toBe("7 0");
    expect(of("b.a\0")).toBe("5 4");
    expect(of("b.x\0")).toBe("5 4");
    expect(sets).toHaveLength(5);
    expect(`${sets[0]?.rules} ${sets[0]?.except}`).toBe("0,0,0,0 0,0,0,0");
  });

  test("keys are spelled from the end, a whole name with a NUL; the slot is in the key", () => {
    const [all, one] = hostNameEntries(1, hostSets([asking("deny", ["*.b", "a.b"])]));
    const view = new DataView(all?.key.buffer ?? new ArrayBuffer(0));
    expect([view.getUint32(AgHostKey.prefix_bits, true), view.getUint32(AgHostKey.slot, true)]).toEqual([48, 1]);
    expect(Buffer.from(one?.key.subarray(AgHostKey.name, AgHostKey.name + 5) ?? []).toString()).toBe("b.a\0\0");
  });

  test("what no map holds throws", () => {
    const long = { match: { ...ANY, hosts: [host("a".repeat(AgLimit.HOST_KEY_BYTES))] } };
    expect(() => hostNameEntries(0, hostSets([{ ...asking("deny", []), ...long }]))).toThrow(
      "a host name has 249 bytes",
    );
    const { sets } = hostSets([asking("deny", ["a"])]);
    const many = Array.from({ length: AgLimit.HOST_SETS_MAX + 1 }, () => sets).flat();
    expect(() => hostSetEntries(0, { names: [], sets: many })).toThrow("sets of host names");
  });
});

describe("in the kernel's maps", () => {
  const policy = (net: readonly LoweredNetRule[], refuses: boolean): LoweredPolicy => ({
    generation: 1,
    net,
    net_default: refuses ? { ...ALLOW, "net.connect": "deny" } : ALLOW,
    names: true,
    exec: [],
    exec_default: "allow",
  });
  const verdict = (maps: FakeMaps, address: readonly number[], ...hosts: readonly string[]): string => {
    const tried: NetTry = { action: "net.connect", address: Uint8Array.from(address), port: 1, protocol: 6, hosts };
    return maps.decideNet(tried).verdict;
  };
  const PUBLIC = [203, 0, 113, 7];

  test("an allow by name lifts the default for that name, and not where it is special", () => {
    const maps = new FakeMaps();
    new KernelPolicy(maps.get).install(policy([asking("allow", ["*.b"])], true));
    expect([verdict(maps, PUBLIC, "a.b"), verdict(maps, PUBLIC, "c", "a.b")]).toEqual(["allow", "allow"]);
    expect([verdict(maps, PUBLIC), verdict(maps, PUBLIC, "b"), verdict(maps, [10, 0, 0, 1], "a.b")]).toEqual([
      "deny",
      "deny",
      "deny",
    ]);
  });

  test("a deny by name holds everywhere, its exception by name not where it is special", () => {
    const maps = new FakeMaps();
    new KernelPolicy(maps.get).install(policy([asking("deny", ["*"], ["a.b"])], false));
    expect([verdict(maps, PUBLIC), verdict(maps, PUBLIC, "c"), verdict(maps, PUBLIC, "a.b")]).toEqual([
      "allow",
      "deny",
      "allow",
    ]);
    expect(verdict(maps, [127, 0, 0, 1], "a.b")).toBe("deny");
  });

  test("another policy leaves nothing of the names before, after both slots are used again", () => {
    const maps = new FakeMaps();
    const kernel = new KernelPolicy(maps.get);
    for (let i = 0; i < 2; i++) kernel.install(policy([asking("allow", ["*.b"])], true));
    for (let i = 0; i < 2; i++) kernel.install(policy([asking("allow", ["c"])], true));
    expect(maps.get("host_names").entries.size).toBe(2);
    expect([verdict(maps, PUBLIC, "a.b"), verdict(maps, PUBLIC, "c")]).toEqual(["deny", "allow"]);
  });

  test("resolvers are replaced as a whole, and belong to no slot", () => {
    const maps = new FakeMaps();
    const kernel = new KernelPolicy(maps.get);
    kernel.setResolvers(["192.0.2.53", "2001:db8::53"]);
    kernel.setResolvers(["2001:db8::53", "192.0.2.54"]);
    expect(maps.get("resolvers").keys().map((key) => key.toHex()).toSorted()).toEqual(
      [addressKey("2001:db8::53"), addressKey("192.0.2.54")].map((key) => key.toHex()).toSorted(),
    );
    expect(() => addressKey("nobody")).toThrow("nobody is none");
  });

  test("names that hold are taught for the new policy before it is in force, others for the one that is", () => {
    const maps = new FakeMaps();
    const lessons: (Partial<NameLesson> & { readonly in_force: number })[] = [];
    const kernel = new KernelPolicy(maps.get, undefined, {
      teach: (lesson) => void lessons.push({ ...lesson, in_force: maps.slot() }),
    });
    const names: readonly AddressName[] = [
      { address: "203.0.113.7", name: "a.b", expires_us: 1_000_000.25 },
      { address: "2001:db8::7", name: "box", expires_us: Infinity },
    ];
    kernel.install(policy([asking("allow", ["*.b"])], true), names);
    expect(lessons.map(({ slot, in_force, address, name }) => [slot, in_force, address?.length, name])).toEqual([
      [undefined, 0, undefined, undefined],
      [1, 0, 4, "a.b"],
      [1, 0, 16, "box"],
    ]);
    expect(lessons.map(({ expires_ns }) => expires_ns)).toEqual([undefined, 1_000_000_000n, undefined]);
    lessons.length = 0;
    kernel.teach(names.slice(0, 1));
    expect(lessons.map(({ slot, name }) => [slot, name])).toEqual([[1, "a.b"]]);
    lessons.length = 0;
    const { names: _names, ...without } = policy([], true);
    kernel.install(without, names);
    expect(lessons.map(({ name }) => name)).toEqual([undefined]);
  });
});
