import { describe, expect, test } from "bun:test";
import { type Action, isUlid, type KernelVerdict } from "../../../lib/core/mod.ts";
import { ALLOW, DENY, event, policy, read, SESSION, Setup } from "./support.ts";

const CONNECT: Action = { type: "net.connect", protocol: "tcp", address: "192.0.2.1", port: 443 };

describe("a verdict with an effect", () => {
  test("the decision is recorded before the actor acts, the outcome after; one id joins them", () => {
    const setup = new Setup(() => DENY);
    setup.handle(event(CONNECT));
    expect(setup.kinds).toEqual(["decision", "outcome"]);
    expect(setup.actor.performed.map((each) => each.recorded)).toEqual([1]);
    const [decision, outcome] = setup.sink.entries;
    expect(decision).toMatchObject({
      time_us: 1_000,
      session_id: SESSION.session_id,
      principal: "alice",
      process: { pid: 10, start: "100", exe: "/bin/x" },
      action: CONNECT,
      decision: {
        verdict: "deny",
        rule: "no",
        reason: "off limits",
        mode: "enforce",
        policy: { name: "test", digest: "ab".repeat(32), generation: 1 },
      },
    });
    expect(decision?.process).not.toHaveProperty("argv");
    expect(isUlid(decision?.decision?.decision_id ?? "")).toBe(true);
    expect(outcome?.outcome?.decision_id).toBe(decision?.decision?.decision_id);
    expect(setup.pipeline.counters()).toMatchObject({ actions: 1, denied: 1, asked: 0, observed_denials: 0 });
  });

  test("ask denies, because nobody can approve, and says so", () => {
    const setup = new Setup(() => ({ ...DENY, verdict: "ask" }));
    setup.handle(event(CONNECT));
    expect(setup.sink.entries[0]?.decision).toMatchObject({
      verdict: "deny",
      reason: "nobody can approve yet, so denied: off limits",
    });
    expect(setup.actor.performed[0]?.decision.verdict).toBe("deny");
    expect(setup.pipeline.counters()).toMatchObject({ denied: 1, asked: 1 });
  });

  test("observe mode records what would have been, and the actor is told to allow", () => {
    const setup = new Setup(() => ({ ...DENY, verdict: "allow", would: "deny", mode: "observe" }));
    setup.handle(event(CONNECT));
    expect(setup.kinds).toEqual(["decision", "outcome"]);
    expect(setup.sink.entries[0]?.decision).toMatchObject({ verdict: "allow", would: "deny", mode: "observe" });
    expect(setup.actor.performed[0]?.decision.verdict).toBe("allow");
    expect(setup.pipeline.counters()).toMatchObject({ denied: 0, observed_denials: 1 });
  });
});

describe("what is only seen", () => {
  test("an allowed action is an observation with a short policy reference, and the actor is not asked", () => {
    const setup = new Setup();
    setup.handle(event(CONNECT));
    expect(setup.kinds).toEqual(["observation"]);
    expect(setup.sink.entries[0]?.decision?.policy.digest).toBe("ab".repeat(8));
    expect(setup.actor.performed).toEqual([]);
  });

  test.each([
    [{ type: "process.exit", exit_code: 0 }],
    [{ type: "process.fork", child: { pid: 1, start: "1" } }],
    [{ type: "exec.failed", errno: "ENOENT" }],
    [{ type: "net.dns", name: "a.example", answers: ["192.0.2.1"], ttl_s: 60 }],
  ] as [Action][])("%j has no decision where no rule spoke, and one where a rule did", (action) => {
    const plain = new Setup();
    plain.handle(event(action));
    expect(plain.sink.entries[0]).not.toHaveProperty("decision");
    const ruled = new Setup(() => ({ ...ALLOW, verdict: "log", rule: "watch" }));
    ruled.handle(event(action));
    expect(ruled.sink.entries[0]?.decision).toMatchObject({ verdict: "log", rule: "watch" });
  });

  test("an entry shows the process in its short form, or in the only form that there is", () => {
    const setup = new Setup();
    const { shown: _shown, ...long } = read("/b");
    setup.handle(read("/a"));
    setup.handle(long);
    expect(setup.sink.entries.map((entry) => entry.process?.argv)).toEqual([undefined, ["x"]]);
  });

  test("an event of no session is recorded without one", () => {
    const setup = new Setup();
    setup.handle(read("/a", { session: "none" }));
    expect(setup.sink.entries[0]).not.toHaveProperty("session_id");
  });
});

