/** What the kernel's copy of a policy does to real programs, and who belongs to a session. */
import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Action, LoweredExecRule, LoweredNetRule, LoweredPolicy, NetActionName } from "../../lib/core/mod.ts";
import { Compiler, IS_ROOT, python, TempDir, waitUntil } from "../support/mod.ts";
import { actions, GuardedCgroup, NO_POLICY, Probed, type Ran } from "./probes_support.ts";

/** Loading takes a second on a busy machine, before each test does its work. */
setDefaultTimeout(60_000);

let probed: Probed;
let dir: TempDir;
let compiler: Compiler;
let generation = 1;

beforeAll(async () => {
  if (!IS_ROOT) return;
  probed = Probed.load();
  probed.probes.attach();
  dir = await TempDir.create();
  compiler = await Compiler.create();
});

afterAll(async () => {
  if (!IS_ROOT) return;
  probed[Symbol.dispose]();
  await dir[Symbol.asyncDispose]();
  await compiler[Symbol.asyncDispose]();
});

beforeEach(() => {
  if (IS_ROOT) install({});
});

function install(fields: Partial<LoweredPolicy>): number {
  generation++;
  probed.policy.install({ ...NO_POLICY, ...fields, generation });
  return generation;
}

const ALL: readonly NetActionName[] = ["net.connect", "net.send", "net.bind"];

function netRule(match: Partial<LoweredNetRule["match"]>, fields: Partial<LoweredNetRule> = {}): LoweredNetRule {
  return {
    rule_index: 7,
    verdict: "deny",
    actions: ALL,
    match: { cidrs: [], ports: [], protocols: [], ...match },
    ...fields,
  };
}

function execRule(fields: Partial<LoweredExecRule>): LoweredExecRule {
  return { rule_index: 5, verdict: "deny", paths: [], names: [], trees: [], ...fields };
}

/** A directory of its own. */
function fresh(): string {
  const path = dir.join(crypto.randomUUID());
  mkdirSync(path);
  return path;
}

/** Tries each line and prints its errno, 0 for a success. */
const TRIES = `
import errno, socket, sys
def t(name, call):
    try: call(); print(name, "0")
    except OSError as e: print(name, errno.errorcode.get(e.errno, e.errno))
def tcp4(): return socket.socket(socket.AF_INET, socket.SOCK_STREAM)
def tcp6(): return socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
def udp4(): return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def udp6(): return socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
`;

/** Runs the tries in a guarded cgroup. */
async function tries(program: string): Promise<[Record<string, string>, Ran]> {
  await using guarded = new GuardedCgroup(probed);
  const ran = await probed.run(python(TRIES + program), { cgroup: guarded.cgroup });
  expect(ran.stderr).toBe("");
  const results = Object.fromEntries(ran.stdout.trim().split("\n").map((line) => line.split(" ") as [string, string]));
  return [results, ran];
}

