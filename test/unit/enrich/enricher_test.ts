import { describe, expect, test } from "bun:test";
import { type Enriched, type Event, IdGenerator, type ProcessInfo, type SessionInfo } from "../../../lib/core/mod.ts";
import { AddressNames, Enricher, NameResolver, ProcessTable, SessionTable } from "../../../lib/enrich/mod.ts";
import { close, exec, exit, FakeClock, fork, observed, open } from "./observed.ts";

class Setup {
  readonly clock: FakeClock = new FakeClock();
  readonly processes: ProcessTable = new ProcessTable();
  readonly sessions: SessionTable = new SessionTable();
  readonly hosts: AddressNames = new AddressNames(new Map([["192.0.2.80", ["build.example"]]]));
  readonly agents: [number, ProcessInfo][] = [];
  boot_us = 1_000_000;
  readonly session: SessionInfo = {
    session_id: new IdGenerator(this.clock).session(),
    agent: "claude",
    root: { pid: 100, start: "5" },
    principal: "alice",
  };
  readonly enricher: Enricher = new Enricher({
    processes: this.processes,
    sessions: this.sessions,
    names: new NameResolver((path) => path.replace(/^\/link/, "/real"), this.clock),
    hosts: this.hosts,
    clock: this.clock,
    bootUs: () => this.boot_us,
    onAgent: (scope, process) => {
      this.agents.push([scope, process]);
      this.sessions.put(scope, this.session);
    },
  });

  constructor() {
    this.sessions.put(1, this.session);
  }

  event(record: Parameters<Enricher["enrich"]>[0]): Event {
    const enriched: Enriched | undefined = this.enricher.enrich(record);
    if (enriched?.kind !== "event") throw new Error(`event expected, not ${enriched?.kind}`);
    return enriched.event;
  }
}

