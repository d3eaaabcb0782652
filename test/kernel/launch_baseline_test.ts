/** What a command that was started with the baseline can no longer do: every attempt is made, with and without it. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { findCgroup2 } from "../../lib/act/mod.ts";
import { BASELINE_PARTS, type BaselinePart, CAPABILITIES } from "../../lib/core/mod.ts";
import { Compiler, IS_ROOT, PYTHON } from "../support/mod.ts";
import { buildGuard, eventOf, marked, run, type RunResult, startReading, until } from "./fixtures/launch_run.ts";

/** An emulated machine behind others on a busy host is a hundred times slower. */
const LIMIT_MS = 180_000;

const KEPT = "0x200004fb"; // CAPABILITIES_KEPT
const PROGRAMS = join(import.meta.dir, "../escape/programs");
const NO = "Operation not permitted", ACCESS = "Permission denied", NOSYS = "Function not implemented";
const NO_FAMILY = "Address family not supported by protocol";

let dir = "";
let guard = "";
let attack = "";
let state = "";
let policy = "";
let secret = "";
let socket = "";
let server: Server;
let compiler: Compiler;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "ag-baseline-"));
  guard = await buildGuard(dir);
  compiler = await Compiler.create();
  // Nobody signals late here: the launcher has no guard behind it that looks.
  const options = { static_link: true, define: ["STAY_S=0"] };
  attack = await compiler.compile(join(PROGRAMS, "baseline.c"), "baseline", options);
  [state, policy, secret, socket] = [
    join(dir, "state"),
    join(dir, "policy.toml"),
    join(dir, "secret"),
    join(dir, "sock"),
  ];
  mkdirSync(state);
  for (const file of [join(state, "key"), policy, secret]) writeFileSync(file, "content\n");
  server = createServer((client) => client.end());
  await new Promise<void>((resolve) => server.listen(socket, resolve));
}, 120_000);

afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await compiler[Symbol.asyncDispose]();
  rmSync(dir, { recursive: true, force: true });
});

/** Landlock keeps signals and abstract sockets within the tree from Linux 6.12 on; before that it must be told. */
const [major = 0, minor = 0] = release().split(".").map(Number);
const SCOPE = major > 6 || (major === 6 && minor >= 12);
const EOPNOTSUPP = 95;

/** The whole baseline, or some parts of it. */
function baseline(parts: readonly BaselinePart[] = BASELINE_PARTS): string {
  const cgroup = findCgroup2();
  const places = [
    { kind: "read_only", path: policy },
    ...(cgroup === undefined ? [] : [{ kind: "read_only", path: cgroup }]),
    { kind: "hide", path: state },
    { kind: "hide", path: secret },
    { kind: "hide", path: socket },
    { kind: "hide", path: join(dir, "not-there") },
  ];
  return JSON.stringify({ parts, capabilities: KEPT, places });
}

function confined(argv: readonly string[], parts?: readonly BaselinePart[]): Promise<RunResult> {
  return run([guard, "--baseline", baseline(parts), "--", ...argv]);
}

