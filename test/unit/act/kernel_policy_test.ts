import { describe, expect, test } from "bun:test";
import { AgControl, AgExecKey } from "../../../probes/abi.gen.ts";
import type { LoweredExecRule, LoweredNetRule, LoweredPolicy } from "../../../lib/core/mod.ts";
import { KernelPolicy } from "../../../lib/act/mod.ts";
import { execKey } from "../../../lib/act/exec_rules.ts";
import { addRule, noRules, pushDown } from "../../../lib/act/prefix_bits.ts";
import { FakeMaps, type NetTry } from "./fake_maps.ts";

const ALLOW = { "net.connect": "allow", "net.send": "allow", "net.bind": "allow" } as const;
const ANY = { cidrs: [], ports: [], protocols: [] } as const;

function policy(fields: Partial<LoweredPolicy> = {}): LoweredPolicy {
  return { generation: 1, net: [], net_default: ALLOW, exec: [], exec_default: "allow", ...fields };
}

function denyPort(port: number, rule_index = 0): LoweredNetRule {
  const match = { ...ANY, ports: [{ from: port, to: port }] };
  return { rule_index, verdict: "deny", actions: ["net.connect"], match };
}

function connect(port: number): NetTry {
  return { action: "net.connect", address: Uint8Array.of(192, 0, 2, 1), port, protocol: 6 };
}

function installed(given: LoweredPolicy): FakeMaps {
  const maps = new FakeMaps();
  new KernelPolicy(maps.get).install(given);
  return maps;
}

function execRule(fields: Partial<LoweredExecRule>): LoweredExecRule {
  return { rule_index: 0, verdict: "deny", paths: [], names: [], trees: [], ...fields };
}

describe("slots", () => {
  test("each install fills the other slot and flips to it; what else the control word holds stays", () => {
    const maps = new FakeMaps();
    const control = new Uint8Array(AgControl.SIZE);
    new DataView(control.buffer).setUint32(AgControl.agents, 1, true);
    maps.get("control").update(new Uint8Array(4), control);
    const kernel = new KernelPolicy(maps.get);
    const slots = [1, 2, 3].map((generation) => {
      kernel.install(policy({ generation, net: [denyPort(generation)] }));
      expect([1, 2, 3].map((port) => maps.decideNet(connect(port)).verdict)).toEqual(
        [1, 2, 3].map((port) => (port === generation ? "deny" : "allow")),
      );
      return maps.slot();
    });
    expect(slots).toEqual([1, 0, 1]);
    const now = new Uint8Array(AgControl.SIZE);
    maps.get("control").lookup(new Uint8Array(4), now);
    expect(new DataView(now.buffer).getUint32(AgControl.agents, true)).toBe(1);
  });

  test("a slot that is used again holds nothing of what it held before", () => {
    const maps = new FakeMaps();
    const kernel = new KernelPolicy(maps.get);
    const full = policy({
      net: [{ ...denyPort(1), except: { ...ANY, cidrs: [{ bytes: Uint8Array.of(10, 0, 0, 0), prefix_bits: 8 }] } }],
      exec: [execRule({ paths: ["/bin/a"], names: ["b"], trees: ["/c"] })],
      unix: [{ rule_index: 4, paths: ["/run/s", "@a"], names: ["b"], trees: ["/c"] }],
    });
    kernel.install(full);
    expect(maps.get("unix_rules").entries.size).toBe(3);
    expect(maps.get("unix_rules").entries.get(execKey(1, "@a", false).toHex())?.toHex()).toBe("0200000004000000");
    expect(maps.get("unix_trees").entries.size).toBe(1);
    kernel.install(policy({ generation: 2 }));
    kernel.install(policy({ generation: 3 }));
    expect(maps.decideNet(connect(1))).toEqual({ verdict: "allow", rule_index: -1, generation: 3 });
    expect(maps.decideExec(["/bin/a", "/c/b"])).toMatchObject({ verdict: "none" });
    for (const name of ["exec_rules", "exec_trees", "unix_rules", "unix_trees"]) {
      expect(maps.get(name).entries.size).toBe(0);
    }
    // Of the tries only the empty prefix of each slot is left, with no rule.
    for (const name of ["v4_rules", "v6_rules", "port_rules", "v4_except", "v6_except", "port_except"]) {
      const values = [...maps.get(name).entries.values()];
      expect(values.length).toBeLessThanOrEqual(2);
      expect(values.every((value) => value.every((byte) => byte === 0))).toBe(true);
    }
  });

  test("the policy before stays whole after the flip: a program may still be reading it", () => {
    const maps = new FakeMaps();
    const kernel = new KernelPolicy(maps.get);
    kernel.install(policy({ net: [denyPort(1)] }));
    kernel.install(policy({ generation: 2, net: [denyPort(2)] }));
    const control = new Uint8Array(AgControl.SIZE);
    new DataView(control.buffer).setUint32(AgControl.slot, 1, true);
    maps.get("control").update(new Uint8Array(4), control);
    expect(maps.decideNet(connect(1))).toEqual({ verdict: "deny", rule_index: 0, generation: 1 });
  });

  test("a policy that does not fit throws, and the old one stays", () => {
    const maps = new FakeMaps({ port_rules: 8 });
    const kernel = new KernelPolicy(maps.get);
    kernel.install(policy({ net: [denyPort(1)] }));
    const many = policy({ generation: 2, net: Array.from({ length: 9 }, (_, i) => denyPort(i + 100)) });
    expect(() => kernel.install(many)).toThrow("full");
    expect(maps.decideNet(connect(1))).toMatchObject({ verdict: "deny", generation: 1 });
    kernel.install(policy({ generation: 3, net: [denyPort(5)] }));
    expect(maps.decideNet(connect(5))).toMatchObject({ verdict: "deny", generation: 3 });
  });

  test("257 network rules are one too many, said before anything is written", () => {
    const maps = new FakeMaps();
    const rules = Array.from({ length: 257 }, (_, i) => denyPort(i));
    expect(() => new KernelPolicy(maps.get).install(policy({ net: rules }))).toThrow(
      "lower policy: 257 network rules, the kernel holds 256",
    );
    expect(maps.slot()).toBe(0);
  });
});

