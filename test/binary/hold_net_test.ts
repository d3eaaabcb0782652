/** Connections and messages that wait: asked about, decided by what happened before, and compared by the kernel. */
import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ApprovalView, Entry } from "../../lib/core/mod.ts";
import { Compiler, decided, GuardSetup, type GuardSetup as Setup, IS_ROOT, waitFor } from "../support/mod.ts";

const LIMIT_MS = 120_000;
const head =
  `version = 1\nname = "held"\nmode = "enforce"\n[default]\n"*" = "allow"\n[approval]\nallow_same_uid = true\n`;

/** A listener outside of the tree; `heard` counts what came. */
function listener(): { readonly port: number; heard(): number } & Disposable {
  let heard = 0;
  const server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: (socket) => void (heard++, socket.end()), data() {} },
  });
  return { port: server.port, heard: () => heard, [Symbol.dispose]: () => void server.stop(true) };
}

/** The same of UDP. */
async function receiver(): Promise<{ readonly port: number; heard(): number } & Disposable> {
  let heard = 0;
  const socket = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0, socket: { data: () => void heard++ } });
  return { port: socket.port, heard: () => heard, [Symbol.dispose]: () => void socket.close() };
}

const connect = (port: number): string => `(: > /dev/tcp/127.0.0.1/${port}) 2>&- && echo yes || echo no`;

async function question(setup: Setup): Promise<ApprovalView> {
  return await waitFor("a question", async () => {
    const listed = await setup.command(["approvals", "list", "--json"]);
    const views: readonly ApprovalView[] = listed.exit_code === 0 ? JSON.parse(listed.stdout) : [];
    return views[0];
  });
}

function outcomesOf(entries: readonly Entry[], rule: string): readonly string[] {
  return decided(entries).filter(({ decision }) => decision.decision?.rule === rule)
    .flatMap(({ outcomes }) => outcomes.map(({ outcome }) => `${outcome?.label} ${outcome?.mechanism}`));
}

