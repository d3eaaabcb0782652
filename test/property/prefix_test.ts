/** The kernel's copy of a policy says what the rules say. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import * as fc from "fast-check";
import type {
  Cidr,
  LoweredExecRule,
  LoweredNetRule,
  LoweredPolicy,
  NetActionName,
  NetMatch,
  PortRange,
} from "../../lib/core/mod.ts";
import { KernelPolicy } from "../../lib/act/mod.ts";
import { portPrefixes } from "../../lib/act/prefix_bits.ts";
import { FakeMaps, type NetTry, type Said } from "../unit/act/fake_maps.ts";
import { runParameters } from "./task_support.ts";

/** On a busy machine this takes longer than the default of five seconds. */
setDefaultTimeout(60_000);

const NAMES: readonly NetActionName[] = ["net.connect", "net.send", "net.bind"];

/** Few distinct bytes, so that prefixes overlap and addresses hit them. */
const byte = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(0, 1, 10, 128, 192, 255) }, {
  weight: 1,
  arbitrary: fc.nat(255),
});
const address4 = fc.tuple(byte, byte, byte, byte).map((bytes) => Uint8Array.from(bytes));
const address6 = fc.tuple(fc.constantFrom(0, 0xfd, 0x20), byte, byte, byte).map(([a, b, c, d]) =>
  Uint8Array.from([a, b, c, 0, 0, 0, 0, d, 0, 0, 0, 0, 0, 0, 0, d])
);
const cidr: fc.Arbitrary<Cidr> = fc.oneof(
  fc.record({ bytes: address4, prefix_bits: fc.integer({ min: 0, max: 32 }) }),
  fc.record({ bytes: address6, prefix_bits: fc.integer({ min: 0, max: 128 }) }),
);
const port = fc.oneof(fc.constantFrom(0, 22, 80, 443, 1023, 1024, 65_535), fc.nat(65_535));
const range: fc.Arbitrary<PortRange> = fc.tuple(port, port).map(([a, b]) => ({
  from: Math.min(a, b),
  to: Math.max(a, b),
}));
const match: fc.Arbitrary<NetMatch> = fc.record({
  cidrs: fc.array(cidr, { maxLength: 3 }),
  ports: fc.array(range, { maxLength: 2 }),
  protocols: fc.subarray(["tcp", "udp"] as const),
});
const rule: fc.Arbitrary<Omit<LoweredNetRule, "rule_index">> = fc.record({
  verdict: fc.constantFrom("deny", "ask", "allow"),
  actions: fc.subarray([...NAMES], { minLength: 1 }),
  match,
  except: match,
}, { requiredKeys: ["verdict", "actions", "match"] });
const either = fc.constantFrom("allow", "deny");
const net_default = fc.record({ "net.connect": either, "net.send": either, "net.bind": either });

/** Rules with indices that are not their place, as in a snapshot with other rules between. */
function policyOf(
  net: readonly Omit<LoweredNetRule, "rule_index">[],
  defaults: LoweredPolicy["net_default"],
  generation = 1,
): LoweredPolicy {
  return {
    generation,
    net: net.map((each, i) => ({ ...each, rule_index: i * 3 + 1 })),
    net_default: defaults,
    exec: [],
    exec_default: "allow",
  };
}

function inside(address: Uint8Array, { bytes, prefix_bits }: Cidr): boolean {
  if (address.length !== bytes.length) return false;
  for (let i = 0; i < prefix_bits; i++) {
    const mask = 0x80 >> (i & 7);
    if (((address[i >> 3] ?? 0) & mask) !== ((bytes[i >> 3] ?? 0) & mask)) return false;
  }
  return true;
}

function holds(given: NetMatch, request: NetTry): boolean {
  const by_address = given.cidrs.length === 0 || given.cidrs.some((each) => inside(request.address, each));
  const by_port = given.ports.length === 0 ||
    given.ports.some(({ from, to }) => from <= request.port && request.port <= to);
  const protocol = request.protocol === 6 ? "tcp" : request.protocol === 17 ? "udp" : undefined;
  const by_protocol = given.protocols.length === 0 || given.protocols.some((each) => each === protocol);
  return by_address && by_port && by_protocol;
}

