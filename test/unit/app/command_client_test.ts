/** `status`, `events` and `sessions` against a real server on a real socket, and against none. */
import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { parseCommandLine } from "../../../lib/app/cli.ts";
import { commandEvents } from "../../../lib/app/command_events.ts";
import { commandSessions } from "../../../lib/app/command_sessions.ts";
import { commandStatus } from "../../../lib/app/command_status.ts";
import { AgentguardError, type Entry } from "../../../lib/core/mod.ts";
import { ControlServer, type Lag } from "../../../lib/publish/mod.ts";
import { MemoryLog, MemoryPeers, MemoryPorts, SESSION_A, SESSION_B, STATUS } from "../publish/support.ts";
import { entry, type MemoryIo, memoryIo, MemoryWriter, TempDir, until } from "./support.ts";

const UID = process.getuid?.() ?? 0;

/** Parses the words and carries them out. */
function carryOut(line: string, io: MemoryIo): Promise<number> {
  const parsed = parseCommandLine(line.split(" "));
  if (!parsed.ok) throw new Error(parsed.error.message);
  const command = parsed.value;
  switch (command.kind) {
    case "status":
      return commandStatus(command, io);
    case "events":
      return commandEvents(command, io);
    case "sessions.list":
    case "sessions.show":
    case "sessions.kill":
    case "sessions.pause":
    case "sessions.resume":
      return commandSessions(command, io);
    default:
      throw new Error(`not a client command: ${command.kind}`);
  }
}

class Guard implements AsyncDisposable {
  readonly dir: TempDir = new TempDir();
  readonly ports: MemoryPorts = new MemoryPorts();
  readonly io: MemoryIo = memoryIo({ env: { AGENTGUARD_RUNTIME: this.dir.path, HOME: "/h" } });
  readonly server: ControlServer = new ControlServer(this.ports, {
    runtime_dir: this.dir.path,
    uid: UID,
    log: new MemoryLog(),
    peers: new MemoryPeers(),
  });

  static async started(): Promise<Guard> {
    const guard = new Guard();
    await guard.server.start();
    return guard;
  }

  run(line: string, io: MemoryIo = this.io): Promise<number> {
    return carryOut(line, io);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    this.dir[Symbol.dispose]();
  }
}

describe("no guard", () => {
  test.each(["status", "events --follow", "sessions list", `sessions kill ${SESSION_A}`])(
    "%s: one line that says where it looked and how to start, exit 1",
    async (line) => {
      using dir = new TempDir();
      const io = memoryIo({ env: { AGENTGUARD_RUNTIME: dir.path } });
      expect(await carryOut(line, io)).toBe(1);
      expect(io.stdout.text).toBe("");
      expect(io.stderr.lines()).toHaveLength(1);
      expect(io.stderr.text).toContain(`${dir.path}/control.sock`);
      expect(io.stderr.text).toContain("start a guard first (agentguard --policy FILE)");
    },
  );

  test("a missing directory, a file in its place, a socket that nobody answers at", async () => {
    using dir = new TempDir();
    writeFileSync(`${dir.path}/file`, "");
    mkdirSync(`${dir.path}/stale`);
    const code = `Bun.serve({ unix: "${dir.path}/stale/control.sock", fetch: () => new Response() });
      process.kill(process.pid, "SIGKILL");`;
    await Bun.spawn([process.execPath, "-e", code]).exited;
    for (const name of ["missing", "file", "stale"]) {
      const io = memoryIo();
      expect(await carryOut(`status --runtime ${dir.path}/${name}`, io)).toBe(1);
      expect(io.stderr.text).toContain("start a guard first");
    }
  });

  test.skipIf(UID !== 0)("a socket of somebody else (as root only: needs another user)", async () => {
    await using guard = await Guard.started();
    chmodSync(guard.dir.path, 0o755);
    const lib = `${import.meta.dir}/../../../lib/app`;
    const code = `
      const { commandStatus } = await import("${lib}/command_status.ts");
      const { processIo } = await import("${lib}/command_io.ts");
      process.setuid(65534);
      const command = { kind: "status", show_config: false, flags: { runtime_dir: "${guard.dir.path}" } };
      process.exitCode = await commandStatus(command, processIo());`;
    const child = Bun.spawn([process.execPath, "-e", code], { stderr: "pipe", stdout: "pipe" });
    expect(await child.stderr.text()).toContain("ask as the user who runs the guard, or as root");
    expect(await child.exited).toBe(1);
  });

  test("a wrong configuration is exit 2", async () => {
    const io = memoryIo();
    expect(await carryOut(`status --runtime /${"r".repeat(90)}`, io)).toBe(2);
    expect(io.stderr.text).toContain("--runtime: use a directory of at most 80 bytes");
  });
});