describe("the kernel's verdict", () => {
  const kernel = (fields: Partial<KernelVerdict>): KernelVerdict => ({
    verdict: "deny",
    rule_index: 2,
    generation: 1,
    effect: "refused",
    ...fields,
  });

  test("the same deny is no alarm", () => {
    const setup = new Setup(() => DENY);
    setup.handle(event(CONNECT, { kernel: kernel({}) }));
    expect(setup.kinds).toEqual(["decision", "outcome"]);
  });

  test("a deny that the policy does not share stands, is recorded as one, and is an alarm", () => {
    const setup = new Setup();
    setup.handle(event(CONNECT, { kernel: kernel({}) }));
    expect(setup.kinds).toEqual(["guard", "decision", "outcome"]);
    expect(setup.sink.entries[0]?.action).toEqual({
      type: "guard.mismatch",
      detail: "the kernel said deny, the policy says allow (default) for net.connect",
    });
    expect(setup.sink.entries[1]?.decision).toMatchObject({
      verdict: "deny",
      rule: "no",
      reason: "refused by the kernel's copy of policy generation 1",
    });
    expect(setup.pipeline.counters()).toMatchObject({ mismatches: 1, denied: 1 });
  });

  test("a deny by an older generation stands, without an alarm and without the name of another rule", () => {
    const setup = new Setup();
    setup.pipeline.setPolicy(policy(2, () => ALLOW));
    setup.handle(event(CONNECT, { kernel: kernel({}) }));
    expect(setup.kinds).toEqual(["decision", "outcome"]);
    expect(setup.sink.entries[0]?.decision).not.toHaveProperty("rule");
    expect(setup.sink.entries[0]?.decision).toMatchObject({ verdict: "deny", policy: { generation: 2 } });
  });

  test("an allow of what a rule in the kernel denies is an alarm; of another rule or an older copy it is not", () => {
    const allowed = kernel({ verdict: "allow", effect: "none", rule_index: -1 });
    const inside = new Setup(() => DENY);
    inside.handle(event(CONNECT, { kernel: allowed }));
    expect(inside.kinds).toEqual(["guard", "decision", "outcome"]);
    const outside = new Setup(() => ({ ...DENY, rule_index: 3 }));
    outside.handle(event(CONNECT, { kernel: allowed }));
    expect(outside.kinds).toEqual(["decision", "outcome"]);
    const older = new Setup(() => DENY);
    older.handle(event(CONNECT, { kernel: { ...allowed, generation: 0 } }));
    expect(older.kinds).toEqual(["decision", "outcome"]);
  });

  test("both allow: nothing but the observation", () => {
    const setup = new Setup();
    setup.handle(event(CONNECT, { kernel: kernel({ verdict: "allow", effect: "none", rule_index: -1 }) }));
    expect(setup.kinds).toEqual(["observation"]);
  });
});

describe("bytes", () => {
  const opened = (setup: Setup, ino: number, about: Parameters<typeof read>[1] = {}): string => {
    setup.handle(read(`/f${ino}`, { ...about, file: { dev: 1, ino } }));
    return setup.sink.entries.at(-1)?.decision?.decision_id ?? "none";
  };
  const last = (setup: Setup): string | undefined => setup.sink.entries.at(-1)?.outcome?.decision_id;

  test("are an outcome of the open's decision", () => {
    const setup = new Setup();
    const id = opened(setup, 7);
    setup.bytes(7);
    expect(setup.sink.entries.at(-1)).toMatchObject({
      kind: "outcome",
      time_us: 2_000,
      session_id: SESSION.session_id,
      process: { pid: 10 },
      outcome: { decision_id: id, label: "observed", mechanism: "none", bytes_read: 5, bytes_written: 6 },
    });
  });

  test("of a child that inherited the descriptor join the open of its session", () => {
    const setup = new Setup();
    const id = opened(setup, 7);
    setup.bytes(7, { pid: 11 });
    expect(last(setup)).toBe(id);
  });

  test("the process's own open wins over a later one of its session", () => {
    const setup = new Setup();
    const own = opened(setup, 7);
    const other = opened(setup, 7, { pid: 11 });
    setup.bytes(7);
    expect(last(setup)).toBe(own);
    setup.bytes(7, { pid: 12 });
    expect(last(setup)).toBe(other);
  });

  test("a process with a reused pid does not inherit the opens of the one before", () => {
    const setup = new Setup();
    opened(setup, 7, { session: "none" });
    setup.bytes(7, { start: "200", session: "none" });
    expect(setup.kinds).toEqual(["observation"]);
  });

  test("of another session are not joined, but counted", () => {
    const setup = new Setup();
    opened(setup, 7);
    setup.bytes(7, { pid: 11, session: "none" });
    setup.bytes(8);
    expect(setup.kinds).toEqual(["observation"]);
    expect(setup.pipeline.counters().bytes_unmatched).toBe(2);
  });

  test("of a denied open join its decision", () => {
    const setup = new Setup(() => DENY);
    setup.handle(read("/f7", { file: { dev: 1, ino: 7 } }));
    setup.bytes(7);
    expect(last(setup)).toBe(setup.sink.entries[0]?.decision?.decision_id ?? "none");
  });
});

