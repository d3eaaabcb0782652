/** Records of calls that were held, decided again by what they show. */
import { expect, test } from "bun:test";
import type { Action, ActionType, Event, Ruling, SessionId } from "../../../lib/core/mod.ts";
import { HeldDecider } from "../../../lib/app/held_decider.ts";

const SESSION = "01J00000000000000000000000" as SessionId;

/** Denies whatever has the word `closed` in one of its names. */
const closing = {
  evaluate: ({ action }: Event): Ruling =>
    JSON.stringify(action).includes("closed")
      ? { verdict: "deny", rule: "r", rule_index: 0, reason: "closed", mode: "enforce" }
      : { verdict: "allow", rule_index: -1, reason: "default", mode: "enforce" },
};

function decide(action: Action, held: readonly ActionType[]): { readonly verdict: string; readonly told: number } {
  let told = 0;
  const decider = new HeldDecider({
    decider: closing,
    heldActions: () => new Set(held),
    onDifference: () => told++,
  });
  const event: Event = {
    time_us: 0,
    session: { session_id: SESSION, agent: "a", principal: "p", root: { pid: 1, start: "1" } },
    action,
    held: true,
  };
  return { verdict: decider.evaluate(event).verdict, told };
}

test("a name that only the caller's memory shows is no reason to act where the call itself waited", () => {
  const action: Action = { type: "file.write", path: "/open", requested_path: "/closed", result: "0" };
  expect(decide(action, ["file.write"])).toEqual({ verdict: "allow", told: 0 });
});

test("where the object was watched, nobody saw the name that was asked for: it decides", () => {
  const action: Action = { type: "file.read", path: "/open", requested_path: "/closed", result: "0" };
  expect(decide(action, ["file.write"])).toEqual({ verdict: "deny", told: 0 });
  expect(decide(action, ["file.read"])).toEqual({ verdict: "allow", told: 0 });
});

test.each<[readonly ActionType[]]>([[["file.read"]], [[]]])(
  "what the kernel resolved and the guard let go is told as a difference, held by %j",
  (held) => {
    expect(decide({ type: "file.read", path: "/closed", result: "0" }, held)).toEqual({ verdict: "allow", told: 1 });
  },
);

test("what failed, and what is not held, is decided by its record", () => {
  expect(decide({ type: "file.read", path: "/closed", result: "EACCES" }, [])).toEqual({ verdict: "deny", told: 0 });
  expect(decide({ type: "file.delete", path: "/closed", result: "0" }, [])).toEqual({ verdict: "deny", told: 0 });
});
