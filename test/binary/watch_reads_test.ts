/** Reads that wait by fanotify: refused, let go or asked about by the object that would be opened. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { appendFile, chmod, copyFile, link, mkdir, open, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ApprovalView } from "../../lib/core/mod.ts";
import { about, Compiler, decided, GuardSetup, IS_ROOT, python, run, waitFor, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 240_000;
const TRIALS = 5_000;
/** Opens that are held at once. */
const MANY = 1_000;
const SECRET = "the secret";

const HEAD = 'version = 1\nname = "reads"\nmode = "enforce"\n[default]\n"*" = "allow"\n';

function closing(work: string, { verdict = "deny", paths = "" } = {}): string {
  const list = `["${work}/keep/**", "${work}/alone"${paths}]`;
  return `${HEAD}[[rules]]\nname = "keep"\naction = "file.read"\npath = ${list}\nverdict = "${verdict}"\n`;
}

/** `keep/x` and `alone` hold the secret, `free/a` does not. */
async function prepare(policy: (work: string) => string = closing): Promise<GuardSetup> {
  const setup = await GuardSetup.create();
  await writeFile(setup.policy, policy(setup.work));
  for (const name of ["keep", "free"]) await mkdir(join(setup.work, name));
  for (const name of ["keep/x", "alone"]) await writeFile(join(setup.work, name), SECRET);
  await writeFile(join(setup.work, "free/a"), "free\n");
  return setup;
}

/** `label mechanism` of what the rule refused. */
async function outcomes(setup: GuardSetup): Promise<readonly string[]> {
  const found = decided(await setup.entries()).filter(({ decision }) => decision.decision?.rule === "keep");
  return found.flatMap((each) => each.outcomes.map(({ outcome }) => `${outcome?.label} ${outcome?.mechanism}`));
}

async function questions(setup: GuardSetup, count: number): Promise<readonly ApprovalView[]> {
  return await waitFor(`${count} questions`, async () => {
    const listed = await setup.command(["approvals", "list", "--json"]);
    const views: readonly ApprovalView[] = listed.exit_code === 0 ? JSON.parse(listed.stdout) : [];
    return views.length >= count ? views : undefined;
  }, { deadline_ms: 120_000 });
}

const checks = await run([join(import.meta.dir, "../../dist/agentguard"), "doctor", "--json"]);
const CAN_WATCH = IS_ROOT && /"id":"fanotify\.open"[^}]*"state":"ok"/.test(checks.stdout);

