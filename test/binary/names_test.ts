/** Rules by host name on the executable: the names that a resolver outside of the tree gives decide at connect. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Entry } from "../../lib/core/mod.ts";
import { about, decided, GuardSetup, IS_ROOT, PYTHON, TestResolver } from "../support/mod.ts";

const LIMIT_MS = 60_000;
const TRUSTED = "127.99.0.53";
const STRANGER = "127.99.0.54";

/** Addresses of documentation: nobody is there, and what is allowed fails otherwise than by EPERM, or not at all. */
const API = "203.0.113.7";
const SHARED = "203.0.113.9";
const INSIDE = "127.77.1.2";

const POLICY = `version = 1
name = "names"
mode = "enforce"

[default]
"*" = "allow"
net = "deny"

[guard]
resolvers = ["${TRUSTED}"]

[[rules]]
name = "resolvers"
action = ["net.connect", "net.send"]
address = "127.99.0.0/16"
port = 53
verdict = "allow"

[[rules]]
name = "web"
action = ["net.connect", "net.send"]
host = ["api.example.com", "*.cdn.example.com"]
verdict = "allow"

[[rules]]
name = "inside"
action = "net.connect"
host = "inside.example.com"
address = "127.77.0.0/16"
verdict = "allow"

[[rules]]
name = "tracker"
action = ["net.connect", "net.send"]
host = ".tracker.example"
verdict = "deny"
enforce = "best"
reason = "Not that host."

[[rules]]
name = "looked-up"
action = "net.dns"
host = "*.example.com"
verdict = "log"
label = "asked"
`;

const TABLE = {
  "api.example.com": [[API, "2001:db8::7"], [INSIDE]],
  "b.cdn.example.com": [[SHARED]],
  "x.tracker.example": [[SHARED]],
  "inside.example.com": [[INSIDE]],
  "other.example": [["203.0.113.20"]],
} as const;

type Step =
  | readonly ["lookup", resolver: string, name: string, type: 1 | 28]
  | readonly ["tcp" | "udp" | "sendto", address: string, port: number];

interface Done {
  readonly results: readonly unknown[];
  readonly entries: readonly Entry[];
}

async function steps(setup: GuardSetup, wanted: readonly Step[]): Promise<Done> {
  const fixture = join(import.meta.dir, "fixtures/names_try.py");
  const done = await setup.guard([PYTHON, "-I", "-S", fixture, JSON.stringify(wanted)]);
  if (done.exit_code !== 0) throw new Error(`go by names: exit ${done.exit_code}: ${done.stderr}`);
  const results: readonly unknown[] = JSON.parse(done.stdout);
  const entries = await setup.entries();
  expect(about(entries, "guard.mismatch")).toEqual([]);
  expect(entries.filter(({ kind }) => kind === "gap")).toEqual([]);
  return { results, entries };
}

/** What is recorded of connections to an address, without the look-ups themselves. */
function connections(entries: readonly Entry[], address: string): readonly Entry[] {
  return about(entries, "net.connect").filter((entry) => entry.action.address === address);
}