/** Runs every attempt in one confined shell; what each said by its name. `$guard` and `$launcher` are their pids. */
async function attempts(
  ways: Readonly<Record<string, string>>,
  parts?: readonly BaselinePart[],
): Promise<ReadonlyMap<string, string>> {
  const report = join(dir, crypto.randomUUID());
  const find = `guard=$(sed -n 's/.*"guard":\\([0-9]*\\).*/\\1/p' ${report}); launcher=$PPID`;
  const lines = Object.entries(ways).map(([way, argument]) => {
    const [name = ""] = way.split(" ");
    return `echo "${way}=$(${attack} ${name} ${argument} 2>&1)"`;
  });
  const result = await run(
    [guard, "--report", report, "--baseline", baseline(parts), "--", "sh", "-c", [find, ...lines].join("\n")],
  );
  expect([result.code, result.stderr.toString()]).toEqual([0, ""]);
  const started = await eventOf(report, "started");
  const told = (parts ?? BASELINE_PARTS).map((part) => [part, part === "scope" && !SCOPE ? EOPNOTSUPP : 0]);
  expect(started["parts"]).toEqual(told);
  return new Map(
    result.stdout.toString().trimEnd().split("\n").map((line): [string, string] => {
      const at = line.indexOf("=");
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
}

/** Calls that are refused by number and registers, and what they say. */
const CALLS: Readonly<Record<string, string>> = {
  "unshare-mount": NO,
  "unshare-user": NO,
  "unshare-pid": NO,
  "unshare-net": NO,
  "unshare-cgroup": NO,
  "unshare-time": NO,
  "clone-namespaces": NO,
  "clone3": NOSYS,
  "setns": NO,
  "mount": NO,
  "umount": NO,
  "pivot-root": NO,
  "open-tree": NO,
  "fsopen": NO,
  "mount-setattr": NO,
  "io-uring": NOSYS,
  "bpf": NO,
  "perf": NO,
  "userfaultfd": NO,
  "handle": NO,
  "add-key": NO,
  "request-key": NO,
  "keyctl": NO,
  "init-module": NO,
  "finit-module": NO,
  "delete-module": NO,
  "kexec": NO,
  "reboot": NO,
  "swapon": NO,
  "acct": NO,
  "quotactl": NO,
  "settimeofday": NO,
  "clock-settime": NO,
  "syslog": NO,
  "kcmp": NO,
  "vsock": NO_FAMILY,
  "other-family": NO_FAMILY,
  "raw-socket": NO,
  "packet-socket": NO,
  "type-into-terminal": NO,
  "listener": NO,
};

/** Those whose success would change this host. */
const HARMFUL = new Set(["mount", "umount", "pivot-root"]);

describe.skipIf(!IS_ROOT)("system calls (needs root)", () => {
  test("each is refused, and without the baseline each says something else", async () => {
    const said = await attempts(
      Object.fromEntries(Object.keys(CALLS).map((way) => [way, way === "umount" ? state : ""])),
    );
    expect(Object.fromEntries(said)).toEqual(CALLS);
    const free = Object.keys(CALLS).filter((way) => !HARMFUL.has(way));
    const direct = await Promise.all(free.map(async (way) => {
      const result = await run([attack, way]);
      return result.stdout.toString().trim();
    }));
    const same = free.filter((way, index) => direct[index] === CALLS[way]);
    // What this kernel itself lacks or forbids proves nothing; the calls that matter most work here without it.
    const lacking = new Set([
      "init-module",
      "finit-module",
      "delete-module",
      "kexec",
      "perf",
      "bpf",
      "keyctl",
      "kcmp",
      "vsock",
    ]);
    expect(same.filter((way) => !lacking.has(way))).toEqual([]);
  }, LIMIT_MS);

  test("foreign ABIs have no calls", async () => {
    const said = await attempts({ x32: "" });
    expect(said.get("x32")).toBe(NOSYS);
    const direct = await run([attack, "i386"]);
    // A kernel without the ABI ends the program by SIGSEGV; one that has it runs the call.
    if (direct.code === 0) expect((await attempts({ i386: "" })).get("i386")).toBe(NOSYS);
    else expect((await confined([attack, "i386"])).code).toBe(direct.code);
  }, LIMIT_MS);

  test("a part that is left out leaves its calls alone", async () => {
    const without = BASELINE_PARTS.filter((part) => part !== "namespaces" && part !== "privileges");
    const said = await attempts({ "unshare-mount": "", clone3: "", "io-uring": "" }, without);
    expect(Object.fromEntries(said)).toEqual({ "unshare-mount": "ok", clone3: "ok", "io-uring": NOSYS });
    expect((await attempts({ "io-uring": "", kcmp: "" }, ["trace"])).get("io-uring")).toBe("ok");
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("privileges (needs root)", () => {
  test("no capability but the kept ones, in no set, and none comes back", async () => {
    const result = await confined(["sh", "-c", "cat /proc/self/status; exec sh -c 'grep CapPrm /proc/self/status'"]);
    const lines = result.stdout.toString().split("\n").filter((line) => /^(Cap|NoNewPrivs)/.test(line));
    const kept = "00000000200004fb", none = "0000000000000000";
    expect(lines).toEqual([
      `CapInh:\t${none}`,
      `CapPrm:\t${kept}`,
      `CapEff:\t${kept}`,
      `CapBnd:\t${kept}`,
      `CapAmb:\t${none}`,
      "NoNewPrivs:\t1",
      `CapPrm:\t${kept}`,
    ]);
  }, LIMIT_MS);

  test("each dangerous one is gone", async () => {
    const names = [
      "sys_admin",
      "bpf",
      "perfmon",
      "sys_ptrace",
      "sys_module",
      "sys_boot",
      "sys_rawio",
      "syslog",
    ] as const;
    const more = [
      "mac_admin",
      "mac_override",
      "audit_control",
      "net_admin",
      "dac_read_search",
      "mknod",
      "setpcap",
    ] as const;
    const rest = [
      "wake_alarm",
      "sys_time",
      "linux_immutable",
      "ipc_owner",
      "net_raw",
      "setfcap",
      "sys_chroot",
    ] as const;
    const all = [...names, ...more, ...rest];
    const said = await attempts(
      Object.fromEntries(all.map((name) => [`capability ${name}`, String(CAPABILITIES[name])])),
    );
    expect([...said.values()]).toEqual(all.map(() => NO));
    expect((await run([attack, "capability", String(CAPABILITIES.sys_admin)])).stdout.toString()).toBe("ok\n");
  }, LIMIT_MS);

  test("a set-user-id program gives nothing", async () => {
    const program = join(dir, "setuid");
    writeFileSync(program, readFileSync(attack));
    chmodSync(program, 0o4755);
    chmodSync(dir, 0o755);
    expect((await run([program, "become-root", program])).stdout.toString()).toBe("ok\n");
    expect((await confined([program, "become-root", program])).stdout.toString()).toBe(`${NO}\n`);
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("guard and launcher (needs root)", () => {
  const WAYS = [
    "kill",
    "tgkill",
    "pidfd-kill",
    "sigqueue",
    "prlimit",
    "starve",
    "ptrace",
    "vm-write",
    "vm-read",
    "take-descriptor",
  ];
  const FILES = ["proc-mem", "proc-environ", "proc-root", "proc-oom"];

  const OTHERS: Readonly<Record<string, string>> = {
    "proc-mem": "Read-only file system",
    "proc-oom": "Read-only file system",
    "proc-environ": ACCESS,
    "proc-root": ACCESS,
    "pidfd-kill": `pidfd_open: ${NO}`,
    "take-descriptor": `pidfd_open: ${NO}`,
  };

  test("cannot be signalled, limited, traced, read or written", async () => {
    const ways: Record<string, string> = {};
    const expected: Record<string, string> = {};
    for (const target of ["guard", "launcher"]) {
      for (const way of [...WAYS, ...FILES]) {
        ways[`${way} ${target}`] = `$${target}`;
        expected[`${way} ${target}`] = OTHERS[way] ?? NO;
      }
    }
    expect(Object.fromEntries(await attempts(ways))).toEqual(expected);
  }, LIMIT_MS);

  test.skipIf(!SCOPE)(
    "nor by their threads' numbers (needs Linux 6.12)",
    async () => {
      const report = join(dir, crypto.randomUUID());
      await using child = startReading([guard, "--report", report, "--baseline", baseline(), "--", "sh"]);
      const started = await eventOf(report, "started");
      const threads = await until(async () => {
        const listed = (await run(["ls", `/proc/${started["guard"]}/task`])).stdout.toString().trim().split("\n");
        return listed.length > 1 && listed.filter((name) => name !== String(started["guard"]));
      });
      const thread = threads[0] ?? "";
      for (const way of ["kill", "prlimit", "proc-mem", "proc-environ", "proc-root"]) {
        child.write(`echo "${way}=$(${attack} ${way} ${thread})"\n`);
        // What threads were there before the command has read-only names.
        const expected = way === "proc-mem"
          ? [ACCESS, "Read-only file system"]
          : [way.startsWith("proc-") ? ACCESS : NO];
        expect(expected.map((error) => `${way}=${error}`)).toContain(await child.line(way));
      }
    },
    LIMIT_MS,
  );

  test("the same attempts reach an ordinary process", async () => {
    const ways = ["prlimit", "starve", "ptrace", "take-descriptor", "proc-environ", "proc-oom", "sigqueue", "kill"];
    for (const way of ways) {
      const victim = Bun.spawn(["sleep", "1000"]);
      try {
        expect([way, (await run([attack, way, String(victim.pid)])).stdout.toString()]).toEqual([way, "ok\n"]);
      } finally {
        victim.kill("SIGKILL");
        await victim.exited;
      }
    }
  }, LIMIT_MS);

  test("their own numbers are refused by the filter alone, too", async () => {
    const said = await attempts({
      "kill guard": "$guard",
      "tgkill launcher": "$launcher",
      "sigqueue guard": "$guard",
      "pidfd-kill guard": "$guard",
    }, ["syscalls"]);
    expect([...said.values()]).toEqual([NO, NO, NO, `pidfd_open: ${NO}`]);
  }, LIMIT_MS);

  test("processes of the tree can be signalled", async () => {
    const result = await confined(["sh", "-c", "sleep 1000 & kill -9 $!; wait $!; echo $?"]);
    expect(result.stdout.toString()).toBe("137\n");
  }, LIMIT_MS);

  test.skipIf(!SCOPE)(
    "abstract sockets of others are out of reach, those of the tree are not (needs Linux 6.12)",
    async () => {
      const name = `ag-${crypto.randomUUID()}`;
      const outside = createServer((client) => client.end());
      await new Promise<void>((resolve) => outside.listen({ path: `\0${name}` }, resolve));
      try {
        expect((await run([attack, "connect", `@${name}`])).stdout.toString()).toBe("ok\n");
        expect((await confined([attack, "connect", `@${name}`])).stdout.toString()).toBe(`${NO}\n`);
      } finally {
        await new Promise((resolve) => outside.close(resolve));
      }
      const own = `import socket
server, client = (socket.socket(socket.AF_UNIX) for _ in range(2))
server.bind("\\0${name}")
server.listen()
client.connect("\\0${name}")
print("own")`;
      expect((await confined([PYTHON, "-c", own])).stdout.toString()).toBe("own\n");
    },
    LIMIT_MS,
  );
});

describe.skipIf(!IS_ROOT)("places (needs root)", () => {
  const READ_ONLY = "Read-only file system", BUSY = "Resource busy", NONE = "No such file or directory";

  test("the guard's directory is empty and cannot be written, its policy cannot be changed or replaced", async () => {
    const said = await attempts({
      "list state": state,
      "read state": join(state, "key"),
      "create state": join(state, "new"),
      "rename state": state,
      "read policy": policy,
      "write policy": policy,
      "remove policy": policy,
      "rename policy": policy,
      "read proc": `/proc/self/root${state}/key`,
      "write proc": `/proc/self/root${policy}`,
      "umount": state,
    });
    expect(Object.fromEntries(said)).toEqual({
      "list state": "empty",
      "read state": NONE,
      "create state": READ_ONLY,
      "rename state": BUSY,
      "read policy": "ok",
      "write policy": READ_ONLY,
      "remove policy": BUSY,
      "rename policy": BUSY,
      "read proc": NONE,
      "write proc": READ_ONLY,
      "umount": NO,
    });
    expect(readFileSync(join(state, "key"), "utf8")).toBe("content\n");
    expect(readFileSync(policy, "utf8")).toBe("content\n");
  }, LIMIT_MS);

  test("a hidden file cannot be opened, a hidden socket does not answer", async () => {
    const said = await attempts({
      "read secret": secret,
      "write secret": secret,
      "remove secret": secret,
      connect: socket,
    });
    expect(Object.fromEntries(said)).toEqual({
      "read secret": ACCESS,
      "write secret": ACCESS,
      "remove secret": BUSY,
      connect: "Connection refused",
    });
    expect((await run([attack, "connect", socket])).stdout.toString()).toBe("ok\n");
    await new Promise<void>((resolve, reject) => connect(socket).on("close", () => resolve()).on("error", reject));
  }, LIMIT_MS);

  test("directories that it was started in or inherited lead nowhere else", async () => {
    const script = `cat key; cat /dev/fd/9/key; cat /proc/self/cwd/key; ls -A . | wc -l`;
    const command = `cd ${state}; exec ${guard} --baseline "$1" -- sh -c '${script}' 9<${state}`;
    const result = await run(["bash", "-c", command, "bash", baseline()]);
    expect(result.stdout.toString()).toBe("0\n");
    expect(result.stderr.toString().match(/No such file/g)).toHaveLength(3);
    const free = await run(["bash", "-c", `cd ${state}; exec ${guard} -- sh -c '${script}' 9<${state}`]);
    expect(free.stdout.toString()).toBe("content\ncontent\ncontent\n1\n");
  }, LIMIT_MS);

  test.skipIf(findCgroup2() === undefined)("the tree stays in its cgroup (needs cgroup v2)", async () => {
    const root = findCgroup2() ?? "";
    const [own, other] = [join(root, `ag_base_${process.pid}`), join(root, `ag_base_${process.pid}_other`)];
    mkdirSync(other);
    try {
      const flags = ["--cgroup", own, "--baseline", baseline()];
      const inside = await run([
        guard,
        ...flags,
        "--",
        "sh",
        "-c",
        `${attack} leave-cgroup ${other}; cat /proc/self/cgroup`,
      ]);
      expect(inside.stdout.toString()).toStartWith(`open: ${READ_ONLY}\n`);
      expect(inside.stdout.toString()).toContain(`0::/ag_base_${process.pid}\n`);
      const free = await run([guard, "--cgroup", own, "--", attack, "leave-cgroup", other]);
      expect(free.stdout.toString()).toBe("ok\n");
    } finally {
      for (const group of [own, other]) if (existsSync(group)) await until(() => removed(group));
    }
  }, LIMIT_MS);

  test("what happens in the namespace stays there", () => {
    expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(dir);
    expect(readFileSync(secret, "utf8")).toBe("content\n");
  });
});

/** Landlock knows ports from Linux 6.7 on. */
const PORTS = major > 6 || (major === 6 && minor >= 7);

describe.skipIf(!IS_ROOT || !PORTS)("what is listed (needs root and Linux 6.7)", () => {
  test("only listed trees can be changed, by whatever name; everything can be read", async () => {
    const [open, closed] = [join(dir, "open"), join(dir, "closed")];
    for (const tree of [open, closed]) mkdirSync(tree, { recursive: true });
    for (const tree of [open, closed]) writeFileSync(join(tree, "file"), "old\n");
    const places = [{ kind: "write", path: open }, { kind: "write_files", path: "/dev" }];
    const given = JSON.stringify({ parts: ["privileges", "trees"], capabilities: KEPT, places });
    const script = `cd ${closed}; exec 2>/dev/null; try() { "$@" && echo "did $*"; }
      try touch made; try cp /dev/null file; try rm file; try mv file ../open/moved; try ln file ../open/linked
      try ln -s x link; try mkdir d; try truncate -s 0 file; try mkfifo p; try mv ../open/file .
      try cp file ../open/copied; try rm ../open/copied; try mkdir ../open/d; cd ../open; ln -s ../closed out
      try cp copied out/x; try cp file /proc/self/cwd/again; cat ../closed/file >/dev/null && echo read`;
    const result = await run([guard, "--baseline", given, "--", "sh", "-c", script]);
    expect(result.stdout.toString()).toBe(
      "did cp file ../open/copied\ndid rm ../open/copied\ndid mkdir ../open/d\n" +
        "did cp file /proc/self/cwd/again\nread\n",
    );
    expect(readFileSync(join(closed, "file"), "utf8")).toBe("old\n");
  }, LIMIT_MS);

  test("only listed TCP ports can be used, with v4-mapped addresses too", async () => {
    const listening = await Promise.all([0, 1].map(() =>
      new Promise<Server>((resolve) => {
        const made = createServer((client) => client.end());
        made.listen(0, "::", () => resolve(made));
      })
    ));
    const ports = listening.map((each) => {
      const address = each.address();
      return typeof address === "object" && address !== null ? address.port : 0;
    });
    const given = JSON.stringify({
      parts: ["ports"],
      capabilities: KEPT,
      places: [],
      ports: { connect: [ports[0]], bind: [] },
    });
    const script = `import errno, socket, sys
def tell(what, *arguments):
    try:
        what(*arguments); print("done")
    except OSError as error:
        print(errno.errorcode[error.errno])
for port in ${JSON.stringify(ports)}:
    tell(socket.create_connection, ("127.0.0.1", port))
    tell(socket.socket(socket.AF_INET6).connect, ("::ffff:127.0.0.1", port))
tell(socket.socket().bind, ("127.0.0.1", 0))`;
    try {
      const result = await run([guard, "--baseline", given, "--", PYTHON, "-c", script]);
      expect(result.stdout.toString()).toBe("done\ndone\nEACCES\nEACCES\nEACCES\n");
    } finally {
      for (const each of listening) await new Promise((resolve) => each.close(resolve));
    }
  }, LIMIT_MS);
});

describe.skipIf(!IS_ROOT)("without the guard (needs root)", () => {
  test("the baseline stays when the guard is killed and its tree may go on", async () => {
    const report = join(dir, crypto.randomUUID());
    const fifo = join(dir, "fifo");
    await Bun.$`mkfifo ${fifo}`.quiet();
    const script =
      `echo up; read line <${fifo}; ${attack} unshare-user; ${attack} read ${secret}; ${attack} ptrace 1; echo end`;
    const argv = [guard, "--open", "--report", report, "--baseline", baseline(), "--", "sh", "-c", script];
    await using child = startReading(argv);
    await child.line("up");
    const started = await eventOf(report, "started");
    process.kill(Number(started["guard"]), "SIGKILL");
    await child.exited;
    writeFileSync(fifo, "go\n");
    expect(await child.line(NO)).toBe(NO);
    expect(await child.line(ACCESS)).toBe(ACCESS);
    expect(await child.line(NO)).toBe(NO);
    expect(await child.line("end")).toBe("end");
  }, LIMIT_MS);

  test("and a tree that may not is ended by its launcher, which it cannot touch", async () => {
    const mark = `AG_TEST_MARK=${crypto.randomUUID()}`;
    const report = join(dir, crypto.randomUUID());
    const script = "setsid sleep 1000 & sleep 1000";
    const argv = ["env", mark, guard, "--deny", "--report", report, "--baseline", baseline(), "--", "sh", "-c", script];
    await using child = startReading(argv);
    const started = await eventOf(report, "started");
    await until(() => marked(mark).length >= 5);
    process.kill(Number(started["guard"]), "SIGKILL");
    await child.exited;
    expect(await until(() => marked(mark).length === 0)).toBe(true);
  }, LIMIT_MS);
});

function removed(group: string): boolean {
  try {
    rmdirSync(group);
    return true;
  } catch {
    return false;
  }
}
