/** Opens for writing that can also be read through. */
import { describe, expect, test } from "bun:test";
import type { Action, FileFlag } from "../../../lib/core/mod.ts";
import { StatefulDecider } from "../../../lib/decide/mod.ts";
import { evaluateReference } from "../../../lib/decide/reference.ts";
import { advanceReference, ReferenceState } from "../../../lib/decide/reference_state.ts";
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

/** What is said of one action after the other, each with the past before it. */
function saidInTurn(policy: string, actions: readonly Action[]): readonly unknown[] {
  const snapshot = load(policy);
  const decider = new StatefulDecider(snapshot);
  let state = new ReferenceState();
  return actions.map((action) => {
    const each = event(action);
    const ruling = decider.evaluate(each);
    expect(evaluateReference(snapshot.layers, each, { state, now_us: each.time_us })).toEqual(ruling);
    state = advanceReference(snapshot.layers, state, { event: each, ruling, now_us: each.time_us });
    return ruling.verdict;
  });
}

describe("what an open for reading and writing leaves behind", () => {
  const connect: Action = { type: "net.connect", address: "192.0.2.1", port: 443, protocol: "tcp", result: "0" };
  const labelled = rule("secret", 'action = "file.read"\npath = "/s/**"\nverdict = "log"\nlabel = "tainted"');
  const after = rule("no-leak", 'action = "net.connect"\nlabel = "tainted"\nverdict = "deny"');

  test("the marks of a rule about reading, and none where nothing can be read", () => {
    expect(saidInTurn(enforcing(labelled, after), [write("reads"), connect])).toEqual(["allow", "deny"]);
    expect(saidInTurn(enforcing(labelled, after), [write(), connect])).toEqual(["allow", "allow"]);
  });

  test("one count in a rate, also of a rule about both", () => {
    const rate = 'path = "/s/**"\nrate = { count = 2, per = "1m" }\nverdict = "deny"';
    const opens = [write("reads"), write("reads"), write("reads")];
    expect(saidInTurn(enforcing(rule("r", `action = "file.read"\n${rate}`)), opens)).toEqual([
      "allow",
      "allow",
      "deny",
    ]);
    expect(saidInTurn(enforcing(rule("r", `action = ["file.read", "file.write"]\n${rate}`)), opens)).toEqual([
      "allow",
      "allow",
      "deny",
    ]);
  });
});