describe.skipIf(!IS_ROOT)("a connection that is asked about", () => {
  test("waits for an answer, once for each, and others go on meanwhile", async () => {
    await using setup = await GuardSetup.create();
    using asked = listener();
    using free = listener();
    const rule = `[[rules]]\nname = "ask"\naction = "net.connect"\nport = ${asked.port}\nverdict = "ask"\n`;
    await writeFile(setup.policy, head + rule);
    const script = `(${connect(asked.port)}; ${connect(asked.port)}) & ${connect(free.port)}; wait`;
    await using guard = setup.start(["/bin/bash", "-c", script]);
    const first = await question(setup);
    await waitFor("the other connection", () => Promise.resolve(guard.stdout === "yes\n" ? true : undefined));
    expect([asked.heard(), free.heard()]).toEqual([0, 1]);
    expect(first.action).toMatchObject({
      type: "net.connect",
      address: "127.0.0.1",
      port: asked.port,
      protocol: "tcp",
    });
    expect((await setup.command(["approvals", "approve", first.approval_id])).exit_code).toBe(0);
    const second = await waitFor("the second question", async () => {
      const view = await question(setup);
      return view.approval_id === first.approval_id ? undefined : view;
    });
    expect((await setup.command(["approvals", "deny", second.approval_id])).exit_code).toBe(0);
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("yes\nyes\nno\n");
    expect(asked.heard()).toBe(1);
    const entries = await setup.entries();
    expect(outcomesOf(entries, "ask").toSorted()).toEqual(["allowed seccomp", "held seccomp", "prevented seccomp"]);
    expect(entries.filter(({ action }) => action?.type === "guard.mismatch")).toEqual([]);
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("what no program of the kernel can decide alone is prevented", () => {
  test("after something was read nothing is connected or sent any more", async () => {
    await using setup = await GuardSetup.create();
    using tcp = listener();
    using udp = await receiver();
    await writeFile(
      setup.policy,
      `${head}[[rules]]\nname = "read"\naction = "file.read"\npath = "**/secret"\n` +
        'verdict = "log"\nlabel = "tainted"\n' +
        '[[rules]]\nname = "shut"\naction = ["net.connect", "net.send"]\nverdict = "deny"\n' +
        'after = { label = "tainted", within = "session" }\n',
    );
    await writeFile(join(setup.work, "secret"), "s");
    await writeFile(
      join(setup.work, "talk.py"),
      `import socket
def tell(what, do):
    try:
        do()
        print(what, "yes", flush=True)
    except PermissionError:
        print(what, "EPERM", flush=True)
def tcp():
    socket.create_connection(("127.0.0.1", ${tcp.port})).close()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def once():
    tell("tcp", tcp)
    tell("sendto", lambda: u.sendto(b"x", ("127.0.0.1", ${udp.port})))
    tell("sendmsg", lambda: u.sendmsg([b"x"], [], 0, ("127.0.0.1", ${udp.port})))
once()
open("secret").read()
once()
`,
    );
    const done = await setup.guard(["/usr/bin/python3", "talk.py"]);
    expect(done.stdout).toBe("tcp yes\nsendto yes\nsendmsg yes\ntcp EPERM\nsendto EPERM\nsendmsg EPERM\n");
    await waitFor("messages", () => Promise.resolve(udp.heard() === 2 ? true : undefined));
    expect(tcp.heard()).toBe(1);
    const entries = await setup.entries();
    expect(outcomesOf(entries, "shut")).toEqual(["prevented seccomp", "prevented seccomp", "prevented seccomp"]);
    expect(entries.filter(({ action }) => action?.type === "guard.mismatch")).toEqual([]);
    const check = await setup.command(["policy", "check", setup.policy]);
    expect(check.stdout).toMatch(/shut +seccomp/);
  }, LIMIT_MS);

  test("a program by its name", async () => {
    await using setup = await GuardSetup.create();
    using tcp = listener();
    await writeFile(
      setup.policy,
      `${head}[[rules]]\nname = "not-bash"\naction = "net.connect"\nby = "bash"\nverdict = "deny"\n`,
    );
    const python = `import socket; socket.create_connection(('127.0.0.1', ${tcp.port})); print('yes')`;
    const done = await setup.guard(["/bin/bash", "-c", `${connect(tcp.port)}; python3 -c "${python}"`]);
    expect(done.stdout).toBe("no\nyes\n");
    expect(outcomesOf(await setup.entries(), "not-bash")).toEqual(["prevented seccomp"]);
  }, LIMIT_MS);

  test("an address that another thread exchanges is not reached, in any of 10,000 calls", async () => {
    await using setup = await GuardSetup.create();
    await using compiler = await Compiler.create();
    using good = listener();
    using bad = await receiver();
    await writeFile(
      setup.policy,
      `${head}[[rules]]\nname = "only-good"\naction = ["net.connect", "net.send"]\nby = "race"\nport = ${bad.port}\n` +
        'verdict = "deny"\n',
    );
    const source = join(setup.work, "race.c");
    await writeFile(source, raceProgram(good.port, bad.port));
    const program = await compiler.compile(source, "race");
    const done = await setup.guard([program]);
    expect(done.stdout).toMatch(/^ran \d+ of 10000\n$/);
    expect(bad.heard()).toBe(0);
    const entries = await setup.entries();
    const refused = entries.filter(({ kind, outcome, action }) =>
      kind === "outcome" && outcome?.label === "prevented" && action?.type === "net.connect"
    );
    expect(refused.length).toBeGreaterThan(0);
    expect(entries.filter(({ action }) => action?.type === "guard.mismatch")).toEqual([]);
  }, LIMIT_MS);
});

/** Connects UDP sockets while another thread writes now one port, now the other into the address. */
function raceProgram(good: number, bad: number): string {
  return `#define _GNU_SOURCE
#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static struct sockaddr_in to;
static volatile int over;
static void *flip(void *unused)
{
	while (!over) {
		*(volatile in_port_t *)&to.sin_port = htons(${good});
		*(volatile in_port_t *)&to.sin_port = htons(${bad});
	}
	return unused;
}
int main(void)
{
	pthread_t other;
	int ran = 0;
	to.sin_family = AF_INET;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pthread_create(&other, 0, flip, 0);
	for (int i = 0; i < 10000; i++) {
		int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (connect(s, (struct sockaddr *)&to, sizeof to) == 0) {
			ran++;
			send(s, "x", 1, 0);
		}
		close(s);
	}
	over = 1;
	pthread_join(other, 0);
	printf("ran %d of 10000\\n", ran);
	return 0;
}
`;
}
