/** Which calls of a command wait for the guard. */
import { describe, expect, test } from "bun:test";
import { heldClasses, notifyRules, unansweredCalls } from "../../../lib/act/mod.ts";
import type { ActionType } from "../../../lib/core/mod.ts";

const NOTHING = { exec: false, files: false, connect: false, send: false };

const numbers = (actions: readonly ActionType[], arch: string): readonly number[] =>
  notifyRules(new Set(actions), { arch }).map(({ nr }) => nr).sort((a, b) => a - b);

describe("calls that wait", () => {
  test("nothing waits that no rule needs", () => {
    expect(numbers([], "x64")).toEqual([]);
    expect(numbers(["net.bind", "tool.call"], "x64")).toEqual([]);
  });

  test("program starts", () => {
    expect(numbers(["exec"], "x64")).toEqual([59, 322]);
    expect(numbers(["exec"], "arm64")).toEqual([221, 281]);
    expect(heldClasses(notifyRules(new Set(["exec"]), { arch: "x64" }), "x64")).toEqual({
      ...NOTHING,
      exec: true,
    });
  });

  test("connections, and messages that name an address", () => {
    expect(numbers(["net.connect"], "x64")).toEqual([42]);
    expect(numbers(["net.connect"], "arm64")).toEqual([203]);
    const sends = notifyRules(new Set(["net.send"]), { arch: "x64" });
    expect(sends.map(({ nr }) => nr)).toEqual([46, 307, 44]);
    expect(sends.filter(({ when }) => when !== undefined)).toEqual([
      { nr: 44, when: [{ arg: 4, mask: 0xffff_ffff_ffff_ffffn, value: 0n, unlike: true }] },
    ]);
    expect(heldClasses(sends, "x64")).toEqual({ ...NOTHING, send: true });
  });

  test("with any action on files also what gives other names, and what cannot be held does not exist", () => {
    const found = numbers(["file.delete"], "x64");
    for (const nr of [82, 264, 316, 86, 265, 88, 266, 87, 263, 425]) expect(found).toContain(nr);
    // Calls that can only open are nobody's business here.
    expect(found).not.toContain(437);
    const all = numbers(["file.write", "file.chmod"], "x64");
    for (const nr of unansweredCalls("x64")) expect(all).toContain(nr);
    expect(found).not.toContain(257);
    expect(heldClasses(notifyRules(new Set(["file.delete"]), { arch: "x64" }), "x64")).toEqual({
      ...NOTHING,
      files: true,
    });
  });

  test("where modes are held, access control lists do not exist", () => {
    const unanswered = unansweredCalls("x64");
    for (const nr of [188, 189, 190, 463]) {
      expect(unanswered).toContain(nr);
      expect(numbers(["file.chmod"], "x64")).toContain(nr);
      expect(numbers(["file.delete"], "x64")).not.toContain(nr);
    }
  });

  test.each<[ActionType, readonly (readonly [bigint, bigint])[]]>([
    ["file.write", [[1n, 1n], [2n, 2n]]],
    ["file.create", [[0o100n, 0o100n]]],
    ["file.truncate", [[0o1000n, 0o1000n]]],
    ["file.read", [[0o10000003n, 0n], [0o10000003n, 2n], [0o10000003n, 3n]]],
  ])("opens for %s by their flags", (action, flags) => {
    const rules = notifyRules(new Set([action]), { arch: "x64" });
    const tests = (nr: number): unknown => rules.find((rule) => rule.nr === nr)?.when;
    expect(tests(257)).toEqual(flags.map(([mask, value]) => ({ arg: 2, mask, value })));
    expect(tests(2)).toEqual(flags.map(([mask, value]) => ({ arg: 1, mask, value })));
  });
});
