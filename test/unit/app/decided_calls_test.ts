/** The record that says whose decision a held call was, and the record that follows it. */
import { expect, test } from "bun:test";
import { DecidedCalls } from "../../../lib/app/decided_calls.ts";
import type { Action, DecisionId, Facts, Observed } from "../../../lib/core/mod.ts";

const DECIDED = "01M8QWTZ3JCXHM1XCPKV066RSY" as DecisionId;
const CONNECT: Action = { type: "net.connect", protocol: "tcp", address: "192.0.2.1", port: 443, result: "0" };
const READ: Action = { type: "file.read", path: "/etc/shadow", result: "0" };

function record(facts: Facts, action?: Action, boot_us = 0): Observed {
  const of = { scope: 1, pid: 7, tid: 8, start_low: 1, start_high: 0, boot_us, facts };
  return action === undefined ? of : { ...of, action };
}

/** What the action after an announcement is joined to. */
function joined(net: boolean, action: Action, boot_us = 0): Observed["held"] {
  const calls = new DecidedCalls();
  expect(calls.join(record({ kind: "decided", decided: DECIDED, refused: false, net }))).toBeUndefined();
  return calls.join(record({ kind: "plain" }, action, boot_us))?.held;
}

test("a call about an address belongs to the decision about it, a change of files to its own", () => {
  expect(joined(true, CONNECT)).toEqual({ decided: DECIDED, refused: false });
  expect(joined(false, READ)).toEqual({ decided: DECIDED, refused: false });
});

test("what a caller hides from one record does not lend its decision to the next, which is of something else", () => {
  expect(joined(true, READ)).toBeUndefined();
  expect(joined(true, { ...CONNECT, type: "net.bind" })).toBeUndefined();
  expect(joined(false, CONNECT)).toBeUndefined();
});

test("a decision is not joined to what comes more than a second later", () => {
  expect(joined(true, CONNECT, 1_000_001)).toBeUndefined();
});