const EVERY_WAY = `
t("tcp4", lambda: tcp4().connect(("127.0.0.1", 9)))
t("tcp6", lambda: tcp6().connect(("::1", 9)))
t("mapped", lambda: tcp6().connect(("::ffff:127.0.0.1", 9)))
t("udp4", lambda: udp4().connect(("127.0.0.1", 9)))
t("send4", lambda: udp4().sendto(b"x", ("127.0.0.1", 9)))
t("send6", lambda: udp6().sendto(b"x", ("::1", 9)))
t("bind4", lambda: tcp4().bind(("127.0.0.1", 0)))
t("bind6", lambda: udp6().bind(("::1", 0)))
`;

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("network policy", () => {
  test("without rules everything goes its way and is reported once, with its result and no rule", async () => {
    const [results, ran] = await tries(EVERY_WAY);
    expect(results).toEqual({
      tcp4: "ECONNREFUSED",
      tcp6: "ECONNREFUSED",
      mapped: "ECONNREFUSED",
      udp4: "0",
      send4: "0",
      send6: "0",
      bind4: "0",
      bind6: "0",
    });
    const net = ran.records.filter(({ action }) => action?.type.startsWith("net."));
    expect(net.map(({ action }) => action)).toEqual([
      { type: "net.connect", protocol: "tcp", address: "127.0.0.1", port: 9, result: "ECONNREFUSED" },
      { type: "net.connect", protocol: "tcp", address: "::1", port: 9, result: "ECONNREFUSED" },
      { type: "net.connect", protocol: "tcp", address: "127.0.0.1", port: 9, result: "ECONNREFUSED" },
      { type: "net.connect", protocol: "udp", address: "127.0.0.1", port: 9, result: "0" },
      { type: "net.send", protocol: "udp", address: "127.0.0.1", port: 9, result: "0" },
      { type: "net.send", protocol: "udp", address: "::1", port: 9, result: "0" },
      { type: "net.bind", protocol: "tcp", address: "127.0.0.1", port: 0, result: "0" },
      { type: "net.bind", protocol: "udp", address: "::1", port: 0, result: "0" },
    ] as Action[]);
    expect(net.every(({ kernel }) => kernel?.verdict === "allow" && kernel.generation === generation)).toBe(true);
  });

  test("denied: every way gives EPERM, v4, v6 and mapped, connect, unconnected send and bind", async () => {
    install({ net: [netRule({})] });
    const [results, ran] = await tries(EVERY_WAY);
    expect(new Set(Object.values(results))).toEqual(new Set(["EPERM"]));
    const net = ran.records.filter(({ action }) => action?.type.startsWith("net."));
    expect(net).toHaveLength(8);
    for (const { action, kernel } of net) {
      expect(action).toMatchObject({ result: "EPERM" });
      expect(kernel).toEqual({ verdict: "deny", rule_index: 7, generation, effect: "refused" });
    }
  });

  test("a network, a port range, a protocol and an exception each narrow it", async () => {
    install({
      net: [
        netRule({
          cidrs: [{ bytes: Uint8Array.of(127, 0, 0, 0), prefix_bits: 8 }],
          ports: [{ from: 5, to: 10 }],
          protocols: ["tcp"],
        }, {
          actions: ["net.connect"],
          except: {
            cidrs: [{ bytes: Uint8Array.of(127, 0, 0, 2), prefix_bits: 32 }],
            ports: [],
            protocols: [],
          },
        }),
        netRule({ cidrs: [{ bytes: new Uint8Array(16).fill(0, 0, 15).fill(1, 15), prefix_bits: 128 }] }, {
          rule_index: 8,
          actions: ["net.send"],
        }),
      ],
    });
    const [results, ran] = await tries(`
t("hit", lambda: tcp4().connect(("127.9.9.9", 5)))
t("mapped", lambda: tcp6().connect(("::ffff:127.0.0.1", 10)))
t("port", lambda: tcp4().connect(("127.0.0.1", 11)))
t("low", lambda: tcp4().connect(("127.0.0.1", 4)))
t("except", lambda: tcp4().connect(("127.0.0.2", 9)))
t("udp", lambda: udp4().connect(("127.0.0.1", 9)))
t("bind", lambda: tcp4().bind(("127.0.0.1", 0)))
t("send6", lambda: udp6().sendto(b"x", ("::1", 9)))
t("connect6", lambda: tcp6().connect(("::1", 9)))
`);
    expect(results).toEqual({
      hit: "EPERM",
      mapped: "EPERM",
      port: "ECONNREFUSED",
      low: "ECONNREFUSED",
      except: "ECONNREFUSED",
      udp: "0",
      bind: "0",
      send6: "EPERM",
      connect6: "ECONNREFUSED",
    });
    const rules = ran.records.flatMap(({ kernel }) => (kernel?.verdict === "deny" ? [kernel.rule_index] : []));
    expect(rules).toEqual([7, 7, 8]);
  });

  test("denied by default, with what a rule allows", async () => {
    install({
      net: [netRule({ cidrs: [{ bytes: Uint8Array.of(127, 0, 0, 1), prefix_bits: 32 }] }, { verdict: "allow" })],
      net_default: { "net.connect": "deny", "net.send": "deny", "net.bind": "allow" },
    });
    const [results, ran] = await tries(`
t("allowed", lambda: tcp4().connect(("127.0.0.1", 9)))
t("other", lambda: tcp4().connect(("127.0.0.2", 9)))
t("six", lambda: udp6().sendto(b"x", ("::1", 9)))
t("bind", lambda: tcp6().bind(("::1", 0)))
`);
    expect(results).toEqual({ allowed: "ECONNREFUSED", other: "EPERM", six: "EPERM", bind: "0" });
    const denied = ran.records.flatMap(({ kernel }) => (kernel?.verdict === "deny" ? [kernel.rule_index] : []));
    expect(denied).toEqual([-1, -1]);
  });

  test("several messages of one call are each decided and reported, up to the one that is refused", async () => {
    install({ net: [netRule({ ports: [{ from: 12, to: 12 }] })] });
    const source = join(fresh(), "sendmmsg.c");
    writeFileSync(
      source,
      `
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
int main(void) {
	struct sockaddr_in to[4] = {};
	struct iovec part = {.iov_base = "x", .iov_len = 1};
	struct mmsghdr m[4] = {};
	for (int i = 0; i < 4; i++) {
		to[i].sin_family = AF_INET;
		to[i].sin_port = htons(10 + i);
		to[i].sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		m[i].msg_hdr = (struct msghdr){
			.msg_name = &to[i], .msg_namelen = sizeof(to[i]), .msg_iov = &part, .msg_iovlen = 1};
	}
	printf("%d\\n", sendmmsg(socket(AF_INET, SOCK_DGRAM, 0), m, 4, 0));
	return 0;
}
`,
    );
    await using guarded = new GuardedCgroup(probed);
    const ran = await probed.run([await compiler.compile(source, "sendmmsg")], { cgroup: guarded.cgroup });
    expect(ran.stdout).toBe("2\n");
    // The first ones are sent by the hook itself, which does not know the scope.
    const mine = [...probed.of(0), ...ran.records].filter(({ pid }) => pid === ran.pid);
    const sends = actions(mine, "net.send").map((each) => (each.type === "net.send" ? each.port : 0));
    expect(sends.sort()).toEqual([10, 11, 12]);
  });

  test("a program outside the cgroup is not touched", async () => {
    install({ net: [netRule({})] });
    const ran = await probed.run(python(`${TRIES}t("tcp4", lambda: tcp4().connect(("127.0.0.1", 9)))`));
    expect(ran.stdout).toBe("tcp4 ECONNREFUSED\n");
    expect(ran.records.filter(({ kernel }) => kernel !== undefined)).toEqual([]);
  });

  test("a policy that is installed while a program runs holds from then on", async () => {
    await using guarded = new GuardedCgroup(probed);
    await using stopped = await probed.start(
      python(`${TRIES}
for line in sys.stdin: t(line.strip(), lambda: tcp4().connect(("127.0.0.1", 9))); sys.stdout.flush()
`),
      { cgroup: guarded.cgroup },
    );
    stopped.go();
    const connects = (): number => actions(probed.of(stopped.scope), "net.connect").length;
    for (const [i, rules] of [[], [netRule({})], []].entries()) {
      install({ net: rules });
      stopped.say(`try${i}\n`);
      await waitUntil("the try is recorded", () => {
        probed.drain();
        return connects() === i + 1;
      });
    }
    expect((await stopped.ended()).stdout).toBe("try0 ECONNREFUSED\ntry1 EPERM\ntry2 ECONNREFUSED\n");
  });
});

