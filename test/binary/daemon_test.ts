/** The daemon: it guards agents that its policy names, wherever they were started. */
import { describe, expect, test } from "bun:test";
import { copyFile, readdir, writeFile } from "node:fs/promises";
import type { Subprocess } from "bun";
import { about, GuardSetup, IS_ROOT, PLAIN_ENVIRONMENT, python, RunningGuard, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 90_000;

const POLICY = `version = 1
name = "daemon"
mode = "enforce"

[default]
"*" = "allow"

[[agent]]
name = "probe"
exe = "agent-under-test"
`;

const NETWORK_RULE = `
[[rules]]
name = "no-network"
action = "net.connect"
address = "127.66.0.0/16"
verdict = "deny"
`;

/** A copy of the shell under the agent's name, outside of any guard, that does what is written to it. */
async function startAgent(setup: GuardSetup): Promise<RunningGuard> {
  const program = setup.dir.join("agent-under-test");
  if (!(await Bun.file(program).exists())) {
    await copyFile("/bin/sh", program);
  }
  const spawned: Subprocess<"pipe", "pipe", "pipe"> = Bun.spawn([program], {
    cwd: setup.work,
    env: { ...PLAIN_ENVIRONMENT },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  return new RunningGuard(spawned);
}

async function order(agent: RunningGuard, line: string): Promise<void> {
  void agent.process.stdin.write(`${line}\n`); // `flush` waits for it
  await agent.process.stdin.flush();
}

async function ready(setup: GuardSetup, daemon: RunningGuard): Promise<void> {
  await waitUntil("the daemon", async () => (await setup.command(["status"])).exit_code === 0, {
    detail: () => daemon.stderr.slice(-500),
  });
}

/** Roots of the sessions that run. */
async function runningRoots(setup: GuardSetup): Promise<readonly number[]> {
  const done = await setup.command(["sessions", "list", "--json"]);
  const listed: { readonly sessions: readonly { readonly state: string; readonly root: { readonly pid: number } }[] } =
    JSON
      .parse(done.stdout);
  return listed.sessions.filter((session) => session.state === "running").map((session) => session.root.pid);
}

async function guarded(setup: GuardSetup, agent: RunningGuard, daemon: RunningGuard): Promise<void> {
  await waitUntil("the agent's session", async () => (await runningRoots(setup)).includes(agent.process.pid), {
    detail: () => daemon.stderr.slice(-500),
  });
}

async function stop(daemon: RunningGuard): Promise<number> {
  daemon.process.kill("SIGTERM");
  return await daemon.ended();
}

describe.skipIf(!IS_ROOT)("the daemon", () => {
  test("guards an agent that starts after it, with what the agent starts", async () => {
    await using setup = await GuardSetup.create(POLICY);
    await using daemon = setup.startDaemon();
    await ready(setup, daemon);
    await using agent = await startAgent(setup);
    await guarded(setup, agent, daemon);
    await order(agent, "/bin/cat /etc/hostname; : > made; echo done");
    await waitUntil("the agent's work", () => agent.stdout.includes("done"));
    await order(agent, "exit 0");
    await agent.ended();
    let counted = 0;
    await waitUntil("the end of the session", async () => {
      const { sessions } = JSON.parse((await setup.command(["sessions", "list", "--json"])).stdout);
      const ended = sessions.find((each: { state: string }) => each.state === "ended");
      counted = ended?.counters.actions ?? 0;
      return counted > 0;
    });
    expect(await stop(daemon)).toBe(0);
    const entries = await setup.entries();
    const start = about(entries, "session.start").find((entry) => entry.action.agent === "probe");
    const mine = entries.filter((entry) => entry.session_id === start?.session_id);
    expect(start).toBeDefined();
    expect(about(mine, "exec").map((entry) => entry.action.path)).toContain("/usr/bin/cat");
    const read = about(mine, "file.read").find((entry) => entry.action.path === "/etc/hostname");
    expect(read?.process?.exe).toBe("/usr/bin/cat");
    expect(about(mine, "file.create").map((entry) => entry.action.path)).toEqual([`${setup.work}/made`]);
    expect(about(mine, "session.end")).toHaveLength(1);
    const acted = mine.filter(({ kind }) => kind === "observation" || kind === "decision");
    expect(counted).toBe(acted.length);
    expect((await setup.verify()).exit_code).toBe(0);
  }, LIMIT_MS);

  test("guards an agent that already runs, with the children that it already has", async () => {
    await using setup = await GuardSetup.create(POLICY);
    await using agent = await startAgent(setup);
    // From here on a child of the agent reads the orders.
    await order(agent, "/bin/sh -c 'echo child $$; exec /bin/sh'");
    await waitUntil("the child", () => /child \d+/.test(agent.stdout));
    const child = Number(/child (\d+)/.exec(agent.stdout)?.[1]);
    await using daemon = setup.startDaemon();
    await ready(setup, daemon);
    await guarded(setup, agent, daemon);
    // A shell reads ahead: what is for the agent is written once the child will read no more.
    await order(agent, ": > by-the-child; echo leaving; exit");
    await waitUntil("the child's work", () => agent.stdout.includes("leaving"));
    await order(agent, ": > by-the-agent; echo done");
    await waitUntil("the agent's work", () => agent.stdout.includes("done"));
    expect(await stop(daemon)).toBe(0);
    const made = about(await setup.entries(), "file.create").map((entry) => [entry.process?.pid, entry.action.path]);
    expect(made).toEqual([
      [child, `${setup.work}/by-the-child`],
      [agent.process.pid, `${setup.work}/by-the-agent`],
    ]);
  }, LIMIT_MS);

  test("leaves other processes alone", async () => {
    await using setup = await GuardSetup.create(POLICY);
    await using daemon = setup.startDaemon();
    await ready(setup, daemon);
    await using agent = await startAgent(setup);
    await guarded(setup, agent, daemon);
    await writeFile(setup.dir.join("by-the-test"), "");
    await order(agent, ": > by-the-agent; echo done");
    await waitUntil("the agent's work", () => agent.stdout.includes("done"));
    await stop(daemon);
    const paths = about(await setup.entries(), "file.create").map((entry) => entry.action.path);
    expect(paths).toEqual([`${setup.work}/by-the-agent`]);
  }, LIMIT_MS);

  test("SIGHUP loads the policy again; a bad one is refused and the old one stays", async () => {
    await using setup = await GuardSetup.create(POLICY);
    await using daemon = setup.startDaemon();
    await ready(setup, daemon);
    await using agent = await startAgent(setup);
    await guarded(setup, agent, daemon);
    const connect = [
      "import socket",
      "try:",
      "    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.66.0.1', 9))",
      "    print('open')",
      "except OSError as e:",
      "    print('errno', e.errno)",
      "",
    ].join("\n");
    await writeFile(setup.dir.join("connect.py"), connect);
    const [interpreter = ""] = python("");
    const attempt = async (wanted: string): Promise<void> => {
      const from = agent.stdout.length;
      await order(agent, `${interpreter} -I -S ${setup.dir.join("connect.py")}`);
      await waitUntil(wanted, () => agent.stdout.slice(from).includes(wanted), { detail: () => agent.stdout });
    };
    const generation = async (): Promise<number> =>
      JSON.parse((await setup.command(["status", "--json"])).stdout).policy.ref.generation;
    await attempt("open");
    await writeFile(setup.policy, POLICY + NETWORK_RULE);
    daemon.process.kill("SIGHUP");
    await waitUntil("the second generation", async () => await generation() === 2, { detail: () => daemon.stderr });
    await attempt("errno 1");
    await writeFile(setup.policy, "version = 1\nnonsense = true\n");
    daemon.process.kill("SIGHUP");
    await waitUntil("the refusal", () => daemon.stderr.includes("nonsense"), { detail: () => daemon.stderr });
    expect(await generation()).toBe(2);
    await attempt("errno 1");
  }, LIMIT_MS);

  test("tells the service manager when it is ready", async () => {
    await using setup = await GuardSetup.create(POLICY);
    const path = setup.dir.join("notify");
    const program = `
import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
    manager.bind(sys.argv[1])
    print("bound", flush=True)
    print(manager.recv(4096).decode(), flush=True)
`;
    await using manager = new RunningGuard(
      Bun.spawn([...python(program, path)], {
        env: { ...PLAIN_ENVIRONMENT },
        stdin: "pipe",
        stdout: "pipe",
        stderr: "pipe",
      }),
    );
    await waitUntil("the manager", () => manager.stdout.includes("bound"));
    await using daemon = setup.startDaemon({ NOTIFY_SOCKET: path });
    await waitUntil("the message", () => manager.stdout.includes("READY=1"), { detail: () => daemon.stderr });
    expect((await setup.command(["status"])).exit_code).toBe(0);
    expect(await stop(daemon)).toBe(0);
  }, LIMIT_MS);

  test("a hundred agents leave it no descriptor", async () => {
    await using setup = await GuardSetup.create(POLICY);
    await using daemon = setup.startDaemon();
    await ready(setup, daemon);
    const descriptors = async (): Promise<number> => (await readdir(`/proc/${daemon.process.pid}/fd`)).length;
    const agents = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        await using agent = await startAgent(setup);
        await guarded(setup, agent, daemon);
        await order(agent, "exit 0");
        await agent.ended();
      }
      await waitUntil("no session", async () => (await runningRoots(setup)).length === 0);
    };
    await agents(5);
    const warm = await descriptors();
    await agents(100);
    await waitUntil("as many descriptors as before", async () => await descriptors() <= warm, {
      detail: async () => `${warm} before, ${await descriptors()} after`,
    });
  }, LIMIT_MS);
});