describe.skipIf(!IS_ROOT)("a rule by host name", () => {
  test("lets the address pass that was looked up, and the record shows answer, name and rule in order", async () => {
    using resolver = await TestResolver.start(TRUSTED, TABLE);
    await using setup = await GuardSetup.create(POLICY);
    const { results, entries } = await steps(setup, [
      ["lookup", TRUSTED, "api.example.com", 1],
      ["udp", API, 443],
      ["sendto", API, 443],
      ["lookup", TRUSTED, "api.example.com", 28],
      ["udp", "2001:db8::7", 443],
    ]);
    expect(resolver.asked).toEqual(["api.example.com", "api.example.com"]);
    expect([results[0], results[3]]).toEqual([[API], ["2001:db8::7"]]);
    for (const result of [results[1], results[2], results[4]]) expect(result).not.toBe("EPERM");
    const [answer] = about(entries, "net.dns");
    expect(answer).toMatchObject({
      kind: "observation",
      action: { type: "net.dns", name: "api.example.com", answers: [API], ttl_s: 300 },
      decision: { verdict: "log", rule: "looked-up" },
    });
    expect(answer).not.toHaveProperty("process");
    const [connected] = connections(entries, API);
    expect(connected).toMatchObject({
      kind: "observation",
      session_id: answer?.session_id,
      action: { host: "api.example.com", host_source: "dns" },
      decision: { verdict: "allow", rule: "web" },
    });
    expect(connected?.seq).toBeGreaterThan(answer?.seq ?? Number.POSITIVE_INFINITY);
    expect(connections(entries, "2001:db8::7")[0]).toMatchObject({ action: { host: "api.example.com" } });
    const shown = await setup.command(["audit", "query", "--type", "net.*"]);
    expect(shown.stdout).toContain(`resolve api.example.com -> ${API}`);
    expect((await setup.verify()).exit_code).toBe(0);
  }, LIMIT_MS);

  test("refuses what was not looked up, and what another one than the resolver answered", async () => {
    using _trusted = await TestResolver.start(TRUSTED, TABLE);
    using stranger = await TestResolver.start(STRANGER, { "api.example.com": [["203.0.113.66"]] });
    await using setup = await GuardSetup.create(POLICY);
    const { results, entries } = await steps(setup, [
      ["udp", API, 443],
      ["lookup", STRANGER, "api.example.com", 1],
      ["udp", "203.0.113.66", 443],
      ["lookup", TRUSTED, "other.example", 1],
      ["udp", "203.0.113.20", 443],
    ]);
    expect(stranger.asked).toEqual(["api.example.com"]);
    expect(results).toEqual(["EPERM", ["203.0.113.66"], "EPERM", ["203.0.113.20"], "EPERM"]);
    const refused = decided(entries).filter(({ decision }) => decision.decision?.verdict === "deny");
    expect(refused.map(({ decision }) => decision.action)).toMatchObject([
      { address: API },
      { address: "203.0.113.66" },
      { address: "203.0.113.20", host: "other.example" },
    ]);
    expect(refused[0]?.decision.action).not.toHaveProperty("host");
    expect(refused[1]?.decision.action).not.toHaveProperty("host");
    for (const { outcomes } of refused) {
      expect(outcomes.map(({ outcome }) => outcome)).toMatchObject([{ label: "prevented", mechanism: "cgroup" }]);
    }
    expect(about(entries, "net.dns").map(({ action }) => action.name)).toEqual(["other.example"]);
  }, LIMIT_MS);

  test("that forbids holds as soon as one name of the address is forbidden", async () => {
    using _resolver = await TestResolver.start(TRUSTED, TABLE);
    await using setup = await GuardSetup.create(POLICY);
    const { results, entries } = await steps(setup, [
      ["lookup", TRUSTED, "b.cdn.example.com", 1],
      ["udp", SHARED, 443],
      ["lookup", TRUSTED, "x.tracker.example", 1],
      ["udp", SHARED, 443],
    ]);
    expect(results[1]).not.toBe("EPERM");
    expect(results[3]).toBe("EPERM");
    const [refused] = decided(entries).filter(({ decision }) => decision.decision?.rule === "tracker");
    expect(refused?.decision).toMatchObject({
      action: { host: "x.tracker.example", hosts: ["x.tracker.example", "b.cdn.example.com"] },
      decision: { verdict: "deny", reason: "Not that host." },
    });
    expect(refused?.outcomes.map(({ outcome }) => outcome?.label)).toEqual(["prevented"]);
  }, LIMIT_MS);

  test(
    "rebinding: an allowed name that leads to this host opens nothing, but where its rule asks for the address",
    async () => {
      using listener = Bun.listen({
        hostname: INSIDE,
        port: 0,
        socket: { open: (socket) => void socket.end("welcome"), data: () => {} },
      });
      using _resolver = await TestResolver.start(TRUSTED, TABLE);
      await using setup = await GuardSetup.create(POLICY);
      const { results, entries } = await steps(setup, [
        ["lookup", TRUSTED, "api.example.com", 1],
        ["lookup", TRUSTED, "api.example.com", 1],
        ["tcp", INSIDE, listener.port],
        ["lookup", TRUSTED, "inside.example.com", 1],
        ["tcp", INSIDE, listener.port],
      ]);
      expect(results).toEqual([[API], [INSIDE], "EPERM", [INSIDE], "welcome"]);
      const [refused, passed] = connections(entries, INSIDE).filter(({ kind }) => kind !== "outcome");
      expect(refused).toMatchObject({ kind: "decision", action: { host: "api.example.com" } });
      expect(passed).toMatchObject({ action: { host: "inside.example.com" }, decision: { rule: "inside" } });
    },
    LIMIT_MS,
  );

  test("is a policy that is learnt by name from what was recorded", async () => {
    using _resolver = await TestResolver.start(TRUSTED, TABLE);
    await using setup = await GuardSetup.create(POLICY);
    await steps(setup, [["lookup", TRUSTED, "api.example.com", 1], ["udp", API, 443]]);
    const learnt = await setup.command(["policy", "learn", setup.state, "--class", "net"]);
    expect(learnt.stdout).toContain('host = "api.example.com"\nport = 443\nprotocol = "udp"');
    expect(learnt.stdout).not.toContain(API);
  }, LIMIT_MS);
});
