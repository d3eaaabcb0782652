/** Nameservers and names of the host, as its files have them. */
import { expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { parseNameservers, readNameservers, trustedResolvers } from "../../../lib/app/resolvers.ts";
import { readHosts } from "../../../lib/app/hosts_names.ts";
import { loadPolicy } from "../../../lib/decide/mod.ts";
import { TempDir } from "../../support/mod.ts";

test("nameservers: one spelling, without zones and repetition; without any this host", () => {
  const text = "# nameserver 192.0.2.1\nsearch example.com\nnameserver 192.0.2.53\n  nameserver\t2001:DB8::53\n" +
    "nameserver fe80::1%eth0\nnameserver 192.0.2.53\nnameserver\nnameserver dns.example\nnameservers 192.0.2.9\n";
  expect(parseNameservers(text)).toEqual(["192.0.2.53", "2001:db8::53", "fe80::1"]);
  expect(parseNameservers("search example.com")).toEqual(["127.0.0.1"]);
  const many = Array.from({ length: 99 }, (_, i) => `nameserver 192.0.2.${i}`).join("\n");
  expect(parseNameservers(many)).toHaveLength(64);
});

test("files that are there, too long, or not there", async () => {
  await using dir = await TempDir.create();
  const path = dir.join("file");
  await writeFile(path, "nameserver 192.0.2.53\n192.0.2.1 a.example\n");
  expect(readNameservers(path)).toEqual(["192.0.2.53"]);
  expect([...readHosts(path)]).toEqual([["192.0.2.1", ["a.example"]]]);
  // What lies behind the bound is not read, and no line is cut.
  await writeFile(path, `nameserver 192.0.2.53\n${"#".repeat(262_100)}\nnameserver 192.0.2.54\n`);
  expect(readNameservers(path)).toEqual(["192.0.2.53"]);
  expect(readNameservers(dir.join("none"))).toEqual([]);
  expect([...readHosts(dir.join("none"))]).toEqual([]);
  expect([...readHosts(dir.path)]).toEqual([]);
});

test("the policy's own take the place of the host's", () => {
  const guard = (line: string): Parameters<typeof trustedResolvers>[0] => {
    const loaded = loadPolicy([{ file: "p", bytes: new TextEncoder().encode(`version = 1\n[guard]\n${line}\n`) }], {
      generation: 1,
    });
    if (!loaded.ok) throw new Error("the policy loads");
    return loaded.value.guard;
  };
  expect(trustedResolvers(guard(""), ["192.0.2.53"])).toEqual(["192.0.2.53"]);
  expect(trustedResolvers(guard('resolvers = "2001:db8::53"'), ["192.0.2.53"])).toEqual(["2001:db8::53"]);
});
