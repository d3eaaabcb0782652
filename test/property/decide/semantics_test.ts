/** Laws of the language, over random policies and events. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import type { Ruling, Verdict } from "../../../lib/core/mod.ts";
import { event, MARKING, policy, type PolicyData, policyText, rule } from "./arbitraries.ts";
import { load } from "./load.ts";

const STRICTNESS: Readonly<Record<Verdict, number>> = { allow: 0, log: 0, redact: 1, ask: 2, deny: 3 };
const events = fc.array(event, { minLength: 10, maxLength: 20 });
const TIMEOUT_MS = 60_000;
const RUNS = { numRuns: 300 };

function strictness(ruling: Ruling): number {
  return STRICTNESS[ruling.verdict];
}

/** What an agent feels of a ruling. */
function outcome({ verdict, rule, reason }: Ruling): unknown {
  return verdict === "allow" || verdict === "log" ? "passes" : { verdict, rule, reason };
}

test("the order of rules does not matter", () => {
  const shuffled = policy.chain((data) => {
    const order = data.rules.map((_, i) => i);
    return fc.tuple(fc.constant(data), fc.shuffledSubarray(order, { minLength: order.length }));
  });
  fc.assert(
    fc.property(shuffled, events, ([data, order], list) => {
      const names = data.rules.map((_, i) => `r${i}`);
      const before = load(policyText(data, names));
      const rules = order.flatMap((i) => data.rules[i] ?? []);
      const after = load(policyText({ ...data, rules }, order.map((i) => `r${i}`)));
      for (const each of list) {
        const [a, b] = [before.evaluate(each), after.evaluate(each)];
        expect([b.verdict, b.would, b.mode]).toEqual([a.verdict, a.would, a.mode]);
      }
    }),
    RUNS,
  );
}, TIMEOUT_MS);

test("one more deny never widens", () => {
  fc.assert(
    fc.property(policy, rule, events, (data, extra, list) => {
      const before = load(policyText(data));
      const after = load(policyText({ ...data, rules: [...data.rules, { ...extra, verdict: "deny" }] }));
      for (const each of list) {
        expect(strictness(after.evaluate(each))).toBeGreaterThanOrEqual(strictness(before.evaluate(each)));
      }
    }),
    RUNS,
  );
}, TIMEOUT_MS);

test("one more layer never widens, whatever it says", () => {
  fc.assert(
    fc.property(policy, policy, events, (base, layer, list) => {
      // A base that is disabled or only observes refuses nothing; the law is about bases that do.
      const enforcing = { ...base, mode: "enforce" };
      const before = load(policyText(enforcing));
      const after = load(policyText(enforcing), policyText(layer));
      for (const each of list) {
        expect(strictness(after.evaluate(each))).toBeGreaterThanOrEqual(strictness(before.evaluate(each)));
      }
    }),
    RUNS,
  );
}, TIMEOUT_MS);

function sameOutcome({ reason: _a, ...one }: Ruling, { reason: _b, ...other }: Ruling): boolean {
  return Bun.deepEquals(one, other);
}

test("an exception only narrows its own rule", () => {
  fc.assert(
    fc.property(policy, rule, events, (data, extra, list) => {
      fc.pre(extra.except.length > 0);
      const last = MARKING.length + data.rules.length;
      const without = load(policyText({ ...data, rules: [...data.rules, { ...extra, except: [] }] }));
      const full = load(policyText({ ...data, rules: [...data.rules, extra] }));
      const absent = load(policyText(data));
      for (const each of list) {
        const ruling = full.evaluate(each);
        // Either the exception made no difference, or the rule might as well not be there.
        // The reason may differ: of a command line it names the command that was not excepted.
        const as_without = sameOutcome(ruling, without.evaluate(each));
        expect(as_without || sameOutcome(ruling, absent.evaluate(each))).toBe(true);
        if (ruling.rule_index === last) expect(as_without).toBe(true);
      }
    }),
    RUNS,
  );
}, TIMEOUT_MS);

test("a rule in observe mode never changes an outcome", () => {
  fc.assert(
    fc.property(policy, rule, events, (data, extra, list) => {
      const before = load(policyText(data));
      const after = load(policyText({ ...data, rules: [...data.rules, { ...extra, mode: "observe" }] }));
      for (const each of list) {
        const [a, b] = [before.evaluate(each), after.evaluate(each)];
        expect(b.verdict).toBe(a.verdict);
        // Only the remark about the shadow may be added to a reason.
        const stripped: Ruling = { ...b, reason: b.reason.replace(/ \[rule "[^"]*" in observe mode: \w+\]$/, "") };
        const original: Ruling = { ...a, reason: a.reason.replace(/ \[rule "[^"]*" in observe mode: \w+\]$/, "") };
        expect(outcome(stripped)).toEqual(outcome(original));
      }
    }),
    RUNS,
  );
}, TIMEOUT_MS);

test("a file in observe mode lets everything pass and says what enforce would do", () => {
  fc.assert(
    fc.property(policy, events, (data, list) => {
      const rules = data.rules.map((each) => ({ ...each, mode: "enforce" }));
      const enforcing = load(policyText({ ...data, rules, mode: "enforce" }));
      const observing = load(policyText({ ...data, rules, mode: "observe" }));
      const disabled = load(policyText({ ...data, rules, mode: "disabled" }));
      for (const each of list) {
        const real = enforcing.evaluate(each);
        const seen = observing.evaluate(each);
        expect([seen.verdict, seen.mode]).toEqual(["allow", "observe"]);
        expect(seen.would).toBe(strictness(real) > 0 ? real.verdict : undefined);
        expect(seen.rule).toBe(real.rule);
        expect(disabled.evaluate(each)).toMatchObject({ verdict: "allow", rule_index: -1 });
        expect(disabled.evaluate(each).would).toBeUndefined();
      }
    }),
    RUNS,
  );
}, TIMEOUT_MS);

test("evaluation is deterministic, also between two snapshots of the same text and in any order of events", () => {
  fc.assert(
    fc.property(policy, events, (data: PolicyData, list) => {
      const [one, two] = [load(policyText(data)), load(policyText(data))];
      const first = list.map((each) => one.evaluate(each));
      const again = list.toReversed().map((each) => two.evaluate(each)).toReversed();
      expect(again).toEqual(first);
      expect(list.map((each) => one.evaluate(each))).toEqual(first);
    }),
    RUNS,
  );
}, TIMEOUT_MS);