describe("lineage", () => {
  test("an exec is by the program that ran until now, and tells who the process is from now on", () => {
    const setup = new Setup();
    const first = setup.event(exec({ exe: "/bin/sh", argv: ["sh"] }));
    // Nobody knows what ran before: only who.
    expect(first.process).toEqual({ pid: 100, start: "5", ppid: 1, uid: 1000 });
    const event = setup.event(exec({ exe: "/usr/bin/git", argv: ["git", "push"] }));
    const git = { pid: 100, start: "5", ppid: 1, uid: 1000, exe: "/usr/bin/git", argv: ["git", "push"], cwd: "/w" };
    expect(event.process?.exe).toBe("/bin/sh");
    expect(event.shown).toEqual(git);
    expect(event.session).toBe(setup.session);
    const { argv: _argv, cwd: _cwd, ...shown } = git;
    expect(setup.event(open("/a")).process).toEqual(git);
    expect(setup.event(open("/a")).shown).toEqual(shown);
  });

  test("an event names the programs above its process, the parent's first, through fork and exec", () => {
    const setup = new Setup();
    setup.event(exec({ exe: "/bin/claude" }));
    expect(setup.event(open("/a")).ancestors).toBeUndefined();
    setup.event(fork(101, "7"));
    const child = { pid: 101, start: 7 };
    expect(setup.event(open("/a", child)).ancestors).toEqual(["/bin/claude"]);
    expect(setup.event(exec({ exe: "/bin/sh", ...child })).ancestors).toEqual(["/bin/claude"]);
    setup.event({ ...fork(102, "9"), pid: 101, start_low: 7 });
    expect(setup.event(open("/a", { pid: 102, start: 9 })).ancestors).toEqual(["/bin/sh", "/bin/claude"]);
  });

  test("a second exec replaces the first", () => {
    const setup = new Setup();
    setup.event(exec({ exe: "/bin/sh" }));
    setup.event(exec({ exe: "/bin/cat" }));
    expect(setup.event(open("/a")).process?.exe).toBe("/bin/cat");
    expect(setup.processes.size).toBe(1);
  });

  test("a child inherits the program, with a pid, a start, a parent and a user of its own", () => {
    const setup = new Setup();
    setup.event(exec({ exe: "/bin/sh", cgroup: `docker/${"ab".repeat(32)}` }));
    const forked = setup.event(fork(101, "4294967302"));
    expect(forked.process?.pid).toBe(100);
    const by_child = setup.event(observed(
      { kind: "plain" },
      { type: "unix.connect", path: "/s", result: "0" },
      { pid: 101, start: 6, scope: 1 },
    ));
    // Start 6 with a high word of 0 is another process: start 4294967302 has a high word of 1.
    expect(by_child.process?.exe).toBeUndefined();
    setup.event(fork(102, "7"));
    expect(setup.event(open("/a", { pid: 102, start: 7 })).process).toEqual({
      pid: 102,
      start: "7",
      ppid: 100,
      uid: 1001,
      exe: "/bin/sh",
      argv: ["tool", "-x"],
      cwd: "/w",
      container_id: "ab".repeat(32),
    });
  });

  test("an exit is told with the process, which is then forgotten", () => {
    const setup = new Setup();
    setup.event(exec());
    expect(setup.event(exit()).process?.exe).toBe("/usr/bin/tool");
    expect([setup.processes.size, setup.processes.countOf(1)]).toEqual([0, 0]);
  });

  test("bytes and an end that are told after the end do not bring the process back", () => {
    const setup = new Setup();
    setup.event(exec());
    setup.event(exit());
    expect(setup.enricher.enrich(close(5))).toMatchObject({ kind: "bytes", shown: { pid: 100, start: "5" } });
    setup.event(exit());
    expect([setup.processes.size, setup.processes.countOf(1)]).toEqual([0, 0]);
  });

  test("a reused pid is another process", () => {
    const setup = new Setup();
    setup.event(exec({ exe: "/bin/old" }));
    expect(setup.event(open("/a", { start: 6 })).process).toEqual({ pid: 100, start: "6" });
    expect(setup.event(open("/a", { start: 6 })).process?.exe).toBeUndefined();
  });

  test("a process that was never told is known by its identity alone", () => {
    const setup = new Setup();
    expect(setup.event(open("/a", { pid: 999, start: 3 })).process).toEqual({ pid: 999, start: "3" });
    expect(setup.processes.countOf(1)).toBe(1);
  });

  test("an adopted process is known as /proc told", () => {
    const setup = new Setup();
    setup.enricher.adopt(1, { pid: 50, start: "4294967299", exe: "/usr/bin/agent", argv: ["agent"] });
    const record = { ...open("/a", { pid: 50, start: 3 }), start_high: 1 };
    expect(setup.event(record).process?.exe).toBe("/usr/bin/agent");
  });
});

describe("container", () => {
  const id = "0123456789abcdef".repeat(4);
  test.each([
    [`docker/${id}`, id],
    [`system.slice/docker-${id}.scope`, id],
    [`kubepods/crio-${id}`, id],
    [id, id],
    [`docker/${id}0`, undefined],
    [`docker/${id.slice(1)}`, undefined],
    [`docker/${id.toUpperCase()}`, undefined],
    ["user.slice/session-1.scope", undefined],
    ["", undefined],
  ])("cgroup %s", (cgroup, expected) => {
    const event = new Setup().event(exec({ cgroup }));
    expect(event.shown?.container_id).toBe(expected);
    expect("container_id" in (event.shown ?? {})).toBe(expected !== undefined);
  });
});

describe("sessions", () => {
  test("the record's scope decides; where it has none, the process's", () => {
    const setup = new Setup();
    setup.event(exec());
    expect(setup.event(open("/a", { scope: 0 })).session).toBe(setup.session);
    expect(setup.event(open("/a", { scope: 2 })).session).toBeUndefined();
    expect(setup.event(open("/a", { scope: 0, pid: 7 })).session).toBeUndefined();
  });

  test("an agent's exec makes the session that it belongs to", () => {
    const setup = new Setup();
    const event = setup.event(exec({ scope: 9, agent_index: 2 }));
    expect(setup.agents).toEqual([[9, expect.objectContaining({ pid: 100, exe: "/usr/bin/tool" })]]);
    expect(event.session).toBe(setup.session);
    setup.event(exec({ scope: 9 }));
    expect(setup.agents).toHaveLength(1);
  });
});