describe("losses", () => {
  test("a gap is recorded, counted with its number, and told", () => {
    const setup = new Setup();
    const gap = { source: "telemetry", type: "record", count: 12, from: "5", to: "16", cpu: 1 };
    setup.pipeline.gap(gap, 3_000);
    const owned = { source: "coverage", type: "i386", count: 1 };
    setup.pipeline.handle({ kind: "gap", time_us: 4_000, session: SESSION, shown: { pid: 3, start: "4" }, gap: owned });
    expect(setup.sink.entries).toEqual([
      { time_us: 3_000, kind: "gap", gap },
      {
        time_us: 4_000,
        kind: "gap",
        session_id: SESSION.session_id,
        principal: "alice",
        process: { pid: 3, start: "4" },
        gap: owned,
      },
    ]);
    expect(setup.losses).toEqual([[gap, undefined], [owned, SESSION]]);
    expect(setup.pipeline.counters().lost).toBe(13);
  });
});

describe("policy change", () => {
  test("later records are decided and named by the new policy, earlier ones keep the old", () => {
    const setup = new Setup(() => DENY);
    setup.handle(read("/a"));
    setup.pipeline.setPolicy(policy(2, () => ALLOW));
    setup.handle(read("/b"));
    const decisions = setup.sink.entries.flatMap((entry) => entry.decision === undefined ? [] : [entry.decision]);
    expect(decisions.map((each) => [each.verdict, each.policy.generation])).toEqual([["deny", 1], ["allow", 2]]);
  });
});

test("counters are a copy", () => {
  const setup = new Setup();
  const before = setup.pipeline.counters();
  setup.handle(read("/a"));
  expect([before.actions, setup.pipeline.counters().actions]).toEqual([0, 1]);
});

describe("names of addresses", () => {
  const NAMED: Action = { ...CONNECT, host: "x.example", hosts: ["x.example", "api.example"], host_source: "dns" };
  const ALLOWED: KernelVerdict = { verdict: "allow", rule_index: -1, generation: 1, effect: "none" };
  const REFUSED: KernelVerdict = { verdict: "deny", rule_index: 2, generation: 1, effect: "refused" };

  test("the entry shows the name that the deciding rule asks for, and where it comes from", () => {
    const setup = new Setup(() => DENY);
    setup.handle({ ...event(NAMED), host_sources: ["dns", "hosts"] });
    for (const entry of setup.sink.entries) {
      expect(entry.action).toMatchObject({ host: "api.example", hosts: ["x.example", "api.example"] });
      expect(entry.action).toMatchObject({ host_source: "hosts" });
    }
  });

  test("where the default decides it is the latest", () => {
    const setup = new Setup();
    setup.handle({ ...event(NAMED), host_sources: ["dns", "dns"] });
    expect(setup.sink.entries[0]?.action).toMatchObject({ host: "x.example" });
  });

  test("a difference to the kernel is an alarm, but where it may have known other names", () => {
    for (const [ruling, kernel] of [[DENY, ALLOWED], [ALLOW, REFUSED]] as const) {
      const sure = new Setup(() => ruling);
      sure.handle(event(NAMED, { kernel }));
      expect(sure.kinds).toContain("guard");
      const unsure = new Setup(() => ruling);
      unsure.handle(event(NAMED, { kernel: { ...kernel, names_unsure: true } }));
      expect(unsure.kinds).toEqual(["decision", "outcome"]);
    }
  });
});