describe("status", () => {
  test("for people", async () => {
    await using guard = await Guard.started();
    expect(await guard.run("status")).toBe(0);
    const text = guard.io.stdout.text;
    for (const part of ["agentguard 0.1.0, pid 42, ready, up 1m 1s", "enforce", "/etc/p.toml", "1 running"]) {
      expect(text).toContain(part);
    }
    expect(text).toMatch(/exec +on +tp_btf/);
    expect(text).toMatch(/telemetry: record +7/);
    expect(text).toMatch(/recorder +3 entries/);
    expect(text).not.toContain("--state");
    expect(guard.io.stderr.text).toBe("");
  });

  test("with the configuration and its origins", async () => {
    await using guard = await Guard.started();
    expect(await guard.run("status --config")).toBe(0);
    expect(guard.io.stdout.text).toMatch(/state_dir +\/s +flag: --state/);
  });

  test("--json is the guard's document", async () => {
    await using guard = await Guard.started();
    expect(await guard.run("status --json")).toBe(0);
    expect(guard.io.stdout.lines()).toHaveLength(1);
    expect(JSON.parse(guard.io.stdout.text)).toEqual(JSON.parse(JSON.stringify(STATUS)));
  });

  test("an answer of an unknown shape is an error, not a crash", async () => {
    using dir = new TempDir();
    const bodies = ["{}", "[]", "null", "not json", '{"version":1}', ""];
    const server = Bun.serve({
      unix: `${dir.path}/control.sock`,
      fetch: () => new Response(bodies.shift(), { headers: { "content-type": "application/json" } }),
    });
    while (bodies.length > 0) {
      const io = memoryIo();
      expect(await carryOut(`status --runtime ${dir.path}`, io)).toBe(1);
      expect(io.stderr.lines()).toHaveLength(1);
      expect(io.stdout.text).toBe("");
    }
    await server.stop(true);
  });
});

