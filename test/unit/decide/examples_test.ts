/** The policies in `examples/` load without a warning, pass their own tests, and do what they say. */
import { describe, expect, test } from "bun:test";
import { Glob } from "bun";
import { formatDiagnostic, loadPolicy, lower, type PolicySnapshot } from "../../../lib/decide/mod.ts";
import { connect, event, exec, read } from "./support.ts";

const directory = `${import.meta.dir}/../../../examples`;
const files = [...new Glob("*.toml").scanSync(directory)].filter((file) => !file.endsWith(".suite.toml")).toSorted();

async function loadFile(file: string): Promise<PolicySnapshot> {
  const loaded = loadPolicy([{ file, bytes: await Bun.file(`${directory}/${file}`).bytes() }], { generation: 1 });
  if (!loaded.ok) throw new Error(loaded.error.map((finding) => formatDiagnostic(finding)).join("\n"));
  return loaded.value;
}

test("the examples are there", () => {
  expect(files).toEqual([
    "ci-runner.toml",
    "coding-agent.toml",
    "container.toml",
    "default-deny.toml",
    "named-hosts.toml",
    "observe.toml",
    "policy.toml",
    "research-agent.toml",
    "server-agent.toml",
    "tainted.toml",
  ]);
});

describe("each example", () => {
  for (const file of files) {
    test(`${file} loads without a warning, and every rule that refuses has a test`, async () => {
      const snapshot = await loadFile(file);
      expect(snapshot.warnings).toEqual([]);
      for (const { rules } of snapshot.layers) {
        for (const { node } of rules) expect([node.name, node.tests.length > 0]).toEqual([node.name, true]);
      }
    });
  }
});

test("policy.toml: the demo's forbidden connection and program are refused in the kernel", async () => {
  const snapshot = await loadFile("policy.toml");
  const { policy, report } = lower(snapshot, { home: "/home/u" });
  expect(policy.net.map(({ actions, verdict }) => [verdict, ...actions])).toEqual([[
    "deny",
    "net.connect",
    "net.send",
  ]]);
  expect(policy.exec.flatMap(({ names }) => names)).toEqual(["forbidden-tool", "nc"]);
  expect(policy.exec_default).toBe("allow");
  const mechanism = (rule: string): string | undefined => report.find((each) => each.rule === rule)?.mechanism;
  expect([mechanism("no-test-net"), mechanism("no-forbidden-tool")]).toEqual(["cgroup", "exec_kill"]);
  expect(snapshot.evaluate(event(connect("192.0.2.1")))).toMatchObject({ verdict: "deny", rule: "no-test-net" });
  expect(snapshot.evaluate(event(exec("/tmp/agentguard-demo.x/forbidden-tool")))).toMatchObject({ verdict: "deny" });
  expect(snapshot.evaluate(event(connect("127.0.0.1", 4000)))).toMatchObject({ verdict: "allow" });
  const write = event({ type: "file.write", path: "/tmp/agentguard-demo.x/notes/plan.txt", result: "0" });
  expect(snapshot.evaluate(write)).toMatchObject({ verdict: "log", rule: "writes-in-the-working-tree" });
});

test("observe.toml refuses nothing", async () => {
  const snapshot = await loadFile("observe.toml");
  expect(snapshot.evaluate(event(read("/home/u/.ssh/id")))).toMatchObject({ verdict: "allow", would: "deny" });
  expect(lower(snapshot, {}).policy).toMatchObject({ net: [], exec: [], exec_default: "allow" });
});

test("coding-agent.toml knows its agents", async () => {
  const snapshot = await loadFile("coding-agent.toml");
  expect(snapshot.matchAgent({ pid: 7, exe: "/home/u/.local/bin/claude" })?.name).toBe("claude");
  expect(snapshot.matchAgent({ pid: 7, exe: "/usr/bin/node", argv: ["node", "/usr/local/bin/claude"] })?.name).toBe(
    "claude",
  );
  expect(snapshot.matchAgent({ pid: 7, exe: "/usr/bin/node", argv: ["node", "/w/server.js"] })).toBeUndefined();
  expect(snapshot.matchAgent({ pid: 7, exe: "/usr/bin/codex" })?.name).toBe("codex");
  expect(snapshot.matchAgent({ pid: 7, exe: "/usr/bin/vim" })).toBeUndefined();
});
