/** The baseline as the user of the executable has it: what a command gave up, and that its usual work goes on. */
import { describe, expect, test } from "bun:test";
import { readlinkSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { ALL_PARTS, BASELINE_PARTS } from "../../lib/core/mod.ts";
import { about, ALLOW_ALL, GuardSetup, IS_ROOT, run, UNCONFINED } from "../support/mod.ts";

const LIMIT_MS = 90_000;

/** Whether the guarded shell reaches a unix socket, by Python's own words. */
const CONNECT = `import os, socket, sys
try:
    socket.socket(socket.AF_UNIX).connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
    print("reached")
except OSError as error:
    print(error.strerror)`;

async function listening(path: string): Promise<Server> {
  const server = createServer((client) => client.end());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

describe.skipIf(!IS_ROOT)("the baseline (needs root)", () => {
  test("the record says which parts a session has; what the host lacks is said too", async () => {
    await using setup = await GuardSetup.create();
    expect((await setup.guard(["/bin/true"])).exit_code).toBe(0);
    const [start] = about(await setup.entries(), "session.start");
    const checks = JSON.parse((await setup.command(["doctor", "--json"])).stdout).checks;
    const tried = checks.filter(({ id }: { id: string }) => id.startsWith("baseline."));
    expect(tried.map(({ id }: { id: string }) => id.slice(9))).toEqual(ALL_PARTS);
    const wanted = tried.slice(0, BASELINE_PARTS.length);
    const ok = wanted.flatMap(({ id, state }: { id: string; state: string }) => state === "ok" ? [id.slice(9)] : []);
    expect(start?.action.baseline?.parts).toEqual(ok);
    expect(start?.action.baseline?.lacking ?? []).toHaveLength(wanted.length - ok.length);
    expect((await setup.command(["audit", "query"])).stdout).toContain("session started: true, baseline privileges");
  }, LIMIT_MS);

  test("a policy that only observes, or says none, changes nothing for the command", async () => {
    for (const policy of [ALLOW_ALL.replace("enforce", "observe"), UNCONFINED]) {
      await using setup = await GuardSetup.create(policy);
      const done = await setup.guard([
        "/bin/sh",
        "-c",
        "readlink /proc/self/ns/mnt; grep -c 'Seccomp:.0' /proc/self/status",
      ]);
      expect(done.stdout).toBe(`${readlinkSync("/proc/self/ns/mnt")}\n1\n`);
      expect(about(await setup.entries(), "session.start")[0]?.action).not.toHaveProperty("baseline.parts.0");
    }
  }, LIMIT_MS);

  test("parts are left out one by one", async () => {
    const sudo = await GuardSetup.create(`${ALLOW_ALL}[guard]\nprivileges = "sudo"\n`);
    await using _sudo = sudo;
    const kept = await sudo.guard(["/bin/sh", "-c", "grep NoNewPrivs /proc/self/status; unshare -m true || echo no"]);
    expect(kept.stdout).toBe("NoNewPrivs:\t0\nno\n");
    await using open = await GuardSetup.create(
      `${ALLOW_ALL}[guard]\nbaseline = ["mounts"]\ncapabilities = ["net_raw"]\n`,
    );
    const done = await open.guard([
      "/bin/sh",
      "-c",
      `grep -E "Seccomp:|CapEff" /proc/self/status; ls -A ${open.state} | wc -l`,
    ]);
    expect(done.stdout).toBe("CapEff:\t00000000200024fb\nSeccomp:\t0\n0\n");
  }, LIMIT_MS);

  test("what a policy lists holds for the command, and is shown", async () => {
    await using setup = await GuardSetup.create(
      `${ALLOW_ALL}[guard]\nwrite_trees = ["/nowhere"]\nconnect_ports = [443]\nbind_ports = "none"\n`,
    );
    const done = await setup.guard(["/bin/sh", "-c", "echo x > /dev/null && echo null; touch made || echo refused"]);
    expect(done.stdout).toBe("null\nrefused\n");
    const [start] = about(await setup.entries(), "session.start");
    const told = [...start?.action.baseline?.parts ?? [], ...start?.action.baseline?.lacking ?? []].join(" ");
    expect(told).toMatch(/trees.*ports/);
    const shown = await setup.command(["policy", "show", setup.policy]);
    expect(shown.stdout).toContain("files change only below: /nowhere\nTCP connections only to ports: 443\n");
  }, LIMIT_MS);

  test("a service is reached only where the policy names it", async () => {
    for (const [services, said] of [[[], "Connection refused\n"], [["docker"], "reached\n"]] as const) {
      await using setup = await GuardSetup.create(
        `${ALLOW_ALL}[guard]\nservices = ${JSON.stringify(services)}\n`.replace("[]", '"none"'),
      );
      const path = setup.dir.join("docker.sock");
      const server = await listening(path);
      try {
        const env = { DOCKER_HOST: `unix://${path}` };
        const done = await setup.guard(["/usr/bin/env", "python3", "-c", CONNECT], { env });
        expect([services, done.stdout]).toEqual([services, said]);
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    }
  }, LIMIT_MS);

  test("what is mounted stays mounted when the guard itself carries out the change", async () => {
    const held = `[[rules]]\nname = "held"\naction = ["file.delete", "file.rename", "file.rmdir"]\n` +
      `path = "/nowhere/**"\nverdict = "deny"\nenforce = "best"\n`;
    await using setup = await GuardSetup.create(ALLOW_ALL + held);
    const { policy, state } = setup;
    const tries = [`mv ${policy} ${policy}.old`, `rm -f ${policy}`, `mv ${state} ${state}.old`, `rmdir ${state}`];
    const script = [...tries, "echo 1 > new", `mv new ${policy}`].map((line) => `${line} && echo "DONE ${line}"`).join(
      "\n",
    );
    const done = await setup.guard([
      "/bin/sh",
      "-c",
      `${script}\necho 2 > a && mv a b && rm b && mkdir d && rmdir d && echo works`,
    ]);
    expect(done.stdout).toBe("DONE echo 1 > new\nworks\n");
    expect(done.stderr.match(/busy|not permitted/g)).toHaveLength(5);
    expect(await readFile(policy, "utf8")).toBe(ALLOW_ALL + held);
  }, LIMIT_MS);

  test("a record in the command's way is refused before anything starts", async () => {
    await using setup = await GuardSetup.create();
    await mkdir(setup.state);
    const done = await run(setup.argv(["/bin/true"]), { cwd: setup.state });
    expect([done.exit_code, done.stderr]).toEqual([2, expect.stringContaining("choose other directories")]);
  }, LIMIT_MS);
});

/** Work of developers, each a shell script that must end with 0 and say `done`. */
const WORK: Readonly<Record<string, string>> = {
  "git: a repository, commits, a branch, a worktree, a clone": `git init -q -b main r && cd r &&
    git config user.email a@b && git config user.name a && echo 1 > f && git add f && git commit -qm one &&
    git checkout -qb other && echo 2 > f && git commit -qam two && git worktree add -q ../w main && git gc -q &&
    cd .. && git clone -q r c && git -C c log --oneline | wc -l`,
  "gcc and make": `printf '#include <stdio.h>\\nint main(void) { puts("built"); return 0; }\\n' > m.c &&
    printf 'm: m.c\\n\\tgcc -O2 -pthread -o m m.c\\n' > Makefile && make -s -j2 && ./m`,
  "node: workers, child processes, sockets": `cat > n.js <<'JS'
const { Worker } = require("node:worker_threads"); const net = require("node:net");
const cp = require("node:child_process");
new Worker("process.exit(0)", { eval: true }).on("exit", () => {
  const server = net.createServer((c) => c.end("x")).listen(0, "127.0.0.1", () =>
    net.connect(server.address().port, "127.0.0.1").on("data", () => {
      server.close(); console.log(cp.execFileSync("/bin/echo", ["child"]).toString()); process.exit(0); }));
});
JS
    node n.js`,
  "npm: a script":
    `printf '{"name":"p","version":"1.0.0","scripts":{"t":"node -e \\\\"console.log(1)\\\\""}}' > package.json &&
    npm run -s t && npm pack --silent`,
  "bun: a test and a bundle":
    `printf 'import { test, expect } from "bun:test"; test("t", () => expect(1).toBe(1));' > a.test.ts &&
    "$BUN" test && printf 'console.log(await Bun.file("a.test.ts").text())' > b.ts &&
    "$BUN" build b.ts --outfile b.js && "$BUN" b.js`,
  "python: processes, threads, an environment": `python3 -c 'import multiprocessing, threading, subprocess, asyncio
def f(n): return n + 1
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool: assert pool.map(f, [1, 2]) == [2, 3]
    threading.Thread(target=f, args=(1,)).start()
    assert asyncio.run(asyncio.create_subprocess_exec("true")) is not None' &&
    python3 -m venv --without-pip v && v/bin/python -c 1`,
  "ssh: an agent with a key": `ssh-keygen -q -t ed25519 -N "" -f key && eval "$(ssh-agent -s)" > /dev/null &&
    ssh-add -q key && ssh-add -l && kill $SSH_AGENT_PID`,
  "archives, owners, modes": `mkdir d && echo 1 > d/f && chown 1000:1000 d/f && chmod 4755 d/f && tar czf d.tgz d &&
    mkdir o && tar xzf d.tgz -C o && rm -r d && ln -s o l && mkfifo p && mv o o2`,
  "shell: jobs, signals, traps, process substitution":
    `bash -c 'set -m; sleep 100 & kill -TERM %1; wait; trap "echo t" USR1;
    kill -USR1 $$; diff <(echo 1) <(echo 1); ulimit -n 512; nice -n 5 true; timeout 5 true; setsid true'`,
  "other users": `setpriv --reuid 65534 --regid 65534 --clear-groups id -u`,
  "databases and locks": `python3 -c 'import sqlite3; c = sqlite3.connect("x.db"); c.execute("pragma journal_mode=wal");
c.execute("create table t(a)"); c.commit()' && flock x.lock true`,
};

describe.skipIf(!IS_ROOT)("usual work goes on under the baseline (needs root)", () => {
  test.each(Object.entries(WORK))("%s", async (_name, script) => {
    await using setup = await GuardSetup.create();
    const file = setup.dir.join("work.sh");
    await writeFile(file, `set -e\n${script}\necho done\n`);
    const env = { ...process.env, BUN: process.execPath, HOME: setup.work } as Record<string, string>;
    const plain = await run(["/bin/sh", file], { cwd: await fresh(setup), env });
    // What does not work without a guard says nothing.
    expect([plain.exit_code, plain.stderr]).toEqual([0, plain.stderr]);
    const done = await setup.guard(["/bin/sh", file], { env });
    expect([done.exit_code, done.stdout.trimEnd().split("\n").at(-1)], done.stderr).toEqual([0, "done"]);
  }, LIMIT_MS);
});

async function fresh(setup: GuardSetup): Promise<string> {
  const directory = setup.dir.join("plain");
  await mkdir(directory);
  return directory;
}