/** One rule after the other: a deny or an ask that holds, else an allow that holds, else the default. */
function naive(policy: LoweredPolicy, request: NetTry): Pick<Said, "verdict" | "rule_index"> {
  const held = policy.net.filter((each) =>
    each.actions.includes(request.action) && holds(each.match, request) &&
    (each.except === undefined || !holds(each.except, request))
  );
  const first = held.find((each) => each.verdict !== "allow");
  if (first !== undefined) return { verdict: "deny", rule_index: first.rule_index };
  const verdict = held.length > 0 ? "allow" : policy.net_default[request.action];
  return { verdict, rule_index: -1 };
}

/** Requests at the edges of what the rules name, and others. */
function requests(policy: LoweredPolicy, more: readonly NetTry[]): NetTry[] {
  const matches = policy.net.flatMap((each) => [each.match, ...(each.except === undefined ? [] : [each.except])]);
  const ports = matches.flatMap((each) => each.ports.flatMap(({ from, to }) => [from, to, from - 1, to + 1]));
  const addresses = matches.flatMap((each) => each.cidrs.map((one) => one.bytes));
  const edge = addresses.slice(0, 6).flatMap((address) =>
    [...ports.filter((one) => one >= 0 && one <= 65_535).slice(0, 6), 9].flatMap((each) =>
      NAMES.map((action, i): NetTry => ({ action, address, port: each, protocol: [6, 17, 1][i] ?? 6 }))
    )
  );
  return [...edge, ...more];
}

const request: fc.Arbitrary<NetTry> = fc.record({
  action: fc.constantFrom(...NAMES),
  address: fc.oneof(address4, address6),
  port,
  protocol: fc.constantFrom(6, 17, 1, 132),
});

describe("network", () => {
  test("maps and rules agree on verdict and rule", () => {
    fc.assert(
      fc.property(
        fc.array(rule, { maxLength: 12 }),
        net_default,
        fc.array(request, { maxLength: 30 }),
        (rules, defaults, more) => {
          const policy = policyOf(rules, defaults);
          const maps = new FakeMaps();
          new KernelPolicy(maps.get).install(policy);
          for (const each of requests(policy, more)) {
            expect(maps.decideNet(each)).toEqual({ ...naive(policy, each), generation: 1 });
          }
        },
      ),
      { numRuns: 60, ...runParameters() },
    );
  });

  test("256 rules fill all words of the bit vectors", () => {
    fc.assert(
      fc.property(
        fc.array(rule, { minLength: 256, maxLength: 256 }),
        net_default,
        fc.array(request, { minLength: 5, maxLength: 20 }),
        (rules, defaults, more) => {
          const policy = policyOf(rules, defaults);
          const maps = new FakeMaps();
          new KernelPolicy(maps.get).install(policy);
          for (const each of more) {
            expect(maps.decideNet(each)).toEqual({ ...naive(policy, each), generation: 1 });
          }
        },
      ),
      { numRuns: 5, ...runParameters() },
    );
  });

  test("while a policy is installed, every lookup is answered by one whole policy, the old or the new", () => {
    const small = fc.array(rule, { maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(small, { minLength: 2, maxLength: 4 }),
        net_default,
        fc.array(request, { minLength: 3, maxLength: 6 }),
        (generations, defaults, tries) => {
          const maps = new FakeMaps();
          const kernel = new KernelPolicy(maps.get);
          const policies = generations.map((rules, i) => policyOf(rules, defaults, i + 1));
          const seen = new Set<number>();
          policies.forEach((policy, i) => {
            const before = policies[i - 1];
            maps.onChange = () => {
              for (const each of tries) {
                const said = maps.decideNet(each);
                if (said.generation === 0) continue; // nothing was ever installed
                const by = said.generation === policy.generation ? policy : before;
                if (by === undefined) throw new Error(`generation ${said.generation} decided`);
                expect(said).toEqual({ ...naive(by, each), generation: by.generation });
                seen.add(said.generation);
              }
            };
            kernel.install(policy);
          });
          expect([...seen].sort()).toEqual(policies.map((each) => each.generation));
        },
      ),
      { numRuns: 15, ...runParameters() },
    );
  });
});