/** A program that leaves a trace in its directory if it runs at all. */
async function tracer(): Promise<string> {
  const source = dir.join("tracer.c");
  writeFileSync(
    source,
    `
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void first(void) { close(open(getenv("TRACE"), O_CREAT | O_WRONLY, 0600)); }
int main(void) { return 0; }
`,
  );
  return await compiler.compile(source, "tracer", { static_link: true });
}

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("program policy", () => {
  /** Puts the tracer at `path` and tries to run it as `name` from `cwd`. */
  async function attempt(path: string, name = path, cwd = "/"): Promise<{ ran: Ran; left_trace: boolean }> {
    mkdirSync(join(path, ".."), { recursive: true });
    copyFileSync(await tracer(), path);
    chmodSync(path, 0o755);
    const trace = join(fresh(), "trace");
    const ran = await probed.run(["/usr/bin/env", `TRACE=${trace}`, name], { cwd });
    return { ran, left_trace: existsSync(trace) };
  }

  function expectKilled({ ran, left_trace }: { ran: Ran; left_trace: boolean }): void {
    expect(left_trace).toBe(false);
    expect(ran.signal).toBe("SIGKILL");
    const denied = ran.records.filter(({ kernel }) => kernel?.verdict === "deny");
    expect(denied).toHaveLength(1);
    expect(denied[0]).toMatchObject({
      action: { type: "exec" },
      kernel: { rule_index: 5, generation, effect: "killed" },
    });
    expect(actions(ran.records, "process.exit").at(-1)).toEqual({ type: "process.exit", signal: 9 });
  }

  function expectRun({ ran, left_trace }: { ran: Ran; left_trace: boolean }): void {
    expect([left_trace, ran.exit_code]).toEqual([true, 0]);
  }

  test("by path: killed before its first instruction; another path runs", async () => {
    const d = fresh();
    install({ exec: [execRule({ paths: [join(d, "no")] })] });
    expectKilled(await attempt(join(d, "no")));
    expectKilled(await attempt(join(d, "no"), "./no", d));
    expectKilled(await attempt(join(d, "no"), `/proc/self/root/${d}/no`));
    symlinkSync(join(d, "no"), join(d, "link"));
    expectKilled(await attempt(join(d, "no"), join(d, "link")));
    expectRun(await attempt(join(d, "no2")));
    expectRun(await attempt(join(d, "sub/no")));
  });

  test("by the name that was asked for, where it is a link to something else", async () => {
    const d = fresh();
    symlinkSync(join(d, "yes"), join(d, "no"));
    install({ exec: [execRule({ names: ["no"] })] });
    expectKilled(await attempt(join(d, "yes"), join(d, "no")));
    expectRun(await attempt(join(d, "yes")));
  });

  test("by base name, anywhere", async () => {
    const d = fresh();
    install({ exec: [execRule({ names: ["nc"] })] });
    expectKilled(await attempt(join(d, "a/b/nc")));
    expectRun(await attempt(join(d, "a/b/ncat")));
    expectRun(await attempt(join(d, "nc.d/tool")));
  });

  test("by tree: everything below it, and nothing beside it", async () => {
    const d = fresh();
    install({ exec: [execRule({ trees: [join(d, "bad")] })] });
    expectKilled(await attempt(join(d, "bad/x")));
    expectKilled(await attempt(join(d, "bad/deep/er/x")));
    expectRun(await attempt(join(d, "badly/x")));
  });

  test("a path, a directory and a request too long for any key do not help", async () => {
    const d = fresh();
    install({ exec: [execRule({ names: ["nc"], trees: [join(d, "bad")] })] });
    const long = `/${"n".repeat(250)}`;
    expectKilled(await attempt(`${d}${long}/nc`));
    expectKilled(await attempt(`${d}/bad${long}/x`));
    expectRun(await attempt(`${d}${long}/x`));
    const deep = `${d}${long.repeat(14)}`;
    expectKilled(await attempt(`${deep}/nc`, `${deep}/nc`, d));
    mkdirSync(`${deep}/cwd`);
    const trace = join(fresh(), "trace");
    const ran = await probed.run(python(`
import os
os.chdir(${JSON.stringify(`${deep}/cwd`)})
os.execve(${JSON.stringify(`${deep}/nc`)}, ["nc"], {"TRACE": ${JSON.stringify(trace)}})
`));
    expectKilled({ ran, left_trace: existsSync(trace) });
  });

  test("denied by default, with what rules allow", async () => {
    const d = fresh();
    install({
      exec: [execRule({ verdict: "allow", rule_index: 1, trees: [join(d, "good"), "/usr"], names: ["sh"] })],
      exec_default: "deny",
    });
    expectRun(await attempt(join(d, "good/x")));
    const { ran, left_trace } = await attempt(join(d, "x"));
    expect([left_trace, ran.signal]).toEqual([false, "SIGKILL"]);
    expect(ran.records.findLast(({ kernel }) => kernel?.verdict === "deny")?.kernel?.rule_index).toBe(-1);
  });

  test("a script is denied by its own name", async () => {
    const d = fresh();
    writeFileSync(join(d, "evil"), `#!/bin/sh\n: > ${d}/trace\n`, { mode: 0o755 });
    install({ exec: [execRule({ names: ["evil"] })] });
    const ran = await probed.run(["./evil"], { cwd: d });
    expectKilled({ ran, left_trace: existsSync(join(d, "trace")) });
  });

  test("a program that a thread starts is killed too, and the whole process with it", async () => {
    const d = fresh();
    const source = join(d, "thread.c");
    writeFileSync(
      source,
      `
#include <pthread.h>
#include <unistd.h>
static void *work(void *path) { execl(path, "no", (char *)0); return 0; }
int main(int argc, char **argv) {
	pthread_t thread;
	pthread_create(&thread, 0, work, argv[1]);
	pause();
	return 1;
}
`,
    );
    copyFileSync(await tracer(), join(d, "no"));
    chmodSync(join(d, "no"), 0o755);
    install({ exec: [execRule({ names: ["no"] })] });
    const trace = join(d, "trace");
    const program = await compiler.compile(source, "exec_from_thread");
    const ran = await probed.run(["/usr/bin/env", `TRACE=${trace}`, program, join(d, "no")]);
    expectKilled({ ran, left_trace: existsSync(trace) });
  });

  test("a program in no scope is not touched", async () => {
    const d = fresh();
    install({ exec: [execRule({ names: ["no"] })] });
    copyFileSync(await tracer(), join(d, "no"));
    chmodSync(join(d, "no"), 0o755);
    const done = Bun.spawnSync([join(d, "no")], { env: { TRACE: join(d, "trace") } });
    expect([done.exitCode, existsSync(join(d, "trace"))]).toEqual([0, true]);
  });
});

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("scope", () => {
  const scopes = (ran: Ran): Action[] => actions(ran.records, "guard.scope");
  const WAIT = "import sys\nfor line in sys.stdin: exec(line); print('done', flush=True)";

  test("leaving the cgroup is told; a group below it, or coming back, is not", async () => {
    await using guarded = new GuardedCgroup(probed);
    await using stopped = await probed.start(["/bin/cat"], { cgroup: guarded.cgroup });
    mkdirSync(`${guarded.cgroup.directory}/below`);
    guarded.enter(stopped.pid, "/below");
    guarded.enter(stopped.pid);
    guarded.cgroup.release("/");
    guarded.enter(stopped.pid);
    stopped.go();
    const ran = await stopped.ended();
    expect(scopes(ran)).toEqual([{ type: "guard.scope", detail: "left the session's cgroup for /" }]);
    expect(ran.records.find(({ facts }) => facts.kind === "scope")?.pid).toBe(stopped.pid);
  });

  test.each(["", "/below"])("a stranger who enters the leaf%s is told, and from then on is seen", async (below_) => {
    await using guarded = new GuardedCgroup(probed);
    const scope = probed.newScope();
    guarded.own(probed, scope);
    if (below_ !== "") mkdirSync(`${guarded.cgroup.directory}${below_}`);
    const d = fresh();
    const stranger = Bun.spawn([...python(WAIT)], { stdin: "pipe", stdout: "ignore" });
    try {
      guarded.enter(stranger.pid, below_);
      void stranger.stdin.write(`open("${d}/seen", "w").close()\n`); // `end` waits for it
      await stranger.stdin.end();
      await stranger.exited;
      await waitUntil("its end is recorded", () => {
        probed.drain();
        return actions(probed.of(scope), "process.exit").length > 0;
      });
    } finally {
      stranger.kill("SIGKILL");
      await stranger.exited;
    }
    expect(probed.of(scope)[0]).toMatchObject({
      pid: stranger.pid,
      action: { type: "guard.scope", detail: expect.stringContaining("from outside") },
      facts: { kind: "scope", entered: true },
    });
    expect(actions(probed.of(scope), "file.create")).toMatchObject([{ path: `${d}/seen` }]);
  });

  test("children belong to the scope of their parent; a stranger's do not", async () => {
    const ran = await probed.run(["/bin/sh", "-c", "(:; (true)); exec 3>&1; /bin/true | /bin/true"]);
    const pids = new Set(ran.records.map(({ pid }) => pid));
    const children = actions(ran.records, "process.fork").flatMap((each) =>
      each.type === "process.fork" ? [each.child.pid] : []
    );
    expect(children.length).toBeGreaterThanOrEqual(3);
    expect(children.every((pid) => pids.has(pid))).toBe(true);
  });

  test("processes that run already are listed, and taken in with all their threads", async () => {
    const source = join(fresh(), "late.c");
    writeFileSync(
      source,
      `
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static int go[2];
static void *work(void *name) {
	char byte;
	read(go[0], &byte, 1);
	close(open(name, O_CREAT | O_WRONLY, 0600));
	return 0;
}
int main(int argc, char **argv) {
	pthread_t threads[3];
	char byte;
	pipe(go);
	for (int i = 0; i < 3; i++) pthread_create(&threads[i], 0, work, argv[1]);
	puts("up");
	fflush(stdout);
	read(0, &byte, 1);
	write(go[1], "xxx", 3);
	for (int i = 0; i < 3; i++) pthread_join(threads[i], 0);
	return 0;
}
`,
    );
    const d = fresh();
    const late = Bun.spawn([await compiler.compile(source, "late"), join(d, "f")], { stdin: "pipe", stdout: "pipe" });
    try {
      await late.stdout.getReader().read();
      const scope = probed.newScope();
      const listed = probed.probes.listProcesses([{ pid: late.pid, scope, cgroup_id: 0n }]);
      const self = listed.find(({ pid }) => pid === late.pid);
      expect(self).toMatchObject({ ppid: process.pid, uid: 0, scope });
      expect(listed.some(({ pid }) => pid === process.pid)).toBe(false);
      expect(listed.filter(({ scope: each }) => each === scope)).toHaveLength(1);
      void late.stdin.write("x"); // `end` waits for it
      await late.stdin.end();
      await late.exited;
      await waitUntil("its end is recorded", () => {
        probed.drain();
        return actions(probed.of(scope), "process.exit").length > 0;
      });
      const opens = probed.of(scope).filter(({ facts }) => facts.kind === "open");
      expect(opens).toHaveLength(3);
      expect(new Set(opens.map(({ tid }) => tid)).size).toBe(3);
      expect(opens.every(({ pid, tid }) => pid === late.pid && tid !== pid)).toBe(true);
      // Nothing is left that the next list would take in.
      expect(probed.probes.listProcesses().every((each) => each.scope !== scope)).toBe(true);
    } finally {
      late.kill("SIGKILL");
      await late.exited;
    }
  });

  test("an agent that is looked for begins a scope of its own when it starts, by path or by name", async () => {
    const d = fresh();
    copyFileSync("/bin/true", join(d, "agent-x"));
    chmodSync(join(d, "agent-x"), 0o755);
    probed.policy.setAgents([{ index: 3, paths: [], names: ["agent-x"] }]);
    probed.probes.setAgentSearch(true);
    try {
      const runs = [0, 1].map(() => Bun.spawn(["/bin/sh", "-c", `${d}/agent-x; /bin/true`]));
      await Promise.all(runs.map((each) => each.exited));
    } finally {
      probed.probes.setAgentSearch(false);
      probed.policy.setAgents([]);
    }
    probed.drain();
    const found = [0, 1].map((n) => probed.of(0x4000_0000 + n));
    for (const records of found) {
      expect(records[0]).toMatchObject({ action: { type: "exec", path: `${d}/agent-x` }, facts: { agent_index: 3 } });
      expect(actions(records, "exec")).toHaveLength(1);
      expect(actions(records, "process.exit")).toHaveLength(1);
    }
    expect(probed.of(0x4000_0002)).toEqual([]);
  });
});
