/** Several guards on one host: each guards its own tree, by its own policy. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import {
  about,
  ALLOW_ALL,
  EXECUTABLE,
  GuardSetup,
  IS_ROOT,
  PYTHON,
  run,
  UNCONFINED,
  waitUntil,
} from "../support/mod.ts";

const LIMIT_MS = 90_000;

const DENY = `${UNCONFINED}
[[rules]]
name = "no-network"
action = ["net.connect", "net.send"]
address = "127.66.0.0/16"
verdict = "deny"

[[rules]]
name = "no-tool"
action = "exec"
exe = "true"
verdict = "deny"
`;

const ATTEMPT: readonly string[] = [
  PYTHON,
  "-I",
  "-S",
  join(import.meta.dir, "fixtures/net_try.py"),
  JSON.stringify([["udp", "127.66.0.1", 53]]),
];

describe.skipIf(!IS_ROOT)("guards at the same time", () => {
  test("each applies its own policy to its own tree and records only that", async () => {
    const policies = [DENY, ALLOW_ALL, DENY, ALLOW_ALL];
    const setups = await Promise.all(policies.map((policy) => GuardSetup.create(policy)));
    try {
      const done = await Promise.all(setups.map((setup) => setup.guard(ATTEMPT)));
      expect(done.map((one) => [one.exit_code, one.stdout])).toEqual(
        policies.map((policy) => [0, policy === DENY ? '["EPERM"]' : '["ok"]']),
      );
      for (const setup of setups) {
        const entries = await setup.entries();
        expect(about(entries, "net.connect").filter((entry) => entry.kind !== "outcome")).toHaveLength(1);
        expect(about(entries, "exec")).toHaveLength(1);
        expect((await setup.verify()).exit_code).toBe(0);
      }
    } finally {
      await Promise.all(setups.map((setup) => setup[Symbol.asyncDispose]()));
    }
  }, LIMIT_MS);

  // It needs what the baseline takes: loading programs, making cgroups.
  test("a guard inside a guard: the outer one's rules hold inside too", async () => {
    await using outer = await GuardSetup.create(DENY);
    await using inner = await GuardSetup.create(ALLOW_ALL);
    const attempt = await outer.guard(inner.argv(ATTEMPT));
    expect([attempt.exit_code, attempt.stdout]).toEqual([0, '["EPERM"]']);
    const program = await outer.guard(inner.argv(["/bin/sh", "-c", '/bin/true; echo "status $?"']));
    expect(program.stdout).toBe("status 126\n");
    // Both saw the program that the inner one guards.
    for (const setup of [outer, inner]) {
      const paths = about(await setup.entries(), "exec").map((entry) => entry.action.argv.join(" "));
      expect(paths.some((line) => line.startsWith(ATTEMPT[0] ?? "none"))).toBe(true);
    }
  }, LIMIT_MS);

  test("a second one on the same directories is told who is there and how to start beside it", async () => {
    await using setup = await GuardSetup.create();
    await using first = setup.start(["/bin/sh", "-c", "echo begins; read go"]);
    await waitUntil("its begin", () => first.stdout === "begins\n", { detail: () => first.stderr });
    const second = await setup.guard(["/bin/true"]);
    expect(second.exit_code).toBe(125);
    expect(second.stderr).toStartWith(
      `agentguard: start a guard on ${setup.state}: process ${first.process.pid} (${EXECUTABLE} --policy `,
    );
    expect(second.stderr).toEndWith(`--state ${setup.state}-2 --runtime ${setup.runtime}-2\n`);
    expect(second.stderr.trim().split("\n")).toHaveLength(1);
    const own = ["--policy", setup.policy, "--state", `${setup.state}-2`, "--runtime", `${setup.runtime}-2`];
    expect((await run([EXECUTABLE, ...own, "--", "/bin/true"])).exit_code).toBe(0);
    await first.process.stdin.end();
    expect(await first.ended()).toBe(1);
  }, LIMIT_MS);
});
