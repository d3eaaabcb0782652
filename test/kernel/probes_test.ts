/** What the probes report of real programs, one family of system calls after the other. */
import { afterAll, afterEach, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { release } from "node:os";
import { join } from "node:path";
import type { Action } from "../../lib/core/mod.ts";
import { Compiler, IS_ROOT, PYTHON, python, TempDir } from "../support/mod.ts";
import { actions, below, Probed, type Ran } from "./probes_support.ts";

/** Loading takes a second on a busy machine, before each test does its work. */
setDefaultTimeout(60_000);

let probed: Probed;
let dir: TempDir;
let compiler: Compiler;

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

afterEach(() => {
  if (!IS_ROOT) return;
  probed.drain();
  expect(probed.gaps).toEqual([]);
  expect(probed.errors).toEqual([]);
  expect(probed.losses()).toEqual([]);
});

/** An empty directory of its own. */
function fresh(): string {
  const path = dir.join(crypto.randomUUID());
  mkdirSync(path);
  return path;
}

/** Runs a python program in a fresh directory `d`; it must succeed. */
async function inPython(program: string, prepare: (d: string) => void = () => {}): Promise<[Ran, string]> {
  const d = fresh();
  prepare(d);
  const ran = await probed.run(python(`import os, sys\nd = sys.argv[1]\n${program}`, d), { cwd: d });
  expect(ran.stderr).toBe("");
  expect(ran.exit_code).toBe(0);
  return [ran, d];
}

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("loading", () => {
  test("every group loads on this kernel", () => {
    const [major = 0, minor = 0] = release().split(".").map(Number);
    expect(Object.fromEntries(probed.probes.support.map((each) => [each.group, each.available]))).toEqual({
      process: true,
      syscall: true,
      scope: true,
      network: true,
      unix: major > 6 || (major === 6 && minor >= 7), // cgroup programs at connect of unix sockets
      names: true,
      iterator: true,
      look: major > 6 || (major === 6 && minor >= 10), // kfuncs for programs that user space runs
    });
  });
});

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("opens", () => {
  test("read, write, create, truncate, append, a nameless file, and failures", async () => {
    const [ran, d] = await inPython(
      `
os.close(os.open(d + "/a", os.O_RDONLY))
os.close(os.open(d + "/a", os.O_WRONLY))
os.close(os.open(d + "/a", os.O_RDWR | os.O_CREAT, 0o600))
os.close(os.open(d + "/b", os.O_RDWR | os.O_CREAT, 0o600))
os.close(os.open(d + "/b", os.O_WRONLY | os.O_CREAT | os.O_TRUNC))
os.close(os.open(d + "/b", os.O_WRONLY | os.O_APPEND))
os.close(os.open(d, os.O_RDWR | os.O_TMPFILE, 0o600))
os.close(os.open(d, os.O_RDONLY | os.O_DIRECTORY))
refused = (
    ("/none", os.O_RDONLY), ("/a", os.O_WRONLY | os.O_CREAT | os.O_EXCL), ("/a/x", os.O_RDONLY), ("", os.O_WRONLY))
for path, flags in refused:
    try: os.open(d + path, flags)
    except OSError: pass
`,
      (d) => writeFileSync(join(d, "a"), "hello"),
    );
    const at = (path: string, type: string, more: object = {}): object => ({
      type,
      path: d + path,
      result: "0",
      ...more,
    });
    const found = below(ran.records, d);
    expect(found.filter((each) => !(each.type === "file.create" && "flags" in each))).toEqual([
      at("/a", "file.read"),
      at("/a", "file.write"),
      at("/a", "file.write", { flags: ["reads"] }),
      at("/b", "file.create"),
      at("/b", "file.truncate"),
      at("/b", "file.write", { flags: ["append"] }),
      at("", "file.read"),
      at("/none", "file.read", { result: "ENOENT" }),
      at("/a", "file.write", { result: "EEXIST" }),
      at("/a/x", "file.read", { result: "ENOTDIR" }),
      at("", "file.write", { result: "EISDIR" }),
    ] as Action[]);
    expect(found.filter((each) => "flags" in each && each.flags?.some((flag) => flag === "tmpfile"))).toEqual([
      {
        type: "file.create",
        path: expect.stringContaining(`${d}/`),
        requested_path: d,
        flags: ["tmpfile"],
        result: "0",
      },
    ]);
  });

  test("the path is what the kernel resolved, beside what was asked for", async () => {
    const [ran, d] = await inPython(
      `
os.mkdir(d + "/sub")
os.close(os.open("a", os.O_RDONLY))
os.chdir("sub")
os.close(os.open("../a", os.O_RDONLY))
os.close(os.open("../link/./a", os.O_RDONLY))
fd = os.open("..", os.O_RDONLY)
os.close(os.open("a", os.O_RDONLY, dir_fd=fd))
os.close(os.open("/proc/self/root" + d + "/a", os.O_RDONLY))
os.close(os.open("/dev/fd/%d" % os.open(d + "/a", os.O_RDONLY), os.O_RDONLY))
try: os.open("../missing/x", os.O_RDONLY)
except OSError: pass
try: os.open("b", os.O_RDONLY, dir_fd=fd)
except OSError: pass
`,
      (d) => {
        writeFileSync(join(d, "a"), "");
        symlinkSync(d, join(d, "link"));
      },
    );
    const reads = actions(below(ran.records, d).map((action) => ({ action })) as never, "file.read")
      .filter((each) => "path" in each && each.path !== d);
    const a = (requested?: string): object => ({
      type: "file.read",
      path: `${d}/a`,
      ...(requested === undefined ? {} : { requested_path: requested }),
      result: "0",
    });
    expect(reads).toEqual([
      a("a"),
      a("../a"),
      a("../link/./a"),
      a("a"),
      a(`/proc/self/root${d}/a`),
      a(),
      a(expect.stringMatching(/^\/dev\/fd\/\d+$/) as unknown as string),
      { type: "file.read", path: `${d}/missing/x`, requested_path: "../missing/x", result: "ENOENT" },
      { type: "file.read", path: `${d}/b`, requested_path: "b", result: "ENOENT" },
    ] as Action[]);
  });

  test("open, creat and openat2 by their numbers", async () => {
    const source = join(fresh(), "opens.c");
    writeFileSync(
      source,
      `
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) {
	struct open_how how = {.flags = O_WRONLY | O_APPEND};
	if (chdir(argv[1])) return 1;
	if (syscall(SYS_creat, "made", 0600) < 0) return 2;
	if (syscall(SYS_open, "made", O_RDONLY) < 0) return 3;
	if (syscall(SYS_openat2, AT_FDCWD, "made", &how, sizeof(how)) < 0) return 4;
	return 0;
}
`,
    );
    const d = fresh();
    const ran = await probed.run([await compiler.compile(source, "opens"), d]);
    expect(ran.exit_code).toBe(0);
    expect(below(ran.records, d)).toEqual([
      { type: "file.create", path: `${d}/made`, requested_path: "made", result: "0" },
      { type: "file.read", path: `${d}/made`, requested_path: "made", result: "0" },
      { type: "file.write", path: `${d}/made`, requested_path: "made", flags: ["append"], result: "0" },
    ]);
  });

  test("a path as long as a path may be, and names that are no UTF-8", async () => {
    const [ran, d] = await inPython(`
os.close(os.open(os.fsencode(d) + b"/\\xff\\xfe", os.O_CREAT | os.O_WRONLY, 0o600))
deep = d
for i in range(14):
    deep += "/" + "n" * 250
    os.mkdir(deep)
os.close(os.open(deep + "/f", os.O_CREAT | os.O_WRONLY, 0o600))
`);
    const created = below(ran.records, d).filter((each) => each.type === "file.create");
    expect(created).toEqual([
      { type: "file.create", path: `${d}/\ufffd\ufffd`, result: "0" },
      { type: "file.create", path: `${d}${`/${"n".repeat(250)}`.repeat(14)}/f`, result: "0" },
    ]);
  });
});

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("bytes", () => {
  test("are told once, at the close, whichever call moved them", async () => {
    const [ran, d] = await inPython(`
a = os.open(d + "/a", os.O_RDWR | os.O_CREAT, 0o600)
os.write(a, b"x" * 100); os.pwrite(a, b"y" * 50, 200); os.writev(a, [b"1", b"23"])
os.pread(a, 10, 0); os.lseek(a, 0, 0); os.read(a, 1000)
b = os.open(d + "/b", os.O_RDWR | os.O_CREAT, 0o600)
os.sendfile(b, a, 0, 70)
os.copy_file_range(a, b, 30, 0, 70)
os.close(a); os.close(b)
c = os.open(d + "/c", os.O_WRONLY | os.O_CREAT, 0o600)
os.write(c, b"at exit")
r, w = os.pipe(); os.write(w, b"not a file"); os.read(r, 10)
`);
    const inodes = ["a", "b", "c"].map((name) => statSync(join(d, name)).ino);
    const closes = ran.records.flatMap((
      { facts },
    ) => (facts.kind === "close" && inodes.includes(facts.ino) ? [facts] : []));
    expect(closes.map((each) => [inodes.indexOf(each.ino), each.read_bytes, each.written_bytes])).toEqual([
      [0, 10 + 250 + 70 + 30, 100 + 50 + 3],
      [1, 0, 100],
      [2, 0, 7],
    ]);
    // Nothing but regular files is counted.
    const kinds = ran.records.filter(({ facts }) => facts.kind === "close" && facts.written_bytes === 10);
    expect(kinds).toEqual([]);
  });

  test("of a descriptor that another file took over, that exec closed, and that a child inherited", async () => {
    const [ran, d] = await inPython(`
a = os.open(d + "/a", os.O_WRONLY | os.O_CREAT, 0o600)
b = os.open(d + "/b", os.O_WRONLY | os.O_CREAT, 0o600)
os.write(a, b"1"); os.dup2(b, a); os.write(a, b"22"); os.close(b)
pid = os.fork()
if pid == 0:
    os.write(a, b"4444"); os._exit(0)
os.waitpid(pid, 0)
os.execv("/bin/true", ["true"])
`);
    const [a = 0, b = 0] = ["a", "b"].map((name) => statSync(join(d, name)).ino);
    const closes = ran.records.flatMap(({ facts, pid }) =>
      facts.kind === "close" && [a, b].includes(facts.ino)
        ? [[facts.ino === a ? "a" : "b", pid === ran.pid, facts.written_bytes]]
        : []
    );
    expect(closes).toEqual([["a", true, 1], ["b", false, 4], ["b", true, 2]]);
  });
});

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("changes of the tree", () => {
  test("each call with its names, mode, owner and result", async () => {
    const [ran, d] = await inPython(
      `
os.mkdir("dir", 0o750)
os.mkdir(d + "/dir/in")
os.rmdir("dir/in")
os.chmod("a", 0o4711)
fd = os.open("a", os.O_RDWR)
os.fchmod(fd, 0o600)
os.chown("a", 1, -1)
os.fchown(fd, -1, 2)
os.lchown("a", 3, 4)
os.truncate("a", 1)
os.ftruncate(fd, 0)
os.mkfifo("fifo", 0o622)
os.rename("fifo", "dir/pipe")
os.link("a", "hard")
os.symlink("../x/./y", "soft")
dd = os.open("dir", os.O_RDONLY)
os.unlink("pipe", dir_fd=dd)
os.rename("hard", "soft2", src_dir_fd=None, dst_dir_fd=dd)
os.unlink(d + "/a")
os.fchmod(fd, 0o640)
refused = (
    lambda: os.unlink("none"), lambda: os.rmdir("dir"), lambda: os.mkdir("dir"), lambda: os.rename("none", "dir/x"),
    lambda: os.chmod("none/x", 0o777),
)
for call in refused:
    try: call()
    except OSError: pass
`,
      (d) => writeFileSync(join(d, "a"), "hello"),
    );
    const changes = below(ran.records, d).filter((each) => each.type !== "file.read" && each.type !== "file.write");
    const late = { flags: ["requested_only"] };
    const rel = (type: string, path: string, more: object = {}): object => ({
      type,
      path: `${d}/${path}`,
      requested_path: path,
      ...late,
      result: "0",
      ...more,
    });
    const abs = (type: string, path: string, more: object = {}): object => ({
      type,
      path: `${d}/${path}`,
      result: "0",
      ...more,
    });
    const two = (type: string, path: string, new_path: string, more: object = {}): object => ({
      type,
      path: `${d}/${path}`,
      new_path: `${d}/${new_path}`,
      requested_path: path,
      requested_new_path: new_path,
      ...late,
      result: "0",
      ...more,
    });
    expect(changes).toEqual([
      rel("file.mkdir", "dir", { mode: "0750" }),
      abs("file.mkdir", "dir/in", { mode: "0777", ...late }),
      rel("file.rmdir", "dir/in"),
      rel("file.chmod", "a", { mode: "04711" }),
      abs("file.chmod", "a", { mode: "0600" }),
      rel("file.chown", "a", { owner: "1:-1" }),
      abs("file.chown", "a", { owner: "-1:2" }),
      rel("file.chown", "a", { owner: "3:4" }),
      rel("file.truncate", "a"),
      abs("file.truncate", "a"),
      rel("file.mknod", "fifo", { mode: "0622" }),
      two("file.rename", "fifo", "dir/pipe"),
      two("file.link", "a", "hard"),
      {
        type: "file.symlink",
        path: "../x/./y",
        new_path: `${d}/soft`,
        requested_new_path: "soft",
        ...late,
        result: "0",
      },
      rel("file.delete", "dir/pipe", { requested_path: "pipe" }),
      two("file.rename", "hard", "dir/soft2", { requested_new_path: "soft2" }),
      abs("file.delete", "a", late),
      abs("file.chmod", "a", { mode: "0640", flags: ["deleted"] }),
      rel("file.delete", "none", { result: "ENOENT" }),
      rel("file.rmdir", "dir", { result: "ENOTEMPTY" }),
      rel("file.mkdir", "dir", { mode: "0777", result: "EEXIST" }),
      two("file.rename", "none", "dir/x", { result: "ENOENT" }),
      rel("file.chmod", "none/x", { mode: "0777", result: "ENOENT" }),
    ] as Action[]);
  });

  test("two names of 3,500 bytes each below a working directory of 3,500", async () => {
    const [ran] = await inPython(`
for i in range(14):
    os.mkdir("n" * 250); os.chdir("n" * 250)
os.mkdir("m" * 250)
long = "./" * 1750
os.rename(long + "m" * 250, long + "o" * 250)
`);
    const renamed = actions(ran.records, "file.rename");
    expect(renamed).toHaveLength(1);
    expect(renamed[0]).toMatchObject({
      path: expect.stringMatching(/\/n{250}\/m{250}$/),
      new_path: expect.stringMatching(/\/n{250}\/o{250}$/),
      result: "0",
    });
  });
});

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("programs", () => {
  /** Execs of the scope but the shell's own become of {@link Probed.start}. */
  const execs = (ran: Ran): Action[] => actions(ran.records, "exec");

  test("a binary: path, arguments, directory, parent, user and cgroup", async () => {
    const d = fresh();
    const ran = await probed.run(["/bin/echo", "a b", "", "\u00e9"], { cwd: d });
    expect(ran.stdout).toBe("a b  \u00e9\n");
    const record = ran.records.find(({ action }) => action?.type === "exec");
    const real = (await Bun.$`readlink -f /bin/echo`.text()).trim();
    expect(record?.action).toEqual({
      type: "exec",
      path: real,
      ...(real === "/bin/echo" ? {} : { requested_path: "/bin/echo" }),
      argv: ["/bin/echo", "a b", "", "\u00e9"],
      cwd: d,
    });
    const start = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ")[19];
    expect(record?.facts).toMatchObject({ kind: "exec", ppid: process.pid, uid: 0, exe: real, agent_index: -1 });
    const parent = record?.facts.kind === "exec" ? BigInt(record.facts.parent_start) / 10_000_000n : 0n;
    expect(parent.toString()).toBe(start ?? "");
  });

  test("a script is the script; its interpreter is beside it", async () => {
    const d = fresh();
    writeFileSync(join(d, "run"), "#!/bin/sh\n:\n", { mode: 0o755 });
    const ran = await probed.run(["./run", "x"], { cwd: d });
    expect(execs(ran)).toEqual([
      expect.objectContaining({
        path: join(d, "run"),
        requested_path: "./run",
        argv: ["/bin/sh", "./run", "x"],
        interpreter: expect.stringMatching(/sh$/),
        flags: ["script"],
      }) as unknown as Action,
    ]);
  });

  test("a program without a name: memfd, deleted", async () => {
    const [ran, d] = await inPython(
      `
data = open("/bin/true", "rb").read()
fd = os.memfd_create("hidden"); os.write(fd, data)
pid = os.fork()
if pid == 0: os.execve(fd, ["hidden"], {})
os.waitpid(pid, 0)
pid = os.fork()
if pid == 0:
    me = os.open(d + "/copy", os.O_RDONLY); os.unlink(d + "/copy"); os.execve(me, ["gone"], {})
os.waitpid(pid, 0)
`,
      (d) => {
        copyFileSync("/bin/true", join(d, "copy"));
        chmodSync(join(d, "copy"), 0o755);
      },
    );
    const found = execs(ran).slice(1);
    expect(found).toHaveLength(2);
    expect(found[0]).toMatchObject({ argv: ["hidden"], flags: ["memfd", "deleted"] });
    expect(found[0]).toMatchObject({ requested_path: expect.stringMatching(/^\/dev\/fd\/\d+$/) });
    expect(found[1]).toMatchObject({ path: `${d}/copy`, argv: ["gone"], flags: ["deleted"] });
  });

  test.each([4_095, 4_096, 4_097, 20_000, 65_500])("%d bytes of argv are whole", async (bytes) => {
    const count = Math.floor((bytes - 11) / 1_000);
    const rest = bytes - "/bin/true\0".length - count * 1_000;
    const argv = [
      "/bin/true",
      ...Array.from({ length: count }, (_, i) => String(i % 10).repeat(999)),
      "e".repeat(rest - 1),
    ];
    const ran = await probed.run(argv);
    expect(execs(ran)).toEqual([expect.objectContaining({ argv }) as unknown as Action]);
    expect(execs(ran)[0]).not.toHaveProperty("flags");
  });

  test("more than 64 KiB of argv is cut there, and says so", async () => {
    const argv = ["/bin/true", ..."abcdefgh".split("").map((letter) => letter.repeat(20_000))];
    const [action] = execs(await probed.run(argv));
    if (action?.type !== "exec") throw new Error("an exec expected");
    expect(action.flags).toEqual(["args_truncated"]);
    const whole = argv.join("\0");
    expect(action.argv.join("\0")).toBe(whole.slice(0, 65_535));
  });

  test("starts that the kernel refused", async () => {
    const [ran] = await inPython(`
open("plain", "w").write("text")
for path in ("/nonexistent/x", d + "/plain", d, "none"):
    try: os.execv(path, ["x"])
    except OSError: pass
os.chmod("plain", 0o755)
try: os.execv("plain", ["x"])
except OSError: pass
`);
    const failed = actions(ran.records, "exec.failed").map((each) =>
      each.type === "exec.failed" ? [each.requested_path, each.errno] : []
    );
    expect(failed.slice(-5)).toEqual([
      ["/nonexistent/x", "ENOENT"],
      [expect.stringMatching(/\/plain$/), "EACCES"],
      [expect.any(String), "EACCES"],
      ["none", "ENOENT"],
      ["plain", "ENOEXEC"],
    ]);
  });

  test("a program whose path, directory and requested name are all long", async () => {
    const d = fresh();
    const deep = d + `/${"n".repeat(250)}`.repeat(14);
    mkdirSync(deep, { recursive: true });
    copyFileSync("/bin/true", join(deep, "tool"));
    chmodSync(join(deep, "tool"), 0o755);
    const ran = await probed.run([
      PYTHON,
      "-I",
      "-S",
      "-c",
      `
import os
os.chdir(${JSON.stringify(deep)})
os.execv(${JSON.stringify(join(deep, "tool"))}, ["tool"])
`,
    ]);
    expect(ran.exit_code).toBe(0);
    expect(execs(ran).at(-1)).toEqual({ type: "exec", path: join(deep, "tool"), argv: ["tool"], cwd: deep });
  });
});

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("processes", () => {
  test("forks name the child that then acts; exits have the status that the parent sees", async () => {
    const [ran] = await inPython(`
import signal
def child(what):
    pid = os.fork()
    if pid == 0: what()
    os.waitpid(pid, 0)
child(lambda: os._exit(0))
child(lambda: os._exit(77))
child(lambda: os.kill(os.getpid(), signal.SIGKILL))
child(lambda: os.kill(os.getpid(), signal.SIGTERM))
`);
    const forks = ran.records.filter(({ action }) => action?.type === "process.fork");
    const exits = ran.records.filter(({ action }) => action?.type === "process.exit");
    expect(forks.every(({ pid }) => pid === ran.pid)).toBe(true);
    const children = forks.flatMap(({ action }) => (action?.type === "process.fork" ? [action.child] : []));
    expect(exits.map(({ pid }) => pid)).toEqual([...children.map((each) => each.pid), ran.pid]);
    expect(exits.map(({ start_low, start_high }) => String(start_high * 2 ** 32 + start_low)).slice(0, -1)).toEqual(
      children.map((each) => each.start),
    );
    expect(exits.map(({ action }) => action)).toEqual([
      { type: "process.exit", exit_code: 0 },
      { type: "process.exit", exit_code: 77 },
      { type: "process.exit", signal: 9 },
      { type: "process.exit", signal: 15 },
      { type: "process.exit", exit_code: 0 },
    ]);
  });

  test("threads are not processes; what they do is theirs, and the last one's end is told once", async () => {
    const source = join(fresh(), "threads.c");
    writeFileSync(
      source,
      `
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
static pthread_barrier_t barrier;
static void *work(void *name) {
	close(open(name, O_WRONLY | O_CREAT, 0600));
	pthread_barrier_wait(&barrier);
	return 0; /* all at the same time */
}
int main(int argc, char **argv) {
	for (int round = 0; round < 100; round++) {
		pid_t child = fork();
		if (child == 0) {
			pthread_t thread;
			char *name = malloc(4096);
			pthread_barrier_init(&barrier, 0, 9);
			snprintf(name, 4096, "%s/%d", argv[1], round);
			for (int i = 0; i < 8; i++) pthread_create(&thread, 0, work, name);
			pthread_barrier_wait(&barrier);
			if (round % 2) _exit(3);
			pthread_exit(0);
		}
		waitpid(child, 0, 0);
	}
	return 0;
}
`,
    );
    const d = fresh();
    const ran = await probed.run([await compiler.compile(source, "threads"), d]);
    expect(ran.exit_code).toBe(0);
    const exits = ran.records.filter(({ action }) => action?.type === "process.exit").map(({ pid }) => pid);
    expect(exits).toHaveLength(101);
    expect(new Set(exits).size).toBe(101);
    expect(actions(ran.records, "process.fork")).toHaveLength(100);
    const opens = ran.records.filter(({ action }) =>
      action !== undefined && "path" in action && action.path.startsWith(`${d}/`)
    );
    expect(opens).toHaveLength(800);
    expect(opens.filter(({ action }) => action?.type === "file.create")).toHaveLength(100);
    expect(opens.every(({ pid, tid }) => tid !== pid)).toBe(true);
    const codes = actions(ran.records, "process.exit").map((
      each,
    ) => (each.type === "process.exit" ? each.exit_code : 0));
    expect(codes.filter((code) => code === 3)).toHaveLength(50);
  });

  test("a thread that is not the first one may become another program", async () => {
    const source = join(fresh(), "exec_thread.c");
    writeFileSync(
      source,
      `
#include <pthread.h>
#include <unistd.h>
static void *work(void *path) {
	execl(path, "from-thread", (char *)0);
	return 0;
}
int main(void) {
	pthread_t thread;
	pthread_create(&thread, 0, work, "/bin/true");
	pause();
	return 1;
}
`,
    );
    const ran = await probed.run([await compiler.compile(source, "exec_thread")]);
    expect(ran.exit_code).toBe(0);
    expect(actions(ran.records, "exec").at(-1)).toMatchObject({ argv: ["from-thread"] });
    expect(ran.records.filter(({ action }) => action?.type === "process.exit").map(({ pid }) => pid)).toEqual([
      ran.pid,
    ]);
  });
});

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("sockets without a cgroup", () => {
  test("connect, bind, listen and unix connect, with results, v4 and v6", async () => {
    const [ran, d] = await inPython(`
import socket
def tcp(family): return socket.socket(family, socket.SOCK_STREAM)
tcp(socket.AF_INET).connect_ex(("127.0.0.1", 9))
tcp(socket.AF_INET6).connect_ex(("::1", 9))
tcp(socket.AF_INET6).connect_ex(("::ffff:127.0.0.1", 9))
s = tcp(socket.AF_INET); s.bind(("127.0.0.1", 0)); s.listen()
tcp(socket.AF_INET).connect(s.getsockname())
print(s.getsockname()[1])
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.connect(("127.0.0.1", 9))
l = socket.socket(socket.AF_UNIX); l.bind(d + "/s"); l.listen()
socket.socket(socket.AF_UNIX).connect(d + "/s")
a = socket.socket(socket.AF_UNIX); a.bind("\\0agentguard-" + os.path.basename(d)); a.listen()
socket.socket(socket.AF_UNIX).connect("\\0agentguard-" + os.path.basename(d))
try: socket.socket(socket.AF_UNIX).connect(d + "/none")
except OSError: pass
`);
    const port = Number(ran.stdout);
    const net = (type: string, address: string, port_: number, result: string, protocol = "tcp"): object => ({
      type,
      protocol,
      address,
      port: port_,
      result,
    });
    expect(actions(ran.records, "net.connect", "net.bind", "net.listen", "net.send")).toEqual([
      net("net.connect", "127.0.0.1", 9, "ECONNREFUSED"),
      net("net.connect", "::1", 9, "ECONNREFUSED"),
      net("net.connect", "127.0.0.1", 9, "ECONNREFUSED"),
      net("net.bind", "127.0.0.1", 0, "0"),
      net("net.listen", "127.0.0.1", port, "0"),
      net("net.connect", "127.0.0.1", port, "0"),
      net("net.connect", "127.0.0.1", 9, "0", "udp"),
    ] as Action[]);
    expect(actions(ran.records, "unix.connect")).toEqual([
      { type: "unix.connect", path: `${d}/s`, result: "0" },
      { type: "unix.connect", path: `@agentguard-${d.slice(d.lastIndexOf("/") + 1)}`, result: "0" },
      { type: "unix.connect", path: `${d}/none`, result: "ENOENT" },
    ]);
  });
});
