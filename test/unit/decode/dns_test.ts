/** Answers of resolvers, and connections to addresses that have names. */
import { describe, expect, test } from "bun:test";
import { AgNetFlag, AgVerdict } from "../../../probes/abi.gen.ts";
import { decodeOne, verdictOf } from "./decode_one.ts";
import { dnsRecord, netRecord } from "./records.ts";

const V6 = [0x20, 0x01, 0x0d, 0xb8, ...Array<number>(11).fill(0), 7];

describe("an answer", () => {
  test("is an action of no process, with its addresses, and facts about how long it holds", () => {
    const record = dnsRecord({ name: "api.example.com", answers: [[192, 0, 2, 7], V6], ttl_s: 300, generation: 4 });
    const { action, facts, pid, scope, boot_us } = decodeOne(record);
    expect(action).toEqual({
      type: "net.dns",
      name: "api.example.com",
      answers: ["192.0.2.7", "2001:db8::7"],
      ttl_s: 300,
    });
    expect(facts).toEqual({ kind: "dns", generation: 4, expires_us: boot_us + 300_000_000 });
    expect([pid, scope]).toEqual([0, 7]);
  });

  test.each([[0, 60], [59, 60], [60, 60], [86_400, 86_400], [86_401, 86_400], [4_294_967_295, 86_400]])(
    "with a lifetime of %d s holds %d s, and says what was sent",
    (ttl_s, holds_s) => {
      const { action, facts, boot_us } = decodeOne(dnsRecord({ name: "a", answers: [[192, 0, 2, 7]], ttl_s }));
      expect(action).toMatchObject({ ttl_s });
      expect(facts).toMatchObject({ expires_us: boot_us + holds_s * 1_000_000 });
    },
  );

  test("that was cut says so; one without addresses has none", () => {
    const sixteen = Array.from({ length: 16 }, (_, i) => [192, 0, 2, i]);
    const { action } = decodeOne(dnsRecord({ name: "a", answers: sixteen, cut: true }));
    expect(action).toMatchObject({ missing: ["answers"] });
    expect(action?.type === "net.dns" ? action.answers.length : 0).toBe(16);
    expect(decodeOne(dnsRecord({ name: "a", answers: [] })).action).not.toHaveProperty("missing");
  });

  test.each([[{ name_length: 0 }], [{ name_length: 247 }], [{ count: 17 }]])("with %j is refused", (fields) => {
    expect(verdictOf(dnsRecord({ name: "a".repeat(255), name_length: 3, answers: [], ...fields }))).toBe("field");
  });

  test("that ends too early is refused", () => {
    expect(verdictOf(dnsRecord({ name: "a", answers: [] }).subarray(0, 300))).not.toBe("ok");
  });
});

test("a connection says that its address had a name when the kernel decided", () => {
  const named = {
    address: [192, 0, 2, 7],
    verdict: AgVerdict.ALLOW,
    net_flags: AgNetFlag.NAMED,
    decided_ns: 4_000_001_500n,
  };
  expect(decodeOne(netRecord(named)).facts).toEqual({ kind: "named", decided_us: 4_000_001.5 });
  expect(decodeOne(netRecord({ ...named, net_flags: 0 })).facts).toEqual({ kind: "plain" });
});
