/** The warning about names that nobody could ask for. */
import { describe, expect, test } from "bun:test";
import { checkResolvers, formatDiagnostic } from "../../../lib/decide/mod.ts";
import { enforcing, load, rule } from "./support.ts";

const RESOLVERS = ["192.0.2.53", "2001:db8::53"];
const API = rule("api", 'action = "net.connect"\nhost = "api.example.com"\nverdict = "allow"');
const DENY = ["[default]", 'net = "deny"'];

function warnings(text: string, resolvers: readonly string[] = RESOLVERS): readonly string[] {
  return checkResolvers(load(text), resolvers).map((each) => formatDiagnostic(each));
}

function dns(body: string): string {
  return rule("dns", `action = ["net.connect", "net.send"]\nverdict = "allow"\n${body}`);
}

describe("names that no resolver can give", () => {
  test("are told of once, with what would help", () => {
    const [first, ...others] = warnings(enforcing(...DENY, API, API.replace('"api"', '"again"')));
    expect(others).toEqual([]);
    expect(first).toContain('rule "api" asks for names that no resolver can give: datagrams to 192.0.2.53, ');
    expect(first).toContain("allow net.connect and net.send to 192.0.2.53 port 53 protocol udp");
    expect(warnings(enforcing(API), [])[0]).toContain("name one in [guard] resolvers");
  });

  test.each([
    ["port = 53", true],
    ['port = "50-60"\nprotocol = ["tcp", "udp"]', true],
    ['address = "192.0.2.0/24"', true],
    ['address = "2001:db8::53"\nport = 53\nprotocol = "udp"', true],
    ['by = "curl"\nport = 53', true],
    ["port = 54", false],
    ['address = "198.51.100.0/24"', false],
    ['port = 53\nprotocol = "tcp"', false],
    ['port = 53\nhost = "resolver.example"', false],
  ])("an allow with %j helps: %p", (body, helps) => {
    expect(warnings(enforcing(...DENY, API, dns(body))).length).toBe(helps ? 0 : 1);
  });

  test("a default that lets it through, rules without names, and what only observes are nothing to warn of", () => {
    expect(warnings(enforcing(API))).toEqual([]);
    expect(warnings(enforcing(...DENY, dns("port = 443")))).toEqual([]);
    expect(warnings(enforcing('mode = "observe"', ...DENY, API))).toEqual([]);
  });
});
