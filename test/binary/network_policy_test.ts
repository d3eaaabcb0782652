/** Network rules: refused by the kernel with EPERM before anything leaves, recorded with one decision id. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Entry } from "../../lib/core/mod.ts";
import { decided, GuardSetup, IS_ROOT, PYTHON, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 60_000;

const POLICY = `version = 1
name = "network"
mode = "enforce"

[default]
"*" = "allow"

[[rules]]
name = "no-v4"
action = ["net.connect", "net.send"]
address = "127.66.0.0/16"
verdict = "deny"
reason = "Not that network."

[[rules]]
name = "no-v6"
action = ["net.connect", "net.send"]
address = "::1"
port = 7001
verdict = "deny"

[[rules]]
name = "no-bind"
action = "net.bind"
port = 7777
verdict = "deny"

[[rules]]
name = "no-send"
action = "net.send"
address = "127.69.0.0/16"
verdict = "deny"

[[rules]]
name = "only-said"
action = "net.connect"
address = "127.68.0.0/16"
verdict = "deny"
mode = "observe"
`;

type Attempt = readonly [operation: string, address: string, port: number];

async function attempts(
  setup: GuardSetup,
  tried: readonly Attempt[],
  flags: readonly string[] = [],
): Promise<{ readonly results: readonly string[]; readonly entries: readonly Entry[] }> {
  const command = [PYTHON, "-I", "-S", join(import.meta.dir, "fixtures/net_try.py"), JSON.stringify(tried)];
  const done = await setup.guard(command, { flags });
  if (done.exit_code !== 0) throw new Error(`try the network: exit ${done.exit_code}: ${done.stderr}`);
  const results: readonly string[] = JSON.parse(done.stdout);
  return { results, entries: await setup.entries() };
}

const DENIED: readonly (readonly [...Attempt, rule: string, shown: string, type: string])[] = [
  ["tcp", "127.66.1.2", 80, "no-v4", "127.66.1.2", "net.connect"],
  ["udp", "127.66.1.2", 53, "no-v4", "127.66.1.2", "net.connect"],
  ["sendto", "127.66.1.2", 53, "no-v4", "127.66.1.2", "net.send"],
  ["sendmsg", "127.66.1.2", 53, "no-v4", "127.66.1.2", "net.send"],
  ["tcp", "::ffff:127.66.1.2", 80, "no-v4", "127.66.1.2", "net.connect"],
  ["sendto", "::ffff:127.66.1.2", 53, "no-v4", "127.66.1.2", "net.send"],
  ["tcp", "::1", 7001, "no-v6", "::1", "net.connect"],
  ["udp", "::1", 7001, "no-v6", "::1", "net.connect"],
  ["sendto", "::1", 7001, "no-v6", "::1", "net.send"],
  ["sendmsg", "::1", 7001, "no-v6", "::1", "net.send"],
  ["bind", "127.0.0.1", 7777, "no-bind", "127.0.0.1", "net.bind"],
  ["bind", "::1", 7777, "no-bind", "::1", "net.bind"],
];

describe.skipIf(!IS_ROOT)("a denied network action", () => {
  test.each([...DENIED])("%s %s %d: EPERM by %s", async (operation, address, port, rule, shown, type) => {
    await using setup = await GuardSetup.create(POLICY);
    const { results, entries } = await attempts(setup, [[operation, address, port]]);
    expect(results).toEqual(["EPERM"]);
    const found = decided(entries).filter(({ decision }) => decision.decision?.verdict === "deny");
    expect(found).toHaveLength(1);
    expect(found[0]?.decision).toMatchObject({
      action: { type, address: shown, port },
      decision: { verdict: "deny", rule, mode: "enforce" },
    });
    expect(found[0]?.outcomes).toHaveLength(1);
    expect(found[0]?.outcomes[0]?.outcome).toMatchObject({ label: "prevented", mechanism: "cgroup" });
    expect(found[0]?.outcomes[0]?.seq).toBeGreaterThan(found[0]?.decision.seq ?? Number.POSITIVE_INFINITY);
  }, LIMIT_MS);

  test("what a socket sends that no hook saw connect is decided as a packet", async () => {
    await using setup = await GuardSetup.create(POLICY);
    const { results, entries } = await attempts(setup, [["udplite", "127.69.1.2", 53], ["udplite", "127.65.1.2", 53]]);
    expect(results).toEqual(["EPERM", "ok"]);
    const sends = decided(entries).filter(({ decision }) => decision.action?.type === "net.send");
    expect(sends.map(({ decision }) => [decision.decision?.rule, decision.action])).toMatchObject([
      ["no-send", { address: "127.69.1.2", port: 53, protocol: "other", result: "EPERM" }],
    ]);
    expect(sends.flatMap(({ outcomes }) => outcomes.map(({ outcome }) => outcome))).toMatchObject([
      { label: "prevented", mechanism: "cgroup" },
    ]);
  }, LIMIT_MS);

  test("what no rule names goes through", async () => {
    await using setup = await GuardSetup.create(POLICY);
    const { results, entries } = await attempts(setup, [
      ["udp", "127.65.255.255", 53],
      ["udp", "127.0.0.1", 53],
      ["udp", "::1", 7002],
      ["sendto", "127.0.0.1", 7777],
      ["bind", "127.0.0.1", 0],
    ]);
    expect(results).toEqual(["ok", "ok", "ok", "ok", "ok"]);
    expect(decided(entries)).toEqual([]);
  }, LIMIT_MS);

  test("never arrives, and does where the guard only observes", async () => {
    let arrived = 0;
    using listener = Bun.listen({
      hostname: "127.66.0.1",
      port: 0,
      socket: {
        open: () => {
          arrived++;
        },
        data: () => {},
      },
    });
    const tried: readonly Attempt[] = [["tcp", "127.66.0.1", listener.port]];
    await using enforced = await GuardSetup.create(POLICY);
    expect((await attempts(enforced, tried)).results).toEqual(["EPERM"]);
    expect(arrived).toBe(0);
    await using observed = await GuardSetup.create(POLICY);
    const { results, entries } = await attempts(observed, tried, ["--mode", "observe"]);
    expect(results).toEqual(["ok"]);
    expect(arrived).toBe(1);
    const found = decided(entries).filter(({ decision }) => decision.decision?.rule === "no-v4");
    expect(found.map(({ decision }) => decision.decision)).toMatchObject([
      { verdict: "allow", would: "deny", mode: "observe" },
    ]);
    expect(entries.filter((entry) => entry.outcome?.label === "prevented")).toEqual([]);
  }, LIMIT_MS);

  test("ask without anybody who answers in time is deny, and says so", async () => {
    await using setup = await GuardSetup.create(`${POLICY}
[approval]
timeout = "1s"
[[rules]]
name = "ask-first"
action = "net.connect"
address = "127.67.0.0/16"
verdict = "ask"
`);
    const { results, entries } = await attempts(setup, [["udp", "127.67.0.1", 53]]);
    expect(results).toEqual(["EPERM"]);
    const found = decided(entries).filter(({ decision }) => decision.decision?.rule === "ask-first");
    expect(found).toHaveLength(1);
    expect(found[0]?.decision.decision?.verdict).toBe("ask");
    expect(found[0]?.outcomes.map(({ outcome }) => [outcome?.label, outcome?.mechanism, outcome?.by])).toEqual([
      ["prevented", "seccomp", "expiry"],
    ]);
  }, LIMIT_MS);

  test("a rule in observe mode only says what it would do", async () => {
    await using setup = await GuardSetup.create(POLICY);
    const { results, entries } = await attempts(setup, [["udp", "127.68.0.1", 53], ["udp", "127.66.0.1", 53]]);
    expect(results).toEqual(["ok", "EPERM"]);
    const found = decided(entries).filter(({ decision }) => decision.decision?.rule === "only-said");
    expect(found.map(({ decision }) => decision.decision)).toMatchObject([{ verdict: "allow", would: "deny" }]);
  }, LIMIT_MS);

  test("a default of deny holds where no rule allows", async () => {
    const policy = `version = 1\nname = "closed"\nmode = "enforce"\n[default]\nnet = "deny"\n"*" = "allow"\n` +
      `[[rules]]\nname = "one-port"\naction = "net.*"\nport = 7100\nverdict = "allow"\n`;
    await using setup = await GuardSetup.create(policy);
    const { results, entries } = await attempts(setup, [
      ["udp", "127.0.0.1", 7100],
      ["udp", "127.0.0.1", 7101],
      ["sendto", "::1", 7100],
      ["sendto", "::1", 7101],
      ["bind", "127.0.0.1", 7101],
    ]);
    // The only port is known to the baseline, too, and Landlock says EACCES.
    const [bound, ...others] = results.toReversed();
    expect(others.toReversed()).toEqual(["ok", "EPERM", "ok", "EPERM"]);
    expect(["EPERM", "EACCES"]).toContain(bound ?? "");
    const labels = decided(entries).filter(({ decision }) => decision.decision?.verdict === "deny")
      .flatMap(({ outcomes }) => outcomes.map((entry) => entry.outcome?.label));
    expect(labels).toEqual(["prevented", "prevented", "prevented"]);
  }, LIMIT_MS);

  test("processes outside are not touched", async () => {
    await using setup = await GuardSetup.create(POLICY);
    await using guard = setup.start(["/bin/sh", "-c", "echo ready; read line"]);
    await waitUntil("the command", () => guard.stdout.includes("ready"), { detail: () => guard.stderr });
    const socket = await Bun.udpSocket({ connect: { hostname: "127.66.1.2", port: 53 } });
    expect(socket.send("x")).toBe(true);
    socket.close();
  }, LIMIT_MS);
});
