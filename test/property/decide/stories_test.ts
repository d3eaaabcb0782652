/** Laws of the language over stories: what holds for one event holds where marks and rates remember. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Event, Ruling, Verdict } from "../../../lib/core/mod.ts";
import { type PolicySnapshot, PolicyState, StatefulDecider } from "../../../lib/decide/mod.ts";
import { pastPolicy as policy, policyText, rule, story } from "./arbitraries.ts";
import { load } from "./load.ts";

const STRICTNESS: Readonly<Record<Verdict, number>> = { allow: 0, log: 0, redact: 1, ask: 2, deny: 3 };
const TIMEOUT_MS = 120_000;
const RUNS = { numRuns: 250 };

/** The rulings of a story, each decided with what happened before. */
function tell(snapshot: PolicySnapshot, events: readonly Event[]): readonly Ruling[] {
  const decider = new StatefulDecider(snapshot);
  return events.map((event) => decider.evaluate(event));
}

function expectNoWider(before: readonly Ruling[], after: readonly Ruling[]): void {
  after.forEach((ruling, i) => {
    const known = before[i];
    if (known === undefined) throw new Error("the stories have different lengths");
    expect(STRICTNESS[ruling.verdict]).toBeGreaterThanOrEqual(STRICTNESS[known.verdict]);
  });
}

test("the past matters: many rulings are not those of a single event", () => {
  let differ = 0;
  for (const [data, events] of fc.sample(fc.tuple(policy, story), { numRuns: 600, seed: 11 })) {
    const snapshot = load(policyText(data));
    const told = tell(snapshot, events);
    if (
      told.some((ruling, i) =>
        ruling.verdict !==
          snapshot.evaluate(events[i] ?? { time_us: 0, action: { type: "guard.stop", detail: "" } }).verdict
      )
    ) differ++;
  }
  expect(differ).toBeGreaterThan(20);
}, TIMEOUT_MS);

test("one more deny never widens", () => {
  fc.assert(
    fc.property(policy, rule, story, (data, extra, events) => {
      const wider = load(policyText(data));
      const tighter = load(policyText({ ...data, rules: [...data.rules, { ...extra, verdict: "deny" }] }));
      expectNoWider(tell(wider, events), tell(tighter, events));
    }),
    RUNS,
  );
}, TIMEOUT_MS);

test("one more layer never widens, whatever it says", () => {
  fc.assert(
    fc.property(policy, policy, story, (base, layer, events) => {
      const enforcing = { ...base, mode: "enforce" };
      expectNoWider(
        tell(load(policyText(enforcing)), events),
        tell(load(policyText(enforcing), policyText(layer)), events),
      );
    }),
    RUNS,
  );
}, TIMEOUT_MS);

test("a rule in observe mode never changes an outcome, also not by what it leaves behind", () => {
  fc.assert(
    fc.property(policy, rule, story, (data, extra, events) => {
      const without = tell(load(policyText(data)), events);
      const observing = { ...extra, mode: "observe" };
      const observed = tell(load(policyText({ ...data, rules: [...data.rules, observing] })), events);
      expect(observed.map(({ verdict }) => verdict)).toEqual(without.map(({ verdict }) => verdict));
    }),
    RUNS,
  );
}, TIMEOUT_MS);

test("the order of rules does not matter", () => {
  const shuffled = policy.chain((data) => {
    const order = data.rules.map((_, i) => i);
    return fc.tuple(fc.constant(data), fc.shuffledSubarray(order, { minLength: order.length }));
  });
  fc.assert(
    fc.property(shuffled, story, ([data, order], events) => {
      const names = data.rules.map((_, i) => `r${i}`);
      const before = tell(load(policyText(data, names)), events);
      const rules = order.flatMap((i) => data.rules[i] ?? []);
      const after = tell(load(policyText({ ...data, rules }, order.map((i) => `r${i}`))), events);
      const shown = ({ verdict, would, mode }: Ruling): unknown => ({ verdict, would, mode });
      expect(after.map(shown)).toEqual(before.map(shown));
    }),
    RUNS,
  );
}, TIMEOUT_MS);

test("the same story is decided the same again, and evaluation changes no state", () => {
  fc.assert(
    fc.property(policy, story, (data, events) => {
      const snapshot = load(policyText(data));
      const told = tell(snapshot, events);
      expect(tell(load(policyText(data)), events)).toEqual(told);
      const state = new PolicyState();
      events.forEach((event, i) => {
        const now_us = event.time_us;
        // Asked about anything in between, as often as one likes: only what is taken in counts.
        for (const other of events) snapshot.evaluate(other, state, now_us);
        const ruling = snapshot.evaluate(event, state, now_us);
        expect(ruling).toEqual(told[i] ?? ruling);
        snapshot.advance(state, event, { ruling, now_us });
      });
    }),
    { numRuns: 60 },
  );
}, TIMEOUT_MS);
