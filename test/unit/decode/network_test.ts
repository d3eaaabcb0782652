import { describe, expect, test } from "bun:test";
import { AgCoverageKind, AgNetAction, AgUnix, AgVerdict } from "../../../probes/abi.gen.ts";
import { actionOf, decodeOne } from "./decode_one.ts";
import { bytesOf, coverageRecord, netRecord, unixRecord } from "./records.ts";

/** The 16 bytes of eight groups. */
function groups(text: string): number[] {
  return text.split(":").flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]);
}

describe("addresses", () => {
  test.each([
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["2001:db8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"], // two runs of equal length: the first
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"], // the longest run
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"], // one group alone is not shortened
    ["2001:db8:a:b:c:d:e:f", "2001:db8:a:b:c:d:e:f"],
    ["ABCD:EF01:2345:6789:ABCD:EF01:2345:6789", "abcd:ef01:2345:6789:abcd:ef01:2345:6789"],
    ["fe80:0:0:0:204:61ff:fe9d:f156", "fe80::204:61ff:fe9d:f156"],
    ["0:0:0:1:0:0:0:0", "0:0:0:1::"],
    ["0:1:0:1:0:1:0:1", "0:1:0:1:0:1:0:1"],
    ["1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"],
    ["0:0:3:4:5:6:7:8", "::3:4:5:6:7:8"],
  ])("%s is %s (RFC 5952)", (given, text) => {
    expect(actionOf(netRecord({ family: 6, address: groups(given) }))).toMatchObject({ address: text });
  });

  test("IPv4 is a dotted quad; the twelve bytes behind it are not looked at", () => {
    const address = [192, 0, 2, 255, ...Array<number>(12).fill(9)];
    expect(actionOf(netRecord({ address }))).toMatchObject({ address: "192.0.2.255" });
  });
});

describe("network actions", () => {
  test.each(
    [
      [AgNetAction.CONNECT, "net.connect"],
      [AgNetAction.SEND, "net.send"],
      [AgNetAction.BIND, "net.bind"],
      [AgNetAction.LISTEN, "net.listen"],
    ] as const,
  )("action %d is %s", (action, type) => {
    expect(actionOf(netRecord({ action, address: [127, 0, 0, 1], port: 65_535, result: 0 }))).toEqual({
      type,
      protocol: "tcp",
      address: "127.0.0.1",
      port: 65_535,
      result: "0",
    });
  });

  test.each([4, 255])("action %d is refused", (action) => {
    expect(() => decodeOne(netRecord({ action, address: [1] }))).toThrow("field");
  });

  test.each(
    [
      [1, "icmp"],
      [6, "tcp"],
      [17, "udp"],
      [58, "icmp"],
      [132, "sctp"],
      [255, "raw"],
      [0, "other"],
      [47, "other"],
    ] as const,
  )("protocol %d is %s", (protocol, name) => {
    expect(actionOf(netRecord({ protocol, address: [1, 2, 3, 4] }))).toMatchObject({ protocol: name });
  });

  test("results: absent where not known, else named", () => {
    expect(actionOf(netRecord({ address: [1, 2, 3, 4] }))).not.toHaveProperty("result");
    expect(actionOf(netRecord({ address: [1, 2, 3, 4], result: -115 }))).toMatchObject({ result: "EINPROGRESS" });
    expect(actionOf(netRecord({ address: [1, 2, 3, 4], result: -1 }))).toMatchObject({ result: "EPERM" });
  });

  test.each(
    [
      [AgVerdict.NONE, undefined],
      [AgVerdict.ALLOW, { verdict: "allow", rule_index: 2, generation: 9, effect: "none" }],
      [AgVerdict.DENY, { verdict: "deny", rule_index: 2, generation: 9, effect: "refused" }],
    ] as const,
  )("verdict %d", (verdict, expected) => {
    expect(decodeOne(netRecord({ address: [1], verdict, rule_index: 2, generation: 9 })).kernel).toEqual(expected);
  });

  test("a verdict by default has rule -1", () => {
    expect(decodeOne(netRecord({ address: [1], verdict: AgVerdict.DENY })).kernel?.rule_index).toBe(-1);
  });
});

describe("unix sockets", () => {
  test.each([
    ["/run/x.sock\0\0garbage", "/run/x.sock"],
    ["/run/x.sock", "/run/x.sock"],
    ["relative", "relative"],
    ["\0abstract", "@abstract"],
    ["", ""],
  ])("%j is shown as %j", (raw, path) => {
    expect(actionOf(unixRecord({ path: raw }))).toEqual({ type: "unix.connect", path, result: "0" });
  });

  test("the whole 108 bytes may be the path", () => {
    expect(actionOf(unixRecord({ path: "a".repeat(108) }))).toMatchObject({ path: "a".repeat(108) });
  });

  test("a length beyond the record is cut; results are named", () => {
    const bytes = unixRecord({ path: bytesOf("/s"), result: -111 });
    new DataView(bytes.buffer).setUint16(AgUnix.path_bytes, 9_999, true);
    expect(actionOf(bytes)).toEqual({ type: "unix.connect", path: "/s", result: "ECONNREFUSED" });
  });

  test.each([
    [{ path: "s", base: "/run" }, { path: "/run/s", requested_path: "s" }],
    [{ path: "./../s", base: "/run/x" }, { path: "/run/s", requested_path: "./../s" }],
    [{ path: "link", base: "/tmp", peer: "/run/s" }, { path: "/run/s", requested_path: "/tmp/link" }],
    [{ path: "s", base: "/run", peer: "/run/s" }, { path: "/run/s", requested_path: "s" }],
    [{ path: "/run/s", peer: "/run/s" }, { path: "/run/s" }],
    [{ path: "\0a" }, { path: "@a" }],
  ])("%j is %j", (fields, action) => {
    expect(actionOf(unixRecord(fields))).toEqual({ type: "unix.connect", ...action, result: "0" });
  });

  test.each(
    [
      [AgVerdict.DENY, 0, "refused"],
      [AgVerdict.DENY, 1, "ended"],
      [AgVerdict.DENY_FAILED, 1, "none"],
    ] as const,
  )("verdict %i, ended %i: %s", (verdict, ended, effect) => {
    const bytes = unixRecord({ path: "/s", verdict, ended, rule_index: 4, generation: 2 });
    expect(decodeOne(bytes).kernel).toEqual({ verdict: "deny", rule_index: 4, generation: 2, effect });
  });

  test("where the kernel had nothing to decide it has no verdict", () => {
    for (const verdict of [AgVerdict.NONE, AgVerdict.ALLOW]) {
      expect(decodeOne(unixRecord({ path: "/s", verdict })).kernel).toBeUndefined();
    }
  });
});

describe("coverage", () => {
  test.each(
    [
      [AgCoverageKind.I386, "i386"],
      [AgCoverageKind.X32, "x32"],
      [AgCoverageKind.IO_URING, "io_uring"],
    ] as const,
  )("kind %d is a gap of type %s", (kind, type) => {
    const decoded = decodeOne(coverageRecord({ kind, syscall: 425 }));
    expect(decoded.action).toBeUndefined();
    expect(decoded.facts).toEqual({ kind: "gap", gap: { source: "coverage", type, count: 1 } });
  });

  test.each([0, 4])("kind %d is refused", (kind) => {
    expect(() => decodeOne(coverageRecord({ kind }))).toThrow("field");
  });
});
