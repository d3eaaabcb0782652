import { describe, expect, test } from "bun:test";
import { eventFilterMatches, parseEventFilter } from "../../../lib/publish/mod.ts";
import { entry, SESSION_A, SESSION_B } from "./support.ts";

describe("eventFilterMatches", () => {
  const read = entry(1, { action: { type: "file.read", path: "/a", result: "0" } });
  const gap = entry(2, { kind: "gap", gap: { source: "telemetry", type: "record", count: 1 } });
  const cases: readonly (readonly [string, boolean, boolean])[] = [
    ["file.read", true, false],
    ["file", false, false],
    ["file.*", true, false],
    ["*.read", true, false],
    ["f*e.*d", true, false],
    ["file.*read*", true, false],
    ["file.r*read", false, false],
    ["file.read*file.read", false, false],
    ["file.rea*ead", false, false],
    ["*", true, false],
    ["**", true, false],
    ["gap", false, false],
  ];
  test.each([...cases])("%s", (type, matchesRead, matchesGap) => {
    const matches = eventFilterMatches({ type, follow: false });
    expect(matches(read)).toBe(matchesRead);
    expect(matches(gap)).toBe(matchesGap);
  });

  test("session", () => {
    expect(eventFilterMatches({ session_id: SESSION_A, follow: true })(read)).toBe(true);
    expect(eventFilterMatches({ session_id: SESSION_B, follow: true })(read)).toBe(false);
    expect(eventFilterMatches({ follow: true })(read)).toBe(true);
  });
});

describe("parseEventFilter", () => {
  test("all parameters", () => {
    const query = new URLSearchParams({ session: SESSION_A, type: "file.*", follow: "1" });
    expect(parseEventFilter(query)).toEqual({
      ok: true,
      value: { session_id: SESSION_A, type: "file.*", follow: true },
    });
  });

  test("none", () => {
    expect(parseEventFilter(new URLSearchParams())).toEqual({ ok: true, value: { follow: false } });
  });

  const bad = [
    "session=x",
    "session=../../etc/passwd",
    "type=",
    "type=FILE",
    `type=${"a".repeat(65)}`,
    "follow=yes",
    "follow=1&follow=1",
    "colour=red",
    "session=&session=",
  ];
  test.each(bad)("%s is refused", (query) => {
    expect(parseEventFilter(new URLSearchParams(query)).ok).toBe(false);
  });
});
