/** Ways to reach an address by a name that does not permit it. */
import { TestResolver } from "../../support/resolver.ts";
import { type EscapeCase, saidOk } from "../harness/mod.ts";

/** What a case is about. */
interface Way {
  readonly escape: string;
  readonly way: "ask" | "forge";
  /** The only address whose answers are believed. */
  readonly resolver: string;
  readonly name: string;
  /** What the name leads to; absent: nobody answers at the resolver's address. */
  readonly leads_to?: string;
  /** What is to be reached. */
  readonly address: string;
}

/** The rule forbids what no name below example.com leads to. */
function reach(id: string, { escape, way, resolver, name, leads_to, address }: Way): EscapeCase {
  return {
    id: `dns-${id}`,
    escape,
    alone: true,
    head: `[guard]\nresolvers = ["${resolver}"]\n\n[default]\n"*" = "allow"\n`,
    rules: [
      'action = ["net.connect", "net.send"]\naddress = ["127.66.0.0/16", "203.0.113.0/24"]\nport = 7120\n' +
      'verdict = "deny"\nexcept = { host = "*.example.com" }',
    ],
    prepare: async () => {
      if (leads_to !== undefined) (await TestResolver.start(resolver, { [name]: [[leads_to]] })).unref();
    },
    command: ({ program }) => [program("names"), way, resolver, name, address],
    happened: saidOk,
    expected: [{ label: "prevented", mechanism: "cgroup" }],
  };
}

/** Attempts by names. */
export const NAMES: readonly EscapeCase[] = [
  reach("rebind", {
    escape: "DNS rebinding: an allowed name leads to an address of this host",
    way: "ask",
    resolver: "127.99.0.61",
    name: "rebind.example.com",
    leads_to: "127.66.0.1",
    address: "127.66.0.1",
  }),
  reach("forged", {
    escape: "an answer for an allowed name, sent to oneself from the resolver's address",
    way: "forge",
    resolver: "127.99.0.62",
    name: "api.example.com",
    address: "203.0.113.9",
  }),
  reach("other-address", {
    escape: "an allowed name is looked up, and another address is connected to",
    way: "ask",
    resolver: "127.99.0.63",
    name: "api.example.com",
    leads_to: "203.0.113.7",
    address: "203.0.113.9",
  }),
];
