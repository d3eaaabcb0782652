/** The small parts: places in TOML, addresses, suggestions. */
import { describe, expect, test } from "bun:test";
import { parseAddress, parseIpv4 } from "../../../lib/core/mod.ts";
import { parseCidr, parsePorts } from "../../../lib/decide/net.ts";
import { LineIndex, type Place, scanPlaces } from "../../../lib/decide/positions.ts";
import { editDistance, nearest } from "../../../lib/decide/suggest.ts";

describe("places", () => {
  const text = [
    "# comment [not] = a table", // line 1
    'version = 1 # "x" = 2',
    "  [default]",
    '"file.*" = "allow"',
    "a . 'b c' = { d = [ 1, { e = 2 } ], f = '#' }",
    "[[rules]]", // 6
    'name = """',
    "[x]",
    'y = "z"""""',
    "path = [",
    '  "/a", # first', // 11
    "  '/b',",
    "]",
    "[[rules]]\r", // 14
    "name = 'it''s' ",
    "[rules.sub]",
    "k = 1979-05-27 07:32:00",
    "[[rules.list]]",
    "q = true", // 19
  ].join("\n").replace("'it''s'", '"\\"]"');
  const lines = new LineIndex("f", text);
  const root = scanPlaces(text);

  function at(place: Place | undefined): string {
    if (place === undefined) return "nowhere";
    const { line, column } = lines.position(place.offset);
    return `${line}:${column}`;
  }

  test("keys, quoted and dotted", () => {
    expect(at(root.key("version"))).toBe("2:1");
    expect(at(root.key("default"))).toBe("3:4");
    expect(at(root.key("default")?.key("file.*"))).toBe("4:1");
    expect(at(root.key("default")?.key("a")?.key("b c"))).toBe("5:5");
    expect(at(root.key("not"))).toBe("nowhere");
  });
  test("inline tables and lists", () => {
    const inline = root.key("default")?.key("a")?.key("b c");
    expect(at(inline?.key("d"))).toBe("5:15");
    expect(at(inline?.key("d")?.item(0))).toBe("5:21");
    expect(at(inline?.key("d")?.item(1)?.key("e"))).toBe("5:26");
    expect(at(inline?.key("f"))).toBe("5:37");
  });
  test("lists of tables, strings over lines, comments in lists, carriage returns", () => {
    const [first, second] = [root.key("rules")?.item(0), root.key("rules")?.item(1)];
    expect([at(first), at(second), at(root.key("rules")?.item(2))]).toEqual(["6:3", "14:3", "nowhere"]);
    expect(at(first?.key("path"))).toBe("10:1");
    expect([at(first?.key("path")?.item(0)), at(first?.key("path")?.item(1))]).toEqual(["11:3", "12:3"]);
    expect(at(first?.key("y"))).toBe("nowhere");
    expect(at(second?.key("name"))).toBe("15:1");
    expect(at(second?.key("sub")?.key("k"))).toBe("17:1");
    expect(at(second?.key("list")?.item(0)?.key("q"))).toBe("19:1");
  });
});

describe("addresses", () => {
  test("IPv4", () => {
    expect(parseIpv4("255.255.255.255")).toBe(4_294_967_295);
    expect(parseIpv4("0.0.0.0")).toBe(0);
    for (
      const bad of [
        "",
        "1",
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "1..2.3",
        "01.2.3.4",
        "1.2.3.4 ",
        "a.b.c.d",
        ".1.2.3",
        "1.2.3.",
      ]
    ) {
      expect([bad, parseIpv4(bad)]).toEqual([bad, -1]);
    }
  });
  test("IPv6", () => {
    const hex = (text: string): string | undefined => parseAddress(text)?.toHex();
    expect(hex("::")).toBe("00".repeat(16));
    expect(hex("2001:db8::1")).toBe("20010db8000000000000000000000001");
    expect(hex("1:2:3:4:5:6:7:8")).toBe("00010002000300040005000600070008");
    expect(hex("1:2:3:4:5:6:7::")).toBe("00010002000300040005000600070000");
    expect(hex("64:ff9b::192.0.2.1")).toBe("0064ff9b0000000000000000c0000201");
    expect(hex("::FFFF:192.0.2.1")).toBe("c0000201");
    for (
      const bad of [
        ":",
        ":::",
        "1::2::3",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "g::",
        "12345::",
        "::1%eth0",
        "1.2.3.4::",
        "::1.2.3.4:5",
      ]
    ) {
      expect([bad, hex(bad)]).toEqual([bad, undefined]);
    }
  });
  test("networks", () => {
    expect(parseCidr("10.0.0.0/8")).toEqual({ bytes: Uint8Array.of(10, 0, 0, 0), prefix_bits: 8 });
    expect(parseCidr("10.1.2.3")).toEqual({ bytes: Uint8Array.of(10, 1, 2, 3), prefix_bits: 32 });
    expect(parseCidr("::ffff:10.0.0.0/104")).toEqual({ bytes: Uint8Array.of(10, 0, 0, 0), prefix_bits: 8 });
    expect(parseCidr("::ffff:10.0.0.0/90")).toBe("a v4-mapped network needs a prefix length of at least 96");
    for (const bad of ["10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8", "x/8", "::/129"]) {
      expect([bad, typeof parseCidr(bad)]).toEqual([bad, "string"]);
    }
  });
  test("ports", () => {
    expect(parsePorts("80")).toEqual({ from: 80, to: 80 });
    expect(parsePorts("8000-8999")).toEqual({ from: 8000, to: 8999 });
    for (const bad of [-1, 1.5, 65_536, "x", "1-", "-1", "1-2-3", "1-65536", ""]) {
      expect([bad, typeof parsePorts(bad)]).toEqual([bad, "string"]);
    }
  });
});

test("edit distance counts insertions, deletions, replacements and swaps", () => {
  const cases: readonly (readonly [string, string, number])[] = [
    ["", "", 0],
    ["abc", "", 3],
    ["kitten", "sitting", 3],
    ["nmae", "name", 1],
  ];
  for (const [a, b, distance] of cases) expect([a, b, editDistance(a, b)]).toEqual([a, b, distance]);
});

test("the nearest word is near, or there is none", () => {
  expect(nearest("verdcit", ["verdict", "version"])).toBe("verdict");
  expect(nearest("xyzzy", ["verdict", "version"])).toBeUndefined();
  expect(nearest("v".repeat(100), ["verdict"])).toBeUndefined();
});