describe("programs", () => {
  const part = fc.constantFrom("usr", "bin", "a", "b", "sh", "x".repeat(120));
  const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join("/")}`);
  const fits = path.filter((each) => each.length < 246);
  const exec_rule: fc.Arbitrary<Omit<LoweredExecRule, "rule_index">> = fc.record({
    verdict: fc.constantFrom("deny", "ask", "allow"),
    paths: fc.array(fits, { maxLength: 2 }),
    names: fc.array(part, { maxLength: 1 }),
    trees: fc.array(fits, { maxLength: 2 }),
  });

  test("maps and rules agree, for both names of a program", () => {
    fc.assert(
      fc.property(
        fc.array(exec_rule, { maxLength: 6 }),
        either,
        path,
        path,
        (rules, exec_default, resolved, requested) => {
          const exec = rules.map((each, i) => ({ ...each, rule_index: i }));
          const maps = new FakeMaps();
          const allow = { "net.connect": "allow", "net.send": "allow", "net.bind": "allow" } as const;
          new KernelPolicy(maps.get).install({ generation: 4, net: [], net_default: allow, exec, exec_default });
          const named = (each: LoweredExecRule, name: string): boolean =>
            each.paths.includes(name) || each.names.includes(name.slice(name.lastIndexOf("/") + 1)) ||
            each.trees.some((tree) => name.startsWith(`${tree}/`));
          const held = exec.filter((each) => named(each, resolved) || named(each, requested));
          const denies = held.filter((each) => each.verdict !== "allow").map((each) => each.rule_index);
          const said = maps.decideExec([resolved, requested]);
          if (exec.length === 0 && exec_default === "allow") expect(said.verdict).toBe("none");
          else if (denies.length > 0) {
            expect(said).toMatchObject({ verdict: "deny", generation: 4 });
            expect(denies).toContain(said.rule_index);
          } else {
            expect(said.verdict).toBe(held.length > 0 ? "allow" : exec_default);
            const allowing = held.map((each) => each.rule_index);
            expect(held.length > 0 ? allowing : [-1]).toContain(said.rule_index);
          }
        },
      ),
      runParameters(),
    );
  });
});

describe("port ranges", () => {
  const covers = (from: number, to: number, at: number): number =>
    portPrefixes(from, to).filter(({ bytes, bits }) => {
      const first = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
      return at >> (16 - bits) === first >> (16 - bits);
    }).length;

  test("every port of the range is in exactly one prefix, and no other is", () => {
    fc.assert(
      fc.property(range, fc.array(port, { maxLength: 20 }), ({ from, to }, more) => {
        expect(portPrefixes(from, to).length).toBeLessThanOrEqual(30);
        const middle = Math.floor((from + to) / 2);
        for (const at of [from - 1, from, from + 1, middle, to - 1, to, to + 1, ...more]) {
          if (at < 0 || at > 65_535) continue;
          expect(covers(from, to, at)).toBe(from <= at && at <= to ? 1 : 0);
        }
      }),
      runParameters(),
    );
  });

  test.each([[0, 65_535, 1], [0, 0, 1], [65_535, 65_535, 1], [1, 65_534, 30], [1024, 65_535, 6], [80, 81, 1]])(
    "%d to %d: %d prefixes that cover it exactly",
    (from, to, count) => {
      expect(portPrefixes(from, to)).toHaveLength(count);
      const all = portPrefixes(from, to).reduce((sum, { bits }) => sum + 2 ** (16 - bits), 0);
      expect(all).toBe(to - from + 1);
    },
  );
});