describe("sessions", () => {
  test("list", async () => {
    await using guard = await Guard.started();
    expect(await guard.run("sessions list")).toBe(0);
    expect(guard.io.stdout.text).toContain(SESSION_A);
    guard.ports.sessionViews.length = 0;
    const io = memoryIo({ env: guard.io.env });
    expect(await guard.run("sessions list", io)).toBe(0);
    expect(io.stdout.text).toBe("no sessions\n");
    const json = memoryIo({ env: guard.io.env });
    expect(await guard.run("sessions list --json", json)).toBe(0);
    expect(json.stdout.text).toBe('{"sessions":[]}\n');
  });

  test("show, pause, resume, kill", async () => {
    await using guard = await Guard.started();
    for (const verb of ["show", "pause", "resume", "kill"]) {
      expect(await guard.run(`sessions ${verb} ${SESSION_A}`)).toBe(0);
    }
    expect(guard.ports.commands).toEqual(["pause", "resume", "kill"].map((verb) => `${verb} ${SESSION_A}`));
    expect(guard.io.stdout.text).toContain("claude");
  });

  test("an unknown session and a refusal: exit 1 with the guard's words", async () => {
    await using guard = await Guard.started();
    expect(await guard.run(`sessions show ${SESSION_B}`)).toBe(1);
    guard.ports.failure = new AgentguardError("unsupported", "mount cgroup v2 to pause sessions");
    expect(await guard.run(`sessions pause ${SESSION_A}`)).toBe(1);
    expect(guard.io.stderr.lines()).toEqual([
      "agentguard: use the id of a session that GET /v1/sessions lists",
      "agentguard: mount cgroup v2 to pause sessions",
    ]);
  });

  test("hostile names cannot drive the terminal", async () => {
    await using guard = await Guard.started();
    guard.ports.sessionViews.splice(0, 1, {
      ...(guard.ports.sessions.list()[0] ?? (() => {
        throw new Error("no session");
      })()),
      agent: "\x1b[2J\u202e",
      principal: "\x1b[2J",
      cgroup: "/\x1b[2J",
    });
    expect(await guard.run("sessions list")).toBe(0);
    expect(await guard.run(`sessions show ${SESSION_A}`)).toBe(0);
    expect(guard.io.stdout.text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});

describe("events", () => {
  const read = { type: "file.read", path: "/a", result: "0" } as const;

  test("without follow: what there is, exit 0", async () => {
    await using guard = await Guard.started();
    guard.ports.source = async function* (): AsyncGenerator<Entry | Lag> {
      yield entry({ action: read });
      yield { lagged: 2 };
    };
    expect(await guard.run("events --json")).toBe(0);
    const lines = guard.io.stdout.lines().map((line): unknown => JSON.parse(line));
    expect(lines).toContainEqual({ lagged: 2 });
    expect(lines).toContainEqual(JSON.parse(JSON.stringify(entry({ action: read }))));
    const human = memoryIo({ env: guard.io.env });
    expect(await guard.run("events", human)).toBe(0);
    expect(human.stdout.text).toContain("read /a");
    expect(human.stdout.text).toContain("2 entries were not shown");
  });

  test("filters are passed on", async () => {
    await using guard = await Guard.started();
    const filters: unknown[] = [];
    guard.ports.source = async function* (filter): AsyncGenerator<Entry | Lag> {
      filters.push(filter);
      yield { lagged: 1 };
    };
    expect(await guard.run(`events --session ${SESSION_A} --type file.*`)).toBe(0);
    expect(filters).toEqual([{ session_id: SESSION_A, type: "file.*", follow: false }]);
  });

  test("follow: each entry is shown at once; the guard's end is told and exit 1", async () => {
    await using guard = await Guard.started();
    const next: (() => void)[] = [];
    guard.ports.source = async function* (): AsyncGenerator<Entry | Lag> {
      for (let seq = 1;; seq++) {
        yield entry({ seq, action: read });
        await new Promise<void>((resolve) => next.push(resolve));
      }
    };
    const code = guard.run("events --follow --json");
    await until(() => guard.io.stdout.lines().length === 1, "the first entry");
    await until(() => next.length > 0, "the source to wait");
    next.shift()?.();
    await until(() => guard.io.stdout.lines().length === 2, "the second entry");
    await guard.server.stop();
    expect(await code).toBe(1);
    expect(guard.io.stderr.text).toContain("it ended the stream");
  });

  test("a reader that goes away ends it quietly with 0", async () => {
    await using guard = await Guard.started();
    let ended = false;
    guard.ports.source = async function* (_filter, signal): AsyncGenerator<Entry | Lag> {
      while (!signal.aborted) {
        yield entry({ action: read });
        await Bun.sleep(1);
      }
      ended = true;
    };
    const io = memoryIo({ env: guard.io.env, stdout: new MemoryWriter(200) });
    expect(await guard.run("events --follow", io)).toBe(0);
    expect(io.stderr.text).toBe("");
    await until(() => ended, "the subscription to end with its reader");
  });

  test("an unknown line is an error", async () => {
    using dir = new TempDir();
    const server = Bun.serve({
      unix: `${dir.path}/control.sock`,
      fetch: () => new Response('{"lagged":0}\n{"x":1}\n'),
    });
    const io = memoryIo();
    expect(await carryOut(`events --runtime ${dir.path}`, io)).toBe(1);
    expect(io.stderr.text).toContain("unknown line");
    await server.stop(true);
  });
});
