/** The table of names: how long each holds, which are shown, and its bounds. */
import { describe, expect, test } from "bun:test";
import { LIMITS } from "../../../lib/core/mod.ts";
import { AddressNames, parseHosts } from "../../../lib/enrich/mod.ts";

const A = "192.0.2.1";
const B = "2001:db8::1";

function at(now_us: number, expires_us: number): { readonly now_us: number; readonly expires_us: number } {
  return { now_us, expires_us };
}

describe("a name", () => {
  test("holds until its time, and not at it", () => {
    const names = new AddressNames();
    names.learn("a.example", [A, B], at(0, 100));
    expect(names.find(A, 99)).toEqual({ hosts: ["a.example"], sources: ["dns"], cut: false });
    expect(names.find(B, 99)?.hosts).toEqual(["a.example"]);
    expect(names.find(A, 100)).toBeUndefined();
    expect(names.find("192.0.2.2", 0)).toBeUndefined();
  });

  test("that is asked for again holds until the later time, never shorter", () => {
    const names = new AddressNames();
    names.learn("a.example", [A], at(0, 100));
    names.learn("a.example", [A], at(1, 50));
    expect(names.find(A, 99)?.hosts).toEqual(["a.example"]);
    names.learn("a.example", [A], at(2, 200));
    expect(names.find(A, 199)?.hosts).toEqual(["a.example"]);
  });

  test("does not prolong another one of the same address", () => {
    const names = new AddressNames();
    names.learn("allowed.example", [A], at(0, 100));
    names.learn("mine.example", [A], at(90, 1_000));
    expect(names.find(A, 99)?.hosts).toEqual(["mine.example", "allowed.example"]);
    expect(names.find(A, 100)?.hosts).toEqual(["mine.example"]);
  });

  test("of /etc/hosts always holds, and stands behind the answers", () => {
    const names = new AddressNames(new Map([[A, ["box", "a.example"]]]));
    expect(names.find(A, 1e15)).toEqual({ hosts: ["box", "a.example"], sources: ["hosts", "hosts"], cut: false });
    names.learn("a.example", [A], at(0, 100));
    expect(names.find(A, 1)).toEqual({ hosts: ["a.example", "box"], sources: ["dns", "hosts"], cut: false });
  });
});

describe("bounds", () => {
  test("of an address the latest names are kept, and that others are gone is said while they may hold", () => {
    const names = new AddressNames();
    const max = LIMITS.address_names_max;
    for (let i = 0; i < max; i++) names.learn(`n${i}.example`, [A], at(i, 1_000 + i));
    expect(names.find(A, 500)?.cut).toBe(false);
    names.learn("one-more.example", [A], at(100, 5_000));
    const found = names.find(A, 500);
    expect(found?.hosts).toHaveLength(max);
    expect(found?.hosts[0]).toBe("one-more.example");
    expect(found?.hosts).not.toContain("n0.example");
    expect([found?.cut, names.find(A, 999)?.cut, names.find(A, 1_000)?.cut]).toEqual([true, true, false]);
  });

  test("names that no longer hold make room first", () => {
    const names = new AddressNames();
    for (let i = 0; i < LIMITS.address_names_max; i++) names.learn(`n${i}`, [A], at(0, 10));
    names.learn("late", [A], at(20, 30));
    expect(names.find(A, 25)).toEqual({ hosts: ["late"], sources: ["dns"], cut: false });
  });

  test("the address that was learned longest ago goes first", () => {
    const names = new AddressNames(new Map(), 2);
    names.learn("a", ["192.0.2.1"], at(0, 100));
    names.learn("b", ["192.0.2.2"], at(0, 100));
    names.learn("a", ["192.0.2.1"], at(1, 100));
    names.learn("c", ["192.0.2.3"], at(2, 100));
    expect(names.size).toBe(2);
    expect(["192.0.2.1", "192.0.2.2", "192.0.2.3"].map((each) => names.find(each, 5)?.hosts)).toEqual([
      ["a"],
      undefined,
      ["c"],
    ]);
  });

  test("live gives every name that holds, once", () => {
    const names = new AddressNames(new Map([[B, ["box"]]]));
    names.learn("a", [A], at(0, 100));
    names.learn("b", [A], at(0, 10));
    expect([...names.live(50)]).toEqual([
      { address: B, name: "box", expires_us: Infinity },
      { address: A, name: "a", expires_us: 100 },
    ]);
  });
});

describe("/etc/hosts", () => {
  test("names in lower case by address; comments, other lines and names that nobody compares are passed over", () => {
    const text = [
      "127.0.0.1 localhost",
      "::1\tlocalhost  ip6-localhost # and a comment",
      "# 192.0.2.9 no.example",
      "192.0.2.1 Build.Example. build",
      "0:0::1 again",
      "192.0.2.1 build other",
      "::ffff:192.0.2.1 mapped",
      "nonsense a.example",
      "192.0.2.3",
      "192.0.2.4 bad!name good",
      `192.0.2.5 ${"x".repeat(247)}`,
      "",
    ].join("\n");
    expect([...parseHosts(text)]).toEqual([
      ["127.0.0.1", ["localhost"]],
      ["::1", ["localhost", "ip6-localhost", "again"]],
      ["192.0.2.1", ["build.example", "build", "other", "mapped"]],
      ["192.0.2.4", ["good"]],
    ]);
  });

  test("of one address 16 names, and 4,096 addresses", () => {
    const many = Array.from({ length: 40 }, (_, i) => `192.0.2.1 n${i}`).join("\n");
    expect(parseHosts(many).get("192.0.2.1")).toHaveLength(16);
    expect(new AddressNames(parseHosts(many)).find("192.0.2.1", 0)?.cut).toBe(true);
    const lines = Array.from({ length: 5_000 }, (_, i) => `10.0.${i >> 8}.${i & 255} n`).join("\n");
    expect(parseHosts(lines).size).toBe(4_096);
  });
});
