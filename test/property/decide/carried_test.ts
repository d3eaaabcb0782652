/** A snapshot that was carried to another thread decides, remembers and lowers as the one that was read. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Glob } from "bun";
import { carrySnapshot, lower, type PolicySnapshot, StatefulDecider, takeSnapshot } from "../../../lib/decide/mod.ts";
import { event, pastPolicy, policy, policyText, story } from "./arbitraries.ts";
import { load } from "./load.ts";

/** All that is asked of a snapshot without an event. */
function facts(snapshot: PolicySnapshot): unknown {
  const { ref, mode, guard, agents, marks, approval, record, has_state } = snapshot;
  const rules = snapshot.rules.map(({ file: _file, line: _line, column: _column, ...rule }) => rule);
  const { policy, in_kernel } = lower(snapshot, { home: "/home/u" });
  return { ref, mode, guard, agents, marks, approval, record, has_state, rules, policy, in_kernel };
}

test("every policy decides the same", () => {
  fc.assert(
    fc.property(
      fc.array(policy, { minLength: 1, maxLength: 3 }),
      fc.array(event, { minLength: 20, maxLength: 40 }),
      (layers, events) => {
        const read = load(...layers.map((layer) => policyText(layer)));
        const taken = takeSnapshot(carrySnapshot(read));
        for (const each of events) expect(taken.evaluate(each)).toEqual(read.evaluate(each));
        expect(facts(taken)).toEqual(facts(read));
      },
    ),
    { numRuns: 300 },
  );
}, 60_000);

test("marks and rates are remembered the same", () => {
  fc.assert(
    fc.property(fc.array(pastPolicy, { minLength: 1, maxLength: 2 }), story, (layers, events) => {
      const read = load(...layers.map((layer) => policyText(layer)));
      const [here, there] = [new StatefulDecider(read), new StatefulDecider(takeSnapshot(carrySnapshot(read)))];
      for (const each of events) expect(there.evaluate(each)).toEqual(here.evaluate(each));
    }),
    { numRuns: 200 },
  );
}, 60_000);

test("the examples are the same, and carrying twice changes nothing", async () => {
  const directory = `${import.meta.dir}/../../../examples`;
  for await (const file of new Glob("*.toml").scan(directory)) {
    if (file.endsWith(".suite.toml")) continue;
    const read = load(await Bun.file(`${directory}/${file}`).text());
    const text = carrySnapshot(read);
    expect(facts(takeSnapshot(text))).toEqual(facts(read));
    expect(carrySnapshot(takeSnapshot(text))).toBe(text);
  }
});

test("a text that is no snapshot is refused", () => {
  for (const text of ["null", "[]", "{}", '{"ref":{},"layers":1}']) expect(() => takeSnapshot(text)).toThrow("none");
  expect(() => takeSnapshot("x")).toThrow();
});