describe("network rules", () => {
  test.each([0, 63, 64, 127, 128, 255])("rule number %d names itself by its index in the snapshot", (bit) => {
    const net = Array.from({ length: 256 }, (_, i) => denyPort(1_000 + i, 5_000 + i));
    expect(installed(policy({ net })).decideNet(connect(1_000 + bit))).toEqual({
      verdict: "deny",
      rule_index: 5_000 + bit,
      generation: 1,
    });
  });

  test("an except on one part holds only where all of its parts hold", () => {
    const except = {
      cidrs: [{ bytes: Uint8Array.of(192, 0, 2, 0), prefix_bits: 24 }],
      ports: [{ from: 443, to: 443 }],
      protocols: ["tcp"],
    } as const;
    const maps = installed(policy({
      net: [{ rule_index: 0, verdict: "deny", actions: ["net.connect", "net.send"], match: ANY, except }],
    }));
    expect(maps.decideNet(connect(443)).verdict).toBe("allow");
    expect(maps.decideNet(connect(80)).verdict).toBe("deny");
    expect(maps.decideNet({ ...connect(443), protocol: 17 }).verdict).toBe("deny");
    expect(maps.decideNet({ ...connect(443), action: "net.send" }).verdict).toBe("allow");
    expect(maps.decideNet({ ...connect(443), action: "net.bind" }).verdict).toBe("allow");
    expect(maps.decideNet({ ...connect(443), address: Uint8Array.of(192, 0, 3, 1) }).verdict).toBe("deny");
  });

  test("a deny by default per action; an allow lifts it", () => {
    const match = { ...ANY, cidrs: [{ bytes: Uint8Array.of(127, 0, 0, 0), prefix_bits: 8 }] };
    const maps = installed(policy({
      net: [{ rule_index: 4, verdict: "allow", actions: ["net.connect"], match }],
      net_default: { "net.connect": "deny", "net.send": "deny", "net.bind": "allow" },
    }));
    const local = { ...connect(1), address: Uint8Array.of(127, 0, 0, 1) };
    expect(maps.decideNet(local).verdict).toBe("allow");
    expect(maps.decideNet(connect(1))).toEqual({ verdict: "deny", rule_index: -1, generation: 1 });
    expect(maps.decideNet({ ...local, action: "net.send" }).verdict).toBe("deny");
    expect(maps.decideNet({ ...local, action: "net.bind" }).verdict).toBe("allow");
  });
});

describe("prefix push-down", () => {
  const prefix = (bytes: number[], bits: number, rule: number) => ({ bytes: Uint8Array.from(bytes), bits, rule });

  test("an entry carries the rules of every shorter prefix that covers it", () => {
    const entries = pushDown([
      prefix([10, 1, 2, 3], 32, 3),
      prefix([10, 0, 0, 0], 8, 1),
      prefix([0, 0, 0, 0], 0, 0),
      prefix([10, 1, 0, 0], 16, 64),
      prefix([11, 0, 0, 0], 8, 2),
    ], 4);
    expect(entries.map(({ bits, words }) => [bits, ...words.subarray(0, 2)])).toEqual([
      [0, 1n, 0n],
      [8, 3n, 0n],
      [8, 5n, 0n],
      [16, 3n, 1n],
      [32, 11n, 1n],
    ]);
  });

  test("bits behind the prefix do not make another entry", () => {
    const entries = pushDown([prefix([10, 255, 0, 0], 9, 0), prefix([10, 128, 7, 7], 9, 1)], 4);
    expect(entries.map(({ bytes, bits, words }) => [[...bytes], bits, words[0]])).toEqual([
      [[0, 0, 0, 0], 0, 0n],
      [[10, 128, 0, 0], 9, 3n],
    ]);
  });

  test("rule 255 is the highest bit of the last word", () => {
    const words = noRules();
    addRule(words, 255);
    expect([...words]).toEqual([0n, 0n, 0n, 1n << 63n]);
  });
});