describe("what else a record tells", () => {
  test("an open that succeeded carries the file, one that failed does not", () => {
    const setup = new Setup();
    expect(setup.event(open("/a", { ino: 77 })).file).toEqual({ dev: 8, ino: 77 });
    expect(setup.event(open("/a", { result: "ENOENT" })).file).toBeUndefined();
  });

  test("bytes name the file and the process, not its arguments", () => {
    const setup = new Setup();
    setup.event(exec());
    expect(setup.enricher.enrich(close(12, { ino: 77 }))).toEqual({
      kind: "bytes",
      time_us: expect.any(Number),
      session: setup.session,
      shown: { pid: 100, start: "5", ppid: 1, uid: 1000, exe: "/usr/bin/tool" },
      file: { dev: 8, ino: 77 },
      read_bytes: 12,
      written_bytes: 0,
    });
  });

  test("a gap names who could not be seen", () => {
    const setup = new Setup();
    setup.event(exec());
    const gap = { source: "coverage", type: "i386", count: 1 };
    expect(setup.enricher.enrich(observed({ kind: "gap", gap }, undefined))).toMatchObject({
      kind: "gap",
      session: { agent: "claude" },
      shown: { pid: 100, exe: "/usr/bin/tool" },
      gap,
    });
  });

  test("the kernel's verdict is passed on", () => {
    const kernel = { verdict: "deny", rule_index: 1, generation: 2, effect: "refused" } as const;
    const setup = new Setup();
    const action = { type: "net.connect", protocol: "tcp", address: "::1", port: 1 } as const;
    expect(setup.event(observed({ kind: "plain" }, action, { kernel })).kernel).toEqual(kernel);
    expect(setup.event({ ...exec(), kernel }).kernel).toEqual(kernel);
  });

  test("where relative names begin is passed on", () => {
    const setup = new Setup();
    const action = { type: "file.rename", path: "/a/x", new_path: "/b/y", result: "0" } as const;
    expect(setup.event(observed({ kind: "names", base: "/a", new_base: "/b" }, action))).toMatchObject({
      base: "/a",
      new_base: "/b",
    });
    const opened = observed({ kind: "open", dev: 1, ino: 2, opened: true, base: "/c" }, open("/c/f").action);
    expect(setup.event(opened).base).toBe("/c");
    expect(setup.event(open("/c/f")).base).toBeUndefined();
  });

  test("names are resolved late, and only those that the kernel did not resolve", () => {
    const setup = new Setup();
    const action = { type: "file.delete", path: "/link/f", result: "0" } as const;
    expect(setup.event(observed({ kind: "names" }, action)).action).toMatchObject({ path: "/real/f" });
    expect(setup.event(observed({ kind: "plain" }, action)).action).toMatchObject({ path: "/link/f" });
  });

  test("a record without action or facts says nothing", () => {
    expect(new Setup().enricher.enrich(observed({ kind: "plain" }, undefined))).toBeUndefined();
  });
});

describe("wall time", () => {
  test("the boot clock's distance to the wall clock is added, to the microsecond", () => {
    const setup = new Setup();
    setup.boot_us = 3_000_000.75;
    setup.clock.wall_us = 1_000_000_000_000;
    expect(setup.event(open("/a", { boot_us: 2_999_000.25 })).time_us).toBe(999_999_999_000);
  });

  test("the distance is measured again after a second, so that a clock that was set is followed", () => {
    const setup = new Setup();
    setup.clock.wall_us = 1_000_000_000_000;
    const first = setup.event(open("/a", { boot_us: 1_000_000 })).time_us;
    setup.clock.wall_us += 3_600_000_000;
    expect(setup.event(open("/a", { boot_us: 1_900_000 })).time_us).toBe(first + 900_000);
    setup.boot_us = 2_100_000;
    setup.clock.wall_us += 1_100_000;
    expect(setup.event(open("/a", { boot_us: 2_000_001 })).time_us).toBe(first + 3_600_000_000 + 1_000_001);
  });
});

