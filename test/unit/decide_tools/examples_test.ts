/** The suites in `examples/` pass, and touch every rule of the policies that they are about. */
import { Glob } from "bun";
import { describe, expect, test } from "bun:test";
import { lower, parseSuite, type PolicySnapshot, runSuite, type Suite } from "../../../lib/decide/mod.ts";
import { policyOf } from "./support.ts";

const directory = `${import.meta.dir}/../../../examples`;
const names = [...new Glob("*.suite.toml").scanSync(directory)].toSorted();
const policies = [...new Glob("*.toml").scanSync(directory)].filter((name) => !name.endsWith(".suite.toml")).toSorted();

async function suiteOf(name: string): Promise<Suite> {
  const suite = parseSuite({ file: name, bytes: await Bun.file(`${directory}/${name}`).bytes() });
  if (!suite.ok) throw new Error(JSON.stringify(suite.error));
  return suite.value;
}

async function exampleOf(name: string): Promise<PolicySnapshot> {
  return policyOf(await Bun.file(`${directory}/${name}`).text(), name);
}

test("every policy has its suite", async () => {
  expect(names.map((name) => name.replace(".suite.toml", ".toml"))).toEqual(policies);
  for (const name of names) expect((await suiteOf(name)).policies).toEqual([name.replace(".suite.toml", ".toml")]);
});

describe("each suite", () => {
  for (const name of names) {
    test(`${name} passes, and each rule decides a case`, async () => {
      const suite = await suiteOf(name);
      const report = runSuite(await exampleOf(suite.policies[0] ?? ""), suite);
      expect(report.cases.filter((each) => !each.ok)).toEqual([]);
      expect(report.rules.filter(({ decided }) => decided === 0)).toEqual([]);
    });
  }
});

test("every example starts in enforce mode: what a host cannot enforce says so", async () => {
  for (const name of policies) {
    const snapshot = await exampleOf(name);
    const { report } = lower(snapshot, { home: "/home/u" });
    for (const { rule, rule_index, complete } of report) {
      const info = snapshot.rules[rule_index];
      const refuses = info?.mode === "enforce" && (info.verdict === "deny" || info.verdict === "ask");
      if (refuses && !complete) expect([name, rule, info.enforce]).toEqual([name, rule, "best"]);
    }
  }
});
