/** Opens for writing that can also be read through. */
import { describe, expect, test } from "bun:test";
import type { Action, FileFlag } from "../../../lib/core/mod.ts";
import { evaluateReference } from "../../../lib/decide/reference.ts";
import { enforcing, event, load, rule } from "./support.ts";

const READING = rule("no-reading", 'action = "file.read"\npath = "/s/**"\nverdict = "deny"');
const WRITING = rule("asked", 'action = "file.write"\npath = "/s/**"\nverdict = "ask"');

function write(...flags: readonly FileFlag[]): Action {
  return { type: "file.write", path: "/s/a", result: "0", ...(flags.length > 0 ? { flags } : undefined) };
}

/** Verdict and rule, as the compiled policy and the reference say. */
function said(policy: string, action: Action): readonly unknown[] {
  const snapshot = load(policy);
  const ruling = snapshot.evaluate(event(action));
  expect(evaluateReference(snapshot.layers, event(action))).toEqual(ruling);
  return [ruling.verdict, ruling.rule, ruling.would];
}

describe("an open for reading and writing", () => {
  test("is refused by a rule about reading", () => {
    expect(said(enforcing(READING), write("reads"))).toEqual(["deny", "no-reading", undefined]);
    expect(said(enforcing(READING), write("append", "reads"))).toEqual(["deny", "no-reading", undefined]);
  });

  test("is not where it cannot be read through", () => {
    expect(said(enforcing(READING), write())).toEqual(["allow", undefined, undefined]);
    expect(said(enforcing(READING), write("append"))).toEqual(["allow", undefined, undefined]);
  });

  test("is what the stricter of both says", () => {
    expect(said(enforcing(READING, WRITING), write("reads"))).toEqual(["deny", "no-reading", undefined]);
    expect(said(enforcing(WRITING), write("reads"))).toEqual(["ask", "asked", undefined]);
    expect(said(enforcing("[default]", '"file.read" = "deny"'), write("reads"))).toEqual([
      "allow",
      undefined,
      undefined,
    ]);
  });

  test("tells what a rule about reading that only observes would say", () => {
    const observing = READING.replace('verdict = "deny"', 'verdict = "deny"\nmode = "observe"');
    expect(said(enforcing(observing), write("reads"))).toEqual(["allow", "no-reading", "deny"]);
  });
});