describe.skipIf(!CAN_WATCH)("a watched read", () => {
  let compiler: Compiler;
  let race = "";

  beforeAll(async () => {
    compiler = await Compiler.create();
    race = await compiler.compile(join(import.meta.dir, "fixtures", "watch_race.c"), "race");
  });

  afterAll(async () => {
    await compiler[Symbol.asyncDispose]();
  });

  test("is refused by every name of the object, and nobody else is touched", async () => {
    await using setup = await prepare();
    await link(join(setup.work, "alone"), join(setup.work, "free/hard"));
    await link(join(setup.work, "keep/x"), join(setup.work, "free/linked"));
    await symlink("../keep", join(setup.work, "free/soft"));
    const lines = ["keep/x", "alone", "free/hard", "free/linked", "free/soft/x", "free/../keep/./x"]
      .map((name) => `cat ${name}`);
    lines.push("ls keep", "cat /proc/self/root$PWD/keep/x", "cat /proc/self/cwd/alone", "exec 9<keep; cat /dev/fd/9/x");
    const done = await setup.guard(["/bin/bash", "-c", `${lines.join("; ")}; cat free/a`]);
    expect(done.stdout).toBe("free\n");
    expect(new Set(await outcomes(setup))).toEqual(new Set(["prevented fanotify"]));
    expect(await outcomes(setup)).toHaveLength(lines.length);
    // Under another mount namespace, at the same time and by the same user.
    await using guard = setup.start(["/bin/bash", "-c", "echo started; cat keep/x; cat; cat keep/x"]);
    await waitUntil("the command", () => guard.stdout.includes("started"));
    expect(await readFile(join(setup.work, "keep/x"), "utf8")).toBe(SECRET);
    await guard.process.stdin.end();
    await guard.ended();
    expect(guard.stdout).toBe("started\n");
  }, LIMIT_MS);

  test("by a second mount of the directory is refused, too", async () => {
    await using setup = await prepare();
    await mkdir(join(setup.work, "second"));
    const mounting = 'mount --bind keep second && exec "$@"';
    const own = ["unshare", "--mount", "/bin/sh", "-c", mounting, "sh"];
    const done = await run([...own, ...setup.argv(["/bin/sh", "-c", "cat second/x; cat free/a"])], { cwd: setup.work });
    expect(done.stdout).toBe("free\n");
    expect(await outcomes(setup)).toEqual(["prevented fanotify"]);
  }, LIMIT_MS);

  test("of what is mounted later waits as well", async () => {
    await using setup = await prepare((work) => closing(work, { paths: ', "**/.env"' }));
    await mkdir(join(setup.work, "late"));
    const later = "(while [ ! -e go ]; do sleep 0.05; done; mount -t tmpfs none late; echo secret > late/.env) &";
    const own = ["unshare", "--mount", "--propagation", "shared", "/bin/sh", "-c", `${later} exec "$@"`, "sh"];
    // Until the new mount is marked, and no longer, what lies on it can be read.
    const line = ": > go; until [ -e late/.env ]; do :; done; while cat late/.env > out; do :; done; echo refused";
    const done = await run([...own, ...setup.argv(["/bin/sh", "-c", line])], { cwd: setup.work });
    expect(done.stdout).toBe("refused\n");
    expect(await outcomes(setup)).toContain("prevented fanotify");
  }, LIMIT_MS);

  test("is decided anew when the object gets another name, or its directory does", async () => {
    await using setup = await prepare();
    await mkdir(join(setup.work, "free/sub"));
    for (const name of ["free/b", "free/c", "free/sub/f"]) await writeFile(join(setup.work, name), `${name}\n`);
    const twice = (name: string): string => `cat ${name} ${name}`;
    const line = [
      `${twice("free/b")} && mv free/b keep/b && cat keep/b`,
      `${twice("free/c")} && ln free/c keep/c && cat keep/c`,
      `${twice("free/sub/f")} && mv free/sub keep/sub && cat keep/sub/f`,
      `${twice("free/a")}`,
    ].join("; ");
    const done = await setup.guard(["/bin/sh", "-c", line]);
    const said = ["free/b", "free/c", "free/sub/f", "free"].flatMap((name) => [name, name]);
    expect(done.stdout.trim().split("\n")).toEqual(said);
    expect(await outcomes(setup)).toEqual(Array(3).fill("prevented fanotify"));
  }, LIMIT_MS);

  test("is decided anew when others write what they have moved, or still have it open for that", async () => {
    await using setup = await prepare();
    for (const name of ["b", "c"]) await writeFile(join(setup.work, "free", name), `${name}\n`);
    await using writing = await open(join(setup.work, "free/c"), "r+");
    const line = "cat free/b free/b free/c free/c; echo read; cat; cat keep/b; cat keep/c; cat free/a";
    await using guard = setup.start(["/bin/bash", "-c", line]);
    await waitUntil("the command", () => guard.stdout.includes("read\n"));
    for (const name of ["b", "c"]) await rename(join(setup.work, "free", name), join(setup.work, "keep", name));
    await appendFile(join(setup.work, "keep/b"), SECRET);
    await writing.write(SECRET);
    await guard.process.stdin.end();
    await guard.ended();
    expect(guard.stdout).toBe("b\nb\nc\nc\nread\nfree\n");
    expect(await outcomes(setup)).toEqual(["prevented fanotify", "prevented fanotify"]);
  }, LIMIT_MS);

  test("is about what is opened, whoever swaps its name meanwhile", async () => {
    await using setup = await prepare();
    await copyFile(race, join(setup.work, "race"));
    await writeFile(join(setup.work, "free/x"), "free");
    const done = await setup.guard(["./race", String(TRIALS), "free", "keep", "x", SECRET]);
    const [opened, refused, leaked, other] =
      (/^opened (\d+) refused (\d+) leaked (\d+) other (\d+)/m.exec(done.stdout) ??
        []).slice(1).map(Number);
    expect(opened).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
    expect([leaked, other]).toEqual([0, 0]);
    expect(await outcomes(setup)).toEqual(Array(refused).fill("prevented fanotify"));
  }, LIMIT_MS);

  test("works like any other: programs, devices, pipes, new files; starting is no reading", async () => {
    await using setup = await prepare();
    await copyFile("/bin/true", join(setup.work, "keep/program"));
    const line =
      "keep/program && echo started; exec 7< <(echo process); cat <&7; diff <(echo a) <(echo a) && echo same; " +
      "mkfifo p; (echo pipe > p) & cat p; wait; head -c 4 /dev/urandom | wc -c; echo new > n; cat n; echo more >> n; " +
      "cat n; : < /dev/null; sh -c 'echo script'; python3 -c 'import os; print(os.open(\"keep/x\", os.O_WRONLY) > 2)'";
    const done = await setup.guard(["/bin/bash", "-c", line]);
    expect(done.stdout).toBe("started\nprocess\nsame\npipe\n4\nnew\nnew\nmore\nscript\nTrue\n");
    expect(await outcomes(setup)).toEqual([]);
  }, LIMIT_MS);

  test("of what was read before is refused after a reload that closes it", async () => {
    await using setup = await prepare();
    const line = "cat free/a free/a; echo read; cat > /dev/null; cat free/a; cat alone";
    await using guard = setup.start(["/bin/sh", "-c", line]);
    await waitUntil("the first reads", () => guard.stdout.includes("read\n"), { detail: () => guard.stderr });
    await writeFile(setup.policy, closing(setup.work, { paths: `, "${setup.work}/free/a"` }));
    const socket = { unix: join(setup.runtime, "control.sock"), method: "POST" };
    expect((await fetch("http://guard/v1/policy/reload", socket)).status).toBe(200);
    await guard.process.stdin.end();
    await guard.ended();
    expect(guard.stdout).toBe("free\nfree\nread\n");
    expect(await outcomes(setup)).toEqual(Array(2).fill("prevented fanotify"));
  }, LIMIT_MS);

  test("that asks waits alone: other threads go on; one yes reads once", async () => {
    await using setup = await prepare((work) =>
      `${closing(work, { verdict: "ask" })}[approval]\nallow_same_uid = true\n`
    );
    const program = `
import threading
def read(): print(open('keep/x').read(), flush=True)
waiting = threading.Thread(target=read); waiting.start()
for i in range(100): open('free/a').read()
print('meanwhile', flush=True); waiting.join()
try: read()
except PermissionError as e: print(e.errno)
`;
    await using guard = setup.start(python(program));
    const [first] = await questions(setup, 1);
    await waitUntil("the other thread", () => guard.stdout === "meanwhile\n", { detail: () => guard.stderr });
    expect(first?.held_by).toBe("fanotify");
    expect((await setup.command(["approvals", "approve", first?.approval_id ?? ""])).exit_code).toBe(0);
    const second = await waitFor(
      "the second question",
      async () => (await questions(setup, 1)).find(({ approval_id }) => approval_id !== first?.approval_id),
    );
    expect((await setup.command(["approvals", "deny", second.approval_id])).exit_code).toBe(0);
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe(`meanwhile\n${SECRET}\n1\n`);
    // Held, opened, and what was read of it when it was closed; then refused.
    expect((await outcomes(setup)).toSorted()).toEqual([
      "allowed fanotify",
      "held fanotify",
      "observed none",
      "prevented fanotify",
    ]);
  }, LIMIT_MS);

  test("that asks is withdrawn when its caller dies, and refused when the time is over", async () => {
    await using setup = await prepare((work) => `${closing(work, { verdict: "ask" })}[approval]\ntimeout = "20s"\n`);
    await using guard = setup.start(["/bin/bash", "-c", "cat keep/x & read; kill -9 $!; wait; cat alone; echo $?"]);
    await questions(setup, 1);
    await guard.process.stdin.write("\n");
    await guard.process.stdin.flush();
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe("1\n");
    const by = decided(await setup.entries()).flatMap((each) => each.outcomes.map(({ outcome }) => outcome?.by));
    expect(by).toEqual(["requester-gone", "expiry"]);
  }, LIMIT_MS);

  test(`${MANY} wait at once, everything else goes on, and all end when the time is over`, async () => {
    await using setup = await prepare((work) => `${closing(work, { verdict: "ask" })}[approval]\ntimeout = "60s"\n`);
    const program = `
import threading
threading.stack_size(65536)
refused = []
def read():
    try: open('keep/x')
    except PermissionError: refused.append(1)
all = [threading.Thread(target=read) for _ in range(${MANY})]
for each in all: each.start()
print(open('free/a').read(), end='', flush=True)
for each in all: each.join()
print(len(refused), open('free/a').read(), end='')
`;
    await using guard = setup.start(python(program));
    expect((await questions(setup, MANY)).length).toBe(MANY);
    await waitUntil("other reads", () => guard.stdout === "free\n", { detail: () => guard.stderr });
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toBe(`free\n${MANY} free\n`);
    expect(await outcomes(setup)).toEqual(Array(MANY).fill("prevented fanotify"));
  }, LIMIT_MS);

  test("is left to its call where a rule speaks of /proc, and where the command has no mounts of its own", async () => {
    const proc = closing("/nowhere", { paths: ', "/proc/*/environ"' });
    for (const more of ["", '[guard]\nbaseline = ["namespaces", "syscalls", "trace", "scope"]\n']) {
      await using setup = await prepare((work) =>
        more === "" ? proc.replaceAll("/nowhere", work) : `${closing(work)}${more}`
      );
      const done = await setup.guard(["/bin/sh", "-c", "cat keep/x; cat free/a"]);
      expect(done.stdout).toBe("free\n");
      expect(await outcomes(setup)).toEqual(["prevented seccomp"]);
      expect(about(await setup.entries(), "guard.degraded")).toEqual([]);
    }
  }, LIMIT_MS);

  test("with the rights of its caller: what the kernel refuses is not asked about", async () => {
    await using setup = await prepare();
    await chmod(join(setup.work, "keep/x"), 0o600);
    const program = `
import os
os.chmod('.', 0o755); os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
for name in ('keep/x', 'alone', 'free/a'):
    try: print(open(name).read().strip())
    except PermissionError as e: print(e.errno)
`;
    await chmod(setup.dir.path, 0o755);
    const done = await setup.guard(python(program));
    expect(done.stdout).toBe("13\n1\nfree\n");
  }, LIMIT_MS);
});
