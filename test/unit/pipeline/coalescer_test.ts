import { describe, expect, test } from "bun:test";
import { type Action, LIMITS } from "../../../lib/core/mod.ts";
import { OpenFiles } from "../../../lib/pipeline/mod.ts";
import { IdGenerator, systemClock } from "../../../lib/core/mod.ts";
import { ALLOW, DENY, event, read, SESSION, Setup } from "./support.ts";

/** Actions that the entries stand for: those that were merged by their count. */
function stoodFor(setup: Setup): number {
  return setup.sink.entries.reduce((sum, entry) => {
    const action = entry.action;
    return sum + (action !== undefined && "count" in action ? action.count ?? 1 : 1);
  }, 0);
}

function pressed(evaluate?: ConstructorParameters<typeof Setup>[0]): Setup {
  const setup = new Setup(evaluate);
  setup.sink.waiting = LIMITS.recorder_queue_soft + 1;
  return setup;
}

describe("under pressure", () => {
  test("opens are merged per process, directory and kind, with counts", () => {
    const setup = pressed();
    setup.handle(read("/a/1"));
    setup.handle(read("/a/2"));
    setup.handle(read("/a/b/3"));
    setup.handle(read("/a/4", { pid: 11 }));
    setup.handle(read("/a/5", { start: "200" }));
    setup.handle(event({ type: "file.write", path: "/a/6", result: "0" }));
    setup.handle(read("/7"));
    setup.handle(read("relative"));
    expect(setup.kinds).toEqual([]);
    setup.pipeline.flush();
    const merged = setup.sink.entries.map(({ action, process }) => [
      process?.pid,
      process?.start,
      action?.type,
      action !== undefined && "path" in action ? action.path : "",
      action !== undefined && "count" in action ? action.count : 0,
    ]);
    expect(merged).toEqual([
      [10, "100", "file.read", "/a", 2],
      [10, "100", "file.read", "/a/b", 1],
      [11, "100", "file.read", "/a", 1],
      [10, "200", "file.read", "/a", 1],
      [10, "100", "file.write", "/a", 1],
      [10, "100", "file.read", "/", 1],
      [10, "100", "file.read", "relative", 1],
    ]);
    expect(setup.sink.entries[0]).toMatchObject({
      kind: "observation",
      time_us: 1_000,
      session_id: SESSION.session_id,
      action: { flags: ["coalesced"], result: "0" },
    });
    expect(setup.pipeline.coalesced).toBe(8);
  });

  test.each([
    [{ type: "exec", path: "/bin/x", argv: [] }],
    [{ type: "net.connect", protocol: "tcp", address: "::1", port: 1 }],
    [{ type: "file.create", path: "/a/b", result: "0" }],
    [{ type: "file.truncate", path: "/a/b", result: "0" }],
    [{ type: "file.delete", path: "/a/b", result: "0" }],
    [{ type: "file.read", path: "/a/b", result: "EACCES" }],
    [{ type: "process.exit", exit_code: 0 }],
  ] as [Action][])("%j is never merged", (action) => {
    const setup = pressed();
    setup.handle(event(action));
    expect(setup.kinds).toEqual(["observation"]);
    expect(setup.pipeline.coalesced).toBe(0);
  });

  test("what a rule speaks about is never merged", () => {
    const denied = pressed(() => DENY);
    denied.handle(read("/a/1"));
    expect(denied.kinds).toEqual(["decision", "outcome"]);
    const logged = pressed(() => ({ ...ALLOW, verdict: "log", rule: "watch" }));
    logged.handle(read("/a/1"));
    expect(logged.kinds).toEqual(["observation"]);
  });

  test("a batch's end writes only when the recorder keeps up again", () => {
    const setup = pressed();
    setup.handle(read("/a/1"));
    setup.pipeline.endBatch();
    expect(setup.kinds).toEqual([]);
    setup.sink.waiting = 0;
    setup.pipeline.endBatch();
    expect(setup.kinds).toEqual(["observation"]);
    setup.pipeline.endBatch();
    expect(setup.kinds).toHaveLength(1);
  });

  test("so much waits at most: 4,096 merged entries are written at the batch's end in spite of the pressure", () => {
    const setup = pressed();
    for (let i = 0; i < 4_096; i++) setup.handle(read(`/d${i}/f`));
    setup.pipeline.endBatch();
    expect(setup.kinds).toHaveLength(4_096);
  });

  test("at the bound itself nothing is merged yet", () => {
    const setup = new Setup();
    setup.sink.waiting = LIMITS.recorder_queue_soft;
    setup.handle(read("/a/1"));
    expect(setup.kinds).toEqual(["observation"]);
  });

  test("the sum of counts and single observations is the number of events", () => {
    const setup = new Setup();
    let events = 0;
    for (let round = 0; round < 50; round++) {
      setup.sink.waiting = round % 3 === 0 ? 0 : LIMITS.recorder_queue_soft + 1;
      for (let i = 0; i < 97; i++) {
        setup.handle(read(`/d${i % 7}/f${i}`, { pid: 10 + (i % 5) }));
        events++;
      }
      if (round % 5 === 0) setup.pipeline.endBatch();
    }
    setup.pipeline.flush();
    expect(stoodFor(setup)).toBe(events);
    expect(setup.sink.entries.length).toBeLessThan(events);
    expect(setup.pipeline.counters().actions).toBe(events);
  });
});

describe("open files", () => {
  const ids = new IdGenerator(systemClock);
  const who = { pid: 1, start: "1" };

  test("the bound holds, and the last half of it is always remembered", () => {
    const files = new OpenFiles(8);
    const noted = Array.from({ length: 100 }, (_, ino) => {
      const id = ids.decision();
      files.note(who, undefined, { dev: 1, ino }, id);
      const remembered = Array.from({ length: ino + 1 }, (_, at) => files.find(who, undefined, { dev: 1, ino: at }));
      expect(remembered.filter((each) => each !== undefined).length).toBeLessThanOrEqual(8);
      return { id, remembered };
    });
    noted.forEach(({ remembered }, ino) => {
      for (let at = Math.max(0, ino - 3); at <= ino; at++) expect(remembered[at]).toBe(noted[at]?.id);
    });
  });

  test("a file that is opened again is remembered under its last decision", () => {
    const files = new OpenFiles(4);
    const [first, second] = [ids.decision(), ids.decision()];
    files.note(who, undefined, { dev: 1, ino: 1 }, first);
    for (const ino of [2, 3]) files.note(who, undefined, { dev: 1, ino }, first);
    files.note(who, undefined, { dev: 1, ino: 1 }, second);
    expect(files.find(who, undefined, { dev: 1, ino: 1 })).toBe(second);
  });

  test("a file is a device and an inode", () => {
    const files = new OpenFiles();
    files.note(who, SESSION, { dev: 1, ino: 2 }, ids.decision());
    expect(files.find(who, SESSION, { dev: 2, ino: 2 })).toBeUndefined();
    expect(files.find(who, SESSION, { dev: 1, ino: 1 })).toBeUndefined();
  });
});
