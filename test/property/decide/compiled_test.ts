/** The backbone: the compiled snapshot gives, field by field, what the reference interpreter gives. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { evaluateReference } from "../../../lib/decide/reference.ts";
import { StatefulDecider } from "../../../lib/decide/mod.ts";
import { advanceReference, ReferenceState } from "../../../lib/decide/reference_state.ts";
import { event, pastPolicy, policy, policyText, story } from "./arbitraries.ts";
import { load } from "./load.ts";

test("compiled equals reference, one to three layers", () => {
  fc.assert(
    fc.property(
      fc.array(policy, { minLength: 1, maxLength: 3 }),
      fc.array(event, { minLength: 20, maxLength: 40 }),
      (layers, events) => {
        const snapshot = load(...layers.map((layer) => policyText(layer)));
        for (const each of events) {
          expect(snapshot.evaluate(each)).toEqual(evaluateReference(snapshot.layers, each));
        }
      },
    ),
    { numRuns: 600 },
  );
}, 60_000);

test("compiled equals reference over stories: marks and rates", () => {
  let stateful = 0;
  fc.assert(
    fc.property(fc.array(pastPolicy, { minLength: 1, maxLength: 2 }), story, (layers, events) => {
      const snapshot = load(...layers.map((layer) => policyText(layer)));
      if (snapshot.has_state) stateful++;
      const decider = new StatefulDecider(snapshot);
      let state = new ReferenceState();
      for (const each of events) {
        const expected = evaluateReference(snapshot.layers, each, { state, now_us: each.time_us });
        expect(decider.evaluate(each)).toEqual(expected);
        const decided = { event: each, ruling: expected, now_us: each.time_us };
        state = advanceReference(snapshot.layers, state, decided);
      }
    }),
    { numRuns: 400 },
  );
  expect(stateful).toBeGreaterThan(200);
}, 120_000);

test("the world of the generators is not trivial: every verdict and mode is reached through rules", () => {
  const seen = new Set<string>();
  const samples = fc.sample(fc.tuple(policy, event), { numRuns: 3_000, seed: 7 });
  for (const [data, each] of samples) {
    const ruling = load(policyText(data)).evaluate(each);
    if (ruling.rule !== undefined) seen.add(`${ruling.verdict} ${ruling.mode} ${ruling.would ?? "-"}`);
  }
  for (const verdict of ["allow", "deny", "ask", "redact", "log"]) expect(seen).toContain(`${verdict} enforce -`);
  for (const would of ["deny", "ask", "redact"]) expect(seen).toContain(`allow observe ${would}`);
}, 60_000);
