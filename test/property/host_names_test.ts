/**
 * Rules by host name through all of their forms: what the maps of the kernel say is what the policy says, for random
 * rules, names and addresses.
 */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type Event, parseAddress, type SessionInfo } from "../../lib/core/mod.ts";
import { KernelPolicy } from "../../lib/act/mod.ts";
import { BASE_MECHANISMS, lower } from "../../lib/decide/mod.ts";
import { load } from "./decide/load.ts";
import { FakeMaps } from "../unit/act/fake_maps.ts";

const NAMES = ["a.b", "x.a.b", "y.x.a.b", "b", "ab", "xa.b", "a.b.c", "c", "a-b.c_d"];
const PATTERNS = [...NAMES, "*.b", "*.a.b", "*", "*b", ".a.b", ".b", "*c", "*.c_d"];
const ADDRESSES = [
  "192.0.2.1",
  "203.0.113.5",
  "10.0.0.1",
  "127.0.0.1",
  "169.254.169.254",
  "2001:db8::1",
  "::1",
  "fd00::1",
];

const list = (from: readonly string[]): fc.Arbitrary<readonly string[]> =>
  fc.uniqueArray(fc.constantFrom(...from), { minLength: 1, maxLength: 3 });
const predicates = fc.record({
  host: list(PATTERNS),
  address: list(["192.0.2.0/24", "10.0.0.0/8", "::/0", "0.0.0.0/0", "fd00::/8"]),
  port: fc.constantFrom(53, 443),
}, { requiredKeys: [] });

const rule = fc.record({
  verdict: fc.constantFrom("deny", "allow", "allow", "ask"),
  action: fc.constantFrom("net.connect", "net.send", "net.*"),
  predicates,
  except: fc.option(predicates.filter((each) => Object.keys(each).length > 0), { nil: undefined, freq: 2 }),
});

function table(of: Readonly<Record<string, unknown>>): string {
  return Object.entries(of).map(([key, value]) => `${key} = ${JSON.stringify(value)}`).join(", ");
}

const policy = fc.record({
  refuses: fc.boolean(),
  rules: fc.array(rule, { minLength: 1, maxLength: 6 }),
}).map(({ refuses, rules }) =>
  [
    'version = 1\n[default]\n"*" = "allow"',
    ...(refuses ? ['net = "deny"'] : []),
    ...rules.map(({ verdict, action, predicates, except }, i) =>
      [
        `[[rules]]\nname = "r${i}"\naction = "${action}"\nverdict = "${verdict}"`,
        ...Object.entries(predicates).map(([key, value]) => `${key} = ${JSON.stringify(value)}`),
        ...(except === undefined ? [] : [`except = { ${table(except)} }`]),
      ].join("\n")
    ),
  ].join("\n")
);

const attempt = fc.record({
  type: fc.constantFrom("net.connect" as const, "net.send" as const, "net.bind" as const),
  address: fc.constantFrom(...ADDRESSES),
  port: fc.constantFrom(53, 443, 80),
  protocol: fc.constantFrom("tcp" as const, "udp" as const),
  hosts: fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 3 }),
});

const SESSION: SessionInfo = {
  session_id: "s" as SessionInfo["session_id"],
  agent: "a",
  principal: "a",
  root: { pid: 1, start: "1" },
};

test("the kernel's maps say of every name and address what the policy says", () => {
  const seen = { by_name: 0, refused: 0, passed: 0 };
  fc.assert(
    fc.property(policy, fc.array(attempt, { minLength: 10, maxLength: 20 }), (text, attempts) => {
      const snapshot = load(text);
      const { policy: lowered, report } = lower(snapshot, { host: { available: BASE_MECHANISMS, names: true } });
      const maps = new FakeMaps();
      new KernelPolicy(maps.get).install(lowered);
      // What a default asks of rules that the kernel cannot hold is not its to decide.
      const held = report.every(({ mechanism, note }) => mechanism === "cgroup" || !note.includes("user space"));
      for (const { type, address, port, protocol, hosts } of attempts) {
        const named = type === "net.bind" ? [] : hosts;
        const [host] = named;
        const action: Event["action"] = {
          ...{ type, address, port, protocol },
          ...(host === undefined ? {} : { host, hosts: named }),
        };
        const ruling = snapshot.evaluate({ time_us: 0, session: SESSION, action });
        const bytes = parseAddress(address) ?? new Uint8Array();
        const said = maps.decideNet({
          action: type,
          address: bytes,
          port,
          protocol: protocol === "tcp" ? 6 : 17,
          hosts: named,
        });
        const forbidden = ruling.verdict === "deny" || ruling.verdict === "ask";
        if (said.verdict === "deny") expect([forbidden, text, action]).toEqual([true, text, action]);
        if (held && lowered.net_default[type] === (text.includes('net = "deny"') ? "deny" : "allow")) {
          expect([said.verdict === "deny", text, action]).toEqual([forbidden, text, action]);
        }
        if (hosts.length > 0 && ruling.rule_index >= 0) seen.by_name++;
        seen[forbidden ? "refused" : "passed"]++;
      }
    }),
    { numRuns: 400 },
  );
  expect(Math.min(seen.by_name, seen.refused, seen.passed)).toBeGreaterThan(200);
}, 60_000);
