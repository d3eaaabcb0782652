/** Every network of special purpose, at its first and last address and right outside of both. */
import { describe, expect, test } from "bun:test";
import { isSpecialPurpose, parseAddress } from "../../../lib/core/mod.ts";

function special(address: string): boolean {
  const bytes = parseAddress(address);
  if (bytes === undefined) throw new Error(`no address: ${address}`);
  return isSpecialPurpose(bytes);
}

/** First and last address of each network, and the neighbours that are outside; absent where another one begins. */
const NETWORKS: readonly (readonly [string, string, string, string | undefined, string | undefined])[] = [
  ["0.0.0.0/8", "0.0.0.0", "0.255.255.255", undefined, "1.0.0.0"],
  ["10.0.0.0/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"],
  ["100.64.0.0/10", "100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"],
  ["127.0.0.0/8", "127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"],
  ["169.254.0.0/16", "169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"],
  ["172.16.0.0/12", "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"],
  ["192.0.0.0/24", "192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"],
  ["192.168.0.0/16", "192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"],
  ["198.18.0.0/15", "198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"],
  ["224.0.0.0/4", "224.0.0.0", "239.255.255.255", "223.255.255.255", undefined],
  ["240.0.0.0/4", "240.0.0.0", "255.255.255.255", undefined, undefined],
  ["::/96", "::", "::ffff:ffff", undefined, "::1:0:0"],
  ["64:ff9b::/96", "64:ff9b::", "64:ff9b::ffff:ffff", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", "64:ff9b::1:0:0"],
  ["64:ff9b:1::/48", "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "64:ff9b:0:ffff::", "64:ff9b:2::"],
  ["2002::/16", "2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:ffff::", "2003::"],
  [
    "fc00::/7",
    "fc00::",
    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "fe00::",
  ],
  ["fe80::/10", "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "fe7f:ffff::", "fec0::"],
  ["ff00::/8", "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "feff:ffff::", undefined],
];

describe("networks of special purpose", () => {
  test.each([...NETWORKS])("%s", (_network, first, last, before, after) => {
    expect([special(first), special(last)]).toEqual([true, true]);
    for (const outside of [before, after]) if (outside !== undefined) expect(special(outside)).toBe(false);
  });

  test("loopback in all its forms, and the metadata service", () => {
    for (const address of ["127.0.0.1", "::1", "::127.0.0.1", "169.254.169.254", "64:ff9b::a9fe:a9fe"]) {
      expect(special(address)).toBe(true);
    }
  });

  test("a v4-mapped address counts as its IPv4, also where nobody has made it one", () => {
    const mapped = (...v4: readonly number[]): Uint8Array =>
      Uint8Array.from([...Array.from({ length: 10 }, () => 0), 255, 255, ...v4]);
    expect(isSpecialPurpose(mapped(10, 1, 2, 3))).toBe(true);
    expect(isSpecialPurpose(mapped(9, 9, 9, 9))).toBe(false);
  });

  test("public addresses are not", () => {
    for (const address of ["1.1.1.1", "9.9.9.9", "192.0.2.1", "203.0.113.0", "2001:db8::1", "2606:4700::1111"]) {
      expect(special(address)).toBe(false);
    }
  });

  test("what is no address is one, so that nothing is permitted for it", () => {
    expect(isSpecialPurpose(new Uint8Array(5))).toBe(true);
  });
});