describe("exec rules", () => {
  test.each(
    [
      ["/usr/bin/nc", "deny"],
      ["/opt/tool", "deny"],
      ["/opt", "allow"],
      ["/optional/tool", "allow"],
      ["/home/x/curl", "deny"],
      ["/home/x/curl2", "allow"],
      ["/usr/bin/nc2", "allow"],
    ] as const,
  )("%s: %s", (path, verdict) => {
    const maps = installed(policy({ exec: [execRule({ paths: ["/usr/bin/nc"], names: ["curl"], trees: ["/opt"] })] }));
    expect(maps.decideExec([path]).verdict).toBe(verdict);
    expect(maps.decideExec(["/bin/other", path]).verdict).toBe(verdict);
  });

  test("a path longer than any key still counts by its directory and its base name", () => {
    const maps = installed(policy({ exec: [execRule({ names: ["nc"], trees: ["/opt"] })] }));
    const deep = "/d".repeat(150);
    expect(maps.decideExec([`${deep}/nc`]).verdict).toBe("deny");
    expect(maps.decideExec([`/opt${deep}/x`]).verdict).toBe("deny");
    expect(maps.decideExec([`${deep}/x`]).verdict).toBe("allow");
  });

  test("where several rules name one key, the deny holds, then the first rule", () => {
    const maps = installed(policy({
      exec: [
        execRule({ rule_index: 1, verdict: "allow", paths: ["/bin/a"] }),
        execRule({ rule_index: 2, verdict: "ask", paths: ["/bin/a"] }),
        execRule({ rule_index: 3, verdict: "deny", paths: ["/bin/a"] }),
      ],
    }));
    expect(maps.decideExec(["/bin/a"])).toEqual({ verdict: "deny", rule_index: 2, generation: 1 });
  });

  test("a deny on a directory above holds below a more specific allow", () => {
    const maps = installed(policy({
      exec: [
        execRule({ rule_index: 1, trees: ["/a"] }),
        execRule({ rule_index: 2, verdict: "allow", trees: ["/a/b/c", "/x"] }),
        execRule({ rule_index: 3, trees: ["/a/b"] }),
      ],
    }));
    expect(maps.decideExec(["/a/b/c/d"])).toMatchObject({ verdict: "deny", rule_index: 1 });
    expect(maps.decideExec(["/a/b/x"])).toMatchObject({ verdict: "deny", rule_index: 1 });
    expect(maps.decideExec(["/x/y"])).toMatchObject({ verdict: "allow", rule_index: 2 });
  });

  test("a rule on everything below the root", () => {
    const maps = installed(policy({
      exec: [execRule({ trees: [""] }), execRule({ rule_index: 1, verdict: "allow", trees: ["/usr"] })],
    }));
    expect(maps.decideExec(["/usr/bin/x"])).toMatchObject({ verdict: "deny", rule_index: 0 });
    expect(maps.decideExec(["/bin/x"]).verdict).toBe("deny");
  });

  test("247 bytes fit a key, 248 do not", () => {
    const fits = `/${"a".repeat(246)}`;
    expect(installed(policy({ exec: [execRule({ paths: [fits] })] })).decideExec([fits]).verdict).toBe("deny");
    expect(() => installed(policy({ exec: [execRule({ paths: [`${fits}a`] })] }))).toThrow("longer than 247 bytes");
    expect(() => installed(policy({ exec: [execRule({ trees: [fits] })] }))).toThrow("longer than 247 bytes");
  });
});

describe("agents", () => {
  test("are found by path or base name in slot 0, and replaced as a whole", () => {
    const maps = new FakeMaps();
    const kernel = new KernelPolicy(maps.get);
    kernel.setAgents([{ index: 0, paths: ["/usr/bin/claude"], names: [] }, { index: 1, paths: [], names: ["codex"] }]);
    const value = new Uint8Array(4);
    expect(maps.get("agents").lookup(execKey(0, "codex", true), value)).toBe(true);
    expect(new DataView(value.buffer).getUint32(0, true)).toBe(1);
    expect(maps.get("agents").lookup(execKey(0, "/usr/bin/claude", false), value)).toBe(true);
    kernel.setAgents([{ index: 3, paths: [], names: ["other"] }]);
    expect(maps.get("agents").keys().map((key) => new DataView(key.buffer).getUint32(AgExecKey.slot, true))).toEqual([
      0,
    ]);
    expect(maps.get("agents").lookup(execKey(0, "codex", true), value)).toBe(false);
  });
});