describe("names of addresses", () => {
  const answer = (name: string, address: string, boot_us: number): Parameters<Enricher["enrich"]>[0] =>
    observed(
      { kind: "dns", generation: 1, expires_us: boot_us + 60_000_000 },
      { type: "net.dns", name, answers: [address], ttl_s: 60 },
      { pid: 0, start: 0, boot_us },
    );
  const connect = (address: string, boot_us: number, named = true): Parameters<Enricher["enrich"]>[0] =>
    observed(
      named ? { kind: "named", decided_us: boot_us } : { kind: "plain" },
      { type: "net.connect", protocol: "tcp", address, port: 443 },
      { boot_us, kernel: { verdict: "allow", rule_index: 0, generation: 1, effect: "none" } },
    );

  test("an answer is an event of its session and of no process", () => {
    const setup = new Setup();
    const event = setup.event(answer("a.example", "192.0.2.1", 1_000_000));
    expect(event).toMatchObject({ session: setup.session, action: { type: "net.dns", name: "a.example" } });
    expect(event.process).toBeUndefined();
    expect(setup.processes.size).toBe(0);
  });

  test("a connection shows the latest name, and all where there are several", () => {
    const setup = new Setup();
    setup.event(answer("a.example", "192.0.2.1", 1_000_000));
    const one = setup.event(connect("192.0.2.1", 1_500_000)).action;
    expect(one).toMatchObject({ host: "a.example", host_source: "dns" });
    expect(one).not.toHaveProperty("hosts");
    setup.event(answer("b.example", "192.0.2.1", 2_000_000));
    expect(setup.event(connect("192.0.2.1", 2_500_000)).action).toMatchObject({
      host: "b.example",
      hosts: ["b.example", "a.example"],
    });
  });

  test("the names are those of the moment of the decision, however long the call took", () => {
    const setup = new Setup();
    setup.event(answer("a.example", "192.0.2.1", 1_000_000));
    const late = observed(
      { kind: "named", decided_us: 1_500_000 },
      { type: "net.connect", protocol: "tcp", address: "192.0.2.1", port: 443 },
      { boot_us: 120_000_000 },
    );
    expect(setup.event(late).action).toMatchObject({ host: "a.example" });
  });

  test("the kernel's word counts: without it there are no names", () => {
    const setup = new Setup();
    setup.event(answer("a.example", "192.0.2.1", 1_000_000));
    expect(setup.event(connect("192.0.2.1", 1_500_000, false)).action).not.toHaveProperty("host");
  });

  test("a name of /etc/hosts says so", () => {
    const event = new Setup().event(connect("192.0.2.80", 1_500_000));
    expect(event.action).toMatchObject({ host: "build.example", host_source: "hosts" });
    expect(event.kernel).not.toHaveProperty("names_unsure");
  });

  test("what the kernel knew and nobody here does is missing, and no reason for an alarm", () => {
    const event = new Setup().event(connect("192.0.2.1", 1_500_000));
    expect(event.action).toMatchObject({ missing: ["host"] });
    expect(event.kernel).toMatchObject({ names_unsure: true });
  });

  test("of an address with many names the rest is missing", () => {
    const setup = new Setup();
    for (let i = 0; i < 17; i++) setup.event(answer(`n${i}.example`, "192.0.2.1", 1_000_000 + i));
    const event = setup.event(connect("192.0.2.1", 1_500_000));
    expect(event.action).toMatchObject({ host: "n16.example", missing: ["hosts"] });
    expect(event.kernel).toMatchObject({ names_unsure: true });
  });
});
