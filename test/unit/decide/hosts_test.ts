/** Rules by host name: several names of one address, look-ups, and addresses to which no name may lead. */
import { describe, expect, test } from "bun:test";
import { explain } from "../../../lib/decide/mod.ts";
import type { Action, Event } from "../../../lib/core/mod.ts";
import { evaluateReference } from "../../../lib/decide/reference.ts";
import { enforcing, event, findings, load, rule } from "./support.ts";

function to(address: string, ...hosts: readonly string[]): Event {
  const [host] = hosts;
  const action: Action = {
    type: "net.connect",
    address,
    port: 443,
    protocol: "tcp",
    ...(host === undefined ? {} : { host, host_source: "dns" }),
    ...(hosts.length > 1 ? { hosts } : {}),
  };
  return event(action);
}

/** The verdict, on which both interpreters agree. */
function verdict(text: string, each: Event): string {
  const snapshot = load(text);
  const ruling = snapshot.evaluate(each);
  expect(ruling).toEqual(evaluateReference(snapshot.layers, each));
  return ruling.verdict;
}

const ALLOW = enforcing(
  "[default]",
  'net = "deny"',
  rule("api", 'action = "net.connect"\nhost = ["api.example.com", "*.cdn.example.com"]\nverdict = "allow"'),
);
const DENY = enforcing(rule("tracker", 'action = "net.*"\nhost = ".tracker.example"\nverdict = "deny"'));
const EXCEPT = enforcing(
  rule("none", 'action = "net.connect"\nexcept = { host = "api.example.com" }\nverdict = "deny"'),
);

describe("several names of one address", () => {
  test("any of them is enough, for what permits and for what forbids", () => {
    expect(verdict(ALLOW, to("192.0.2.7", "other.example", "api.example.com"))).toBe("allow");
    expect(verdict(ALLOW, to("192.0.2.7", "other.example", "A.CDN.example.com."))).toBe("allow");
    expect(verdict(ALLOW, to("192.0.2.7", "other.example", "example.com"))).toBe("deny");
    expect(verdict(DENY, to("192.0.2.7", "a.example", "x.tracker.example"))).toBe("deny");
    expect(verdict(DENY, to("192.0.2.7", "a.example", "b.example"))).toBe("allow");
    expect(verdict(EXCEPT, to("192.0.2.7", "b.example", "api.example.com"))).toBe("allow");
  });

  test("an address without a name has none: what permits by name does not hold", () => {
    expect(verdict(ALLOW, to("192.0.2.7"))).toBe("deny");
    expect(verdict(EXCEPT, to("192.0.2.7"))).toBe("deny");
    expect(verdict(DENY, to("192.0.2.7"))).toBe("allow");
  });

  test("a rate counts by the latest name", () => {
    const text = enforcing(
      rule("few", 'action = "net.connect"\nrate = { count = 1, per = "1m", key = "host" }\nverdict = "deny"'),
    );
    expect(verdict(text, to("192.0.2.7", "a.example", "b.example"))).toBe("allow");
  });
});

describe("rebinding", () => {
  const NEAR = ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1", "::ffff:192.168.0.1", "64:ff9b::a00:1"];

  test.each([...NEAR])("a name permits nothing at %s, and forbids there as anywhere", (address) => {
    expect(verdict(ALLOW, to(address, "api.example.com"))).toBe("deny");
    expect(verdict(EXCEPT, to(address, "api.example.com"))).toBe("deny");
    expect(verdict(DENY, to(address, "tracker.example"))).toBe("deny");
  });

  test("with the address beside the name in the same rule, or in the same exception, it does", () => {
    const allow = enforcing(
      "[default]",
      'net = "deny"',
      rule("near", 'action = "net.connect"\nhost = "api.example.com"\naddress = "10.0.0.0/8"\nverdict = "allow"'),
    );
    expect(verdict(allow, to("10.1.2.3", "api.example.com"))).toBe("allow");
    expect(verdict(allow, to("192.168.1.1", "api.example.com"))).toBe("deny");
    const excepted = enforcing(
      rule(
        "none",
        'action = "net.connect"\nexcept = { host = "api.example.com", address = "10.0.0.0/8" }\nverdict = "deny"',
      ),
    );
    expect(verdict(excepted, to("10.1.2.3", "api.example.com"))).toBe("allow");
    const around = enforcing(
      rule(
        "none",
        'action = "net.connect"\naddress = "10.0.0.0/8"\nexcept = { host = "api.example.com" }\nverdict = "deny"',
      ),
    );
    expect(verdict(around, to("10.1.2.3", "api.example.com"))).toBe("deny");
  });

  test("a question by name does not lift a stricter default there", () => {
    const text = enforcing(
      "[default]",
      'net = "deny"',
      rule("ask", 'action = "net.connect"\nhost = "api.example.com"\nverdict = "ask"'),
    );
    expect(verdict(text, to("192.0.2.7", "api.example.com"))).toBe("ask");
    expect(verdict(text, to("10.0.0.1", "api.example.com"))).toBe("deny");
  });

  test("explain says why the name does not help", () => {
    const [candidate] = explain(load(ALLOW), to("10.0.0.1", "api.example.com")).candidates;
    expect(candidate).toMatchObject({ outcome: "fails", predicate: "host" });
    expect(candidate?.got).toEqual(["api.example.com, at an address of special purpose"]);
  });
});

describe("look-ups", () => {
  const dns = event({ type: "net.dns", name: "api.example.com", answers: ["10.0.0.1"], ttl_s: 60 });

  test("are facts: what is said of the network does not speak of them", () => {
    expect(verdict(enforcing("[default]", 'net = "deny"'), dns)).toBe("allow");
    expect(verdict(enforcing("[default]", '"*" = "deny"'), dns)).toBe("allow");
    expect(verdict(enforcing(rule("all", 'action = "net.*"\nverdict = "deny"')), dns)).toBe("allow");
  });

  test("are matched by name where a rule says net.dns", () => {
    const log = (host: string): string =>
      enforcing(rule("seen", `action = "net.dns"\nhost = "${host}"\nverdict = "log"`));
    expect(load(log("*.example.com")).evaluate(dns).rule).toBe("seen");
    expect(load(log("example.com")).evaluate(dns).rule).toBeUndefined();
  });

  test("nothing that is bound has a name", () => {
    expect(findings(enforcing(rule("b", 'action = "net.bind"\nhost = "a.example"\nverdict = "deny"')))).toEqual([
      expect.stringContaining("predicate host never holds for the actions of this rule"),
    ]);
  });
});

describe("inline tests", () => {
  test("take one name or several, and an address outside of every special network where none is given", () => {
    const tests = 'match = [{ host = "api.example.com" }, { host = ["x.example", "api.example.com"] }]\n' +
      'not_match = [{ host = "api.example.com", address = "10.0.0.1" }, { host = "x.example" }]';
    const text = `action = "net.connect"\nhost = "api.example.com"\nverdict = "allow"\n${tests}`;
    expect(load(enforcing(rule("api", text))).rules).toHaveLength(1);
  });
});
