import { describe, expect, test } from "bun:test";
import {
  ACTION_TYPES,
  addCounters,
  AgentguardError,
  assertNever,
  counters,
  err,
  errnoName,
  errorMessage,
  formatTime,
  hex,
  IdGenerator,
  invariant,
  isUlid,
  nulOffset,
  ok,
  parseTime,
  resultName,
  startText,
  systemClock,
  unwrap,
  utf8,
} from "../../../lib/core/mod.ts";

describe("errno", () => {
  // include/uapi/asm-generic/errno-base.h and errno.h
  test.each([
    [1, "EPERM"],
    [2, "ENOENT"],
    [11, "EAGAIN"],
    [13, "EACCES"],
    [22, "EINVAL"],
    [36, "ENAMETOOLONG"],
    [39, "ENOTEMPTY"],
    [40, "ELOOP"],
    [98, "EADDRINUSE"],
    [111, "ECONNREFUSED"],
    [115, "EINPROGRESS"],
  ])("%d is %s", (errno, name) => {
    expect(errnoName(errno)).toBe(name);
    expect(resultName(-errno)).toBe(name);
  });

  test("a number without a name keeps its number; every success is 0", () => {
    expect(errnoName(4000)).toBe("errno 4000");
    expect([resultName(0), resultName(3), resultName(-41)]).toEqual(["0", "0", "errno 41"]);
  });
});

describe("start times", () => {
  test.each([
    [0, 0, "0"],
    [0xffff_ffff, 0, "4294967295"],
    [0, 1, "4294967296"],
    [0xffff_ffff, 0x001f_ffff, "9007199254740991"],
    [0, 0x0020_0000, "9007199254740992"],
    [1, 0x0020_0000, "9007199254740993"],
    [0xffff_ffff, 0xffff_ffff, "18446744073709551615"],
  ])("%d and %d are %s", (low, high, text) => {
    expect(startText(low, high)).toBe(text);
  });
});

describe("time", () => {
  test.each([
    [0, "1970-01-01T00:00:00.000000Z"],
    [1_767_323_045_000_006, "2026-01-02T03:04:05.000006Z"],
    [-1, "1969-12-31T23:59:59.999999Z"],
  ])("%d is %s, both ways", (us, text) => {
    expect(formatTime(us)).toBe(text);
    expect(parseTime(text)).toBe(us);
  });

  test("fewer digits are read; anything else is not", () => {
    expect(parseTime("2026-01-02T03:04:05Z")).toBe(1_767_323_045_000_000);
    expect(parseTime("2026-01-02T03:04:05.5Z")).toBe(1_767_323_045_500_000);
    for (
      const text of ["", "2026-01-02", "2026-01-02T03:04:05+00:00", "2026-13-02T03:04:05Z", "x2026-01-02T03:04:05Z"]
    ) {
      expect(parseTime(text)).toBeUndefined();
    }
  });

  test("the system's clocks count microseconds", () => {
    const before = Date.now() * 1000;
    expect(Math.abs(systemClock.wallUs() - before)).toBeLessThan(5_000_000);
    const first = systemClock.monotonicUs();
    expect(systemClock.monotonicUs()).toBeGreaterThanOrEqual(first);
  });
});

describe("identifiers", () => {
  const clock = (times: number[]): { wallUs: () => number; monotonicUs: () => number } => ({
    wallUs: () => times.shift() ?? 0,
    monotonicUs: () => 0,
  });

  test("the time is in the first ten characters, in Crockford's base 32", () => {
    const ids = new IdGenerator(clock([1_469_918_176_385_000]), (bytes) => bytes.fill(0));
    expect(ids.next()).toBe("01ARYZ6S410000000000000000"); // the example of the ULID specification
  });

  test("within a millisecond they count up, with carry; never backwards when the clock is", () => {
    const ids = new IdGenerator(clock([5_000, 5_999, 4_000, 6_000]), (bytes) => {
      bytes.fill(31);
      bytes[0] = 1;
    });
    const made = [ids.next(), ids.next(), ids.next(), ids.next()];
    expect(made[0]?.slice(10)).toBe("1ZZZZZZZZZZZZZZZ");
    expect(made[1]?.slice(10)).toBe("2000000000000000");
    expect(made).toEqual([...made].sort());
    expect(new Set(made).size).toBe(4);
  });

  test("100,000 are well formed, distinct and sorted", () => {
    const ids = new IdGenerator(systemClock);
    const made = Array.from({ length: 100_000 }, () => ids.decision());
    expect(made.every(isUlid)).toBe(true);
    expect(new Set(made).size).toBe(made.length);
    expect(made.every((id, i) => i === 0 || id > (made[i - 1] ?? ""))).toBe(true);
  });

  test.each(["", "01ARYZ6S41000000000000000", "81ARYZ6S410000000000000000", "01ARYZ6S41000000000000000I"])(
    "%j is no ULID",
    (text) => expect(isUlid(text)).toBe(false),
  );
});

describe("bytes", () => {
  test("text of a range; invalid sequences become U+FFFD", () => {
    const bytes = new Uint8Array([0x61, 0xc3, 0xa9, 0xff, 0x62]);
    expect(utf8(bytes, 1, 3)).toBe("\u00e9");
    expect(utf8(bytes, 0, 5)).toBe("a\u00e9\ufffdb");
    expect(utf8(bytes, 2, 2)).toBe("");
  });

  test("the first NUL of a range, or its end", () => {
    const bytes = new Uint8Array([1, 0, 2, 3, 0]);
    expect([nulOffset(bytes, 0, 5), nulOffset(bytes, 2, 5), nulOffset(bytes, 2, 4)]).toEqual([1, 4, 4]);
    expect(hex(bytes)).toBe("0100020300");
  });
});

describe("failure", () => {
  test("results are told apart by ok", () => {
    expect(unwrap(ok(5))).toBe(5);
    expect(() => unwrap(err({ reason: "short" }))).toThrow('unwrap result: {"reason":"short"}');
    expect(() => unwrap(err(new Error("why")))).toThrow("unwrap result: why");
  });

  test("errors carry a code and a cause", () => {
    const cause = new Error("low");
    const error = new AgentguardError("io", "read x", { cause });
    expect([error.code, error.name, error.cause]).toEqual(["io", "AgentguardError", cause]);
    expect(() => invariant(false, "x holds")).toThrow("x holds");
    expect(() => invariant(true, "x holds")).not.toThrow();
    expect([errorMessage(error), errorMessage("text")]).toEqual(["read x", "text"]);
  });

  test("an unreachable case throws with its value", () => {
    const reach = (value: "known"): string => (value === "known" ? value : assertNever(value));
    expect(reach("known")).toBe("known");
    expect(() => reach(JSON.parse('"other"'))).toThrow('reach unreachable case: "other"');
  });
});

test("counters start at zero and add up", () => {
  const made = counters(["a", "b"]);
  made.a += 2;
  const sum: Record<string, number> = { a: 1, c: 3 };
  addCounters(sum, made);
  expect(sum).toEqual({ a: 3, b: 0, c: 3 });
});

test("no action type is named twice", () => {
  expect(new Set(ACTION_TYPES).size).toBe(ACTION_TYPES.length);
});
