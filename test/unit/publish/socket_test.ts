import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { AgentguardError, type Entry } from "../../../lib/core/mod.ts";
import { ControlServer, type Lag } from "../../../lib/publish/mod.ts";
import { Fixture, UID } from "./fixture.ts";
import { entry, MemoryLog, MemoryPeers, MemoryPorts, TempDir, until } from "./support.ts";

async function startError(server: ControlServer): Promise<AgentguardError> {
  try {
    await server.start();
  } catch (thrown) {
    if (thrown instanceof AgentguardError) return thrown;
    throw thrown;
  }
  await server.stop();
  throw new Error("start should have failed");
}

/** Binds in a process that dies: the name stays, nobody answers. */
async function leaveStaleSocket(path: string): Promise<void> {
  const code = `Bun.serve({ unix: ${
    JSON.stringify(path)
  }, fetch: () => new Response() }); process.kill(process.pid, "SIGKILL");`;
  await Bun.spawn([process.execPath, "-e", code]).exited;
  expect(lstatSync(path).isSocket()).toBe(true);
}

describe("socket", () => {
  test("directory 0700, socket 0600, nothing else left, removed at the stop", async () => {
    await using fixture = await Fixture.started();
    expect(statSync(`${fixture.dir.path}/run`).mode & 0o777).toBe(0o700);
    const stats = lstatSync(fixture.server.path);
    expect(stats.isSocket()).toBe(true);
    expect(stats.mode & 0o777).toBe(0o600);
    expect(readdirSync(`${fixture.dir.path}/run`)).toEqual(["control.sock"]);
    await fixture.server.stop();
    expect(readdirSync(`${fixture.dir.path}/run`)).toEqual([]);
    await fixture.server.stop();
  });

  test("the umask is what it was", async () => {
    const before = process.umask();
    await using _fixture = await Fixture.started();
    expect(process.umask()).toBe(before);
  });

  test("a second server on the directory is refused, the first goes on", async () => {
    await using fixture = await Fixture.started();
    const second = new ControlServer(fixture.ports, {
      runtime_dir: `${fixture.dir.path}/run`,
      uid: UID,
      log: fixture.log,
      peers: fixture.peers,
    });
    const error = await startError(second);
    expect(error.code).toBe("busy");
    expect(error.message).toContain(fixture.server.path);
    expect(readdirSync(`${fixture.dir.path}/run`)).toEqual(["control.sock"]);
    expect((await fixture.fetch("/v1/status")).status).toBe(200);
  });

  test("of many that start at once exactly one wins, also over a stale socket", async () => {
    using dir = new TempDir();
    await leaveStaleSocket(`${dir.path}/control.sock`);
    const servers = Array.from({ length: 8 }, () => {
      return new ControlServer(new MemoryPorts(), {
        runtime_dir: dir.path,
        uid: UID,
        log: new MemoryLog(),
        peers: new MemoryPeers(),
      });
    });
    const results = await Promise.allSettled(servers.map((server) => server.start()));
    expect(results.filter((result) => result.status === "fulfilled")).toHaveLength(1);
    const response = await fetch("http://x/v1/status", { unix: `${dir.path}/control.sock` });
    expect(response.status).toBe(200);
    expect(readdirSync(dir.path)).toEqual(["control.sock"]);
    for (const server of servers) await server.stop();
    expect(readdirSync(dir.path)).toEqual([]);
  });

  test("of many processes that start at once over a stale socket exactly one wins", async () => {
    using dir = new TempDir();
    await leaveStaleSocket(`${dir.path}/control.sock`);
    const script = `
      import { ControlServer } from ${JSON.stringify(`${import.meta.dir}/../../../lib/publish/mod.ts`)};
      import { MemoryLog, MemoryPeers, MemoryPorts } from ${JSON.stringify(`${import.meta.dir}/support.ts`)};
      const options = { runtime_dir: ${
      JSON.stringify(dir.path)
    }, uid: ${UID}, log: new MemoryLog(), peers: new MemoryPeers() };
      const server = new ControlServer(new MemoryPorts(), options);
      let said;
      try { await server.start(); said = "won"; } catch (thrown) { said = thrown.code; }
      console.log(said);
      await Bun.stdin.text();
      await server.stop();`;
    const children = Array.from({ length: 6 }, () => {
      return Bun.spawn([process.execPath, "-e", script], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    });
    const readers = children.map((child) => child.stdout.getReader());
    const said = await Promise.all(
      readers.map(async (reader) => new TextDecoder().decode((await reader.read()).value)),
    );
    for (const child of children) await child.stdin.end();
    await Promise.all(children.map((child) => child.exited));
    expect(said.toSorted()).toEqual([...Array.from({ length: 5 }, () => "busy\n"), "won\n"]);
    expect(readdirSync(dir.path)).toEqual([]);
  });

  test("a stale socket is replaced", async () => {
    await using fixture = new Fixture();
    mkdirSync(`${fixture.dir.path}/run`, { mode: 0o700 });
    await leaveStaleSocket(fixture.server.path);
    await fixture.server.start();
    expect((await fixture.fetch("/v1/status")).status).toBe(200);
    expect(readdirSync(`${fixture.dir.path}/run`)).toEqual(["control.sock"]);
  });

  test("a file with the socket's name is left alone", async () => {
    await using fixture = new Fixture();
    mkdirSync(`${fixture.dir.path}/run`, { mode: 0o700 });
    writeFileSync(fixture.server.path, "mine");
    const error = await startError(fixture.server);
    expect(error.message).toContain("by hand");
    expect(await Bun.file(fixture.server.path).text()).toBe("mine");
    expect(readdirSync(`${fixture.dir.path}/run`)).toEqual(["control.sock"]);
  });

  test("a directory that admits others is refused and not changed", async () => {
    await using fixture = new Fixture();
    mkdirSync(`${fixture.dir.path}/run`);
    chmodSync(`${fixture.dir.path}/run`, 0o755);
    const error = await startError(fixture.server);
    expect(error.code).toBe("permission");
    expect(error.message).toContain("0755");
    expect(statSync(`${fixture.dir.path}/run`).mode & 0o777).toBe(0o755);
    expect(existsSync(fixture.server.path)).toBe(false);
  });

  test("somebody else's directory, a symbolic link, a file, a name too long", async () => {
    using dir = new TempDir();
    const start = (runtime_dir: string, uid = UID): Promise<AgentguardError> =>
      startError(
        new ControlServer(new MemoryPorts(), { runtime_dir, uid, log: new MemoryLog(), peers: new MemoryPeers() }),
      );
    expect((await start(dir.path, UID + 1)).message).toContain(`belongs to uid ${UID}`);
    symlinkSync(dir.path, `${dir.path}/link`);
    expect((await start(`${dir.path}/link`)).code).toBe("io");
    writeFileSync(`${dir.path}/file`, "");
    expect((await start(`${dir.path}/file`)).code).toBe("io");
    expect((await start(`${dir.path}/${"d".repeat(100)}`)).code).toBe("config");
  });

  test("stopping does not remove the socket of a successor", async () => {
    await using fixture = await Fixture.started();
    unlinkSync(fixture.server.path);
    await using next = new ControlServer(fixture.ports, {
      runtime_dir: `${fixture.dir.path}/run`,
      uid: UID,
      log: fixture.log,
      peers: fixture.peers,
    });
    await next.start();
    await fixture.server.stop();
    expect((await fixture.fetch("/v1/status")).status).toBe(200);
  });

  test("clients that read nothing, ask nothing or wait for an answer cannot hold up the stop", async () => {
    await using fixture = await Fixture.started();
    let asked = 0;
    fixture.ports.source = async function* (_filter, signal): AsyncGenerator<Entry | Lag> {
      asked++;
      while (!signal.aborted) {
        yield entry(1, { action: { type: "file.read", path: "p".repeat(4_000), result: "0" } });
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    fixture.ports.policy.reload = () => {
      asked++;
      return new Promise(() => {});
    };
    let closed = 0;
    const connect = (request: string): Promise<unknown> =>
      Bun.connect({
        unix: fixture.server.path,
        socket: {
          open(socket): void {
            socket.write(request);
          },
          data(socket): void {
            socket.pause();
          },
          close(): void {
            closed++;
          },
        },
      });
    await connect("");
    await connect("GET /v1/events?follow=1 HTTP/1.1\r\nHost: x\r\n\r\n");
    await connect("POST /v1/policy/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    await until(() => asked === 2, "both requests");
    await fixture.server.stop();
    await until(() => closed >= 2, "the connections to be closed");
    expect(existsSync(fixture.server.path)).toBe(false);
  });
});
