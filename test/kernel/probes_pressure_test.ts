/** Losses under pressure, what the probes cannot see through, and what attaching leaves behind. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { NOTHING_HELD } from "../../lib/source/mod.ts";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AgRing } from "../../probes/abi.gen.ts";
import type { Gap } from "../../lib/core/mod.ts";
import { Compiler, IS_ROOT, python, run, TempDir, waitUntil } from "../support/mod.ts";
import { freed, newObjects, ownBpfObjects } from "../unit/ffi/own_objects.ts";
import { actions, GuardedCgroup, Probed } from "./probes_support.ts";

/** Loading takes a second on a busy machine, before each test does its work. */
setDefaultTimeout(60_000);

let dir: TempDir;
let compiler: Compiler;

beforeAll(async () => {
  dir = await TempDir.create();
  compiler = await Compiler.create();
});

afterAll(async () => {
  await dir[Symbol.asyncDispose]();
  await compiler[Symbol.asyncDispose]();
});

/** A directory of its own. */
function fresh(): string {
  const path = dir.join(crypto.randomUUID());
  mkdirSync(path);
  return path;
}

/** Builds a program from its text. */
async function built(name: string, text: string, options: { readonly static_link?: boolean } = {}): Promise<string> {
  const source = dir.join(`${name}.c`);
  writeFileSync(source, text);
  return await compiler.compile(source, name, options);
}

/** Numbers that the kernel gave to a ring's records, over all CPUs. */
function numbered(probed: Probed, ring: number): number {
  return probed.probes.counters.nextSequence(ring).reduce((sum, next) => sum + next, 0);
}

function lost(gaps: readonly Gap[], source: string): number {
  return gaps.filter((gap) => gap.source === source).reduce((sum, gap) => sum + gap.count, 0);
}

/** Runs a program in a scope and reads nothing until it has ended. */
async function unread(
  probed: Probed,
  argv: readonly string[],
): Promise<{ readonly scope: number; readonly pid: number }> {
  await using stopped = await probed.start(argv);
  const { pid, scope } = stopped;
  stopped.go();
  await waitUntil("the program has ended", () => {
    try {
      return readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
    } catch {
      return true;
    }
  });
  return { pid, scope };
}

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("a ring that is full", () => {
  test("opens: what was received and what the gaps name is every number that the kernel gave", async () => {
    using probed = Probed.load({ decisions: 1 << 20, telemetry: 1 << 16 });
    probed.probes.attach();
    const d = fresh();
    const { scope } = await unread(
      probed,
      python(
        "import os, sys\nfor i in range(20000): os.close(os.open(sys.argv[1] + '/f%d' % i, os.O_CREAT | os.O_WRONLY))",
        d,
      ),
    );
    probed.finish();
    const telemetry = numbered(probed, AgRing.TELEMETRY);
    const received = probed.of(scope).filter(({ facts }) => facts.kind === "open" || facts.kind === "close").length;
    expect(telemetry).toBeGreaterThanOrEqual(20_000);
    expect(received).toBeGreaterThan(100);
    expect(received).toBeLessThan(1_000);
    expect(received + lost(probed.gaps, "telemetry")).toBe(telemetry);
    expect(probed.probes.counters.ringFull()["open"]).toBe(lost(probed.gaps, "telemetry"));
    // Starts and ends go by the other ring and are all there.
    expect(lost(probed.gaps, "decisions")).toBe(0);
    expect(actions(probed.of(scope), "exec", "process.exit").map((each) => each.type)).toEqual([
      "exec",
      "process.exit",
    ]);
    expect(probed.frames).toBe(received + numbered(probed, AgRing.DECISIONS));
    for (const gap of probed.gaps) {
      expect(Number(gap.to) - Number(gap.from) + 1).toBe(gap.count);
      expect(gap.cpu).toBeGreaterThanOrEqual(0);
    }
  });

  test("the small ring too: forks that did not fit are located", async () => {
    using probed = Probed.load({ decisions: 4096, telemetry: 1 << 20 });
    probed.probes.attach();
    const storm = python(
      "import os\nfor i in range(300):\n  p = os.fork()\n  if p == 0: os._exit(0)\n  os.waitpid(p, 0)",
    );
    const { scope } = await unread(probed, storm);
    probed.finish();
    const decisions = numbered(probed, AgRing.DECISIONS);
    const telemetry = numbered(probed, AgRing.TELEMETRY);
    expect(decisions).toBeGreaterThanOrEqual(601);
    expect(lost(probed.gaps, "decisions")).toBeGreaterThan(400);
    expect(lost(probed.gaps, "telemetry")).toBe(0);
    expect(probed.frames + lost(probed.gaps, "decisions")).toBe(decisions + telemetry);
    expect(probed.of(scope).length).toBe(probed.frames);
    expect(probed.errors).toEqual([]);
  });

  test("after a loss, when there is room again, records come again and the gap is told while they do", async () => {
    using probed = Probed.load({ decisions: 1 << 20, telemetry: 1 << 16 });
    probed.probes.attach();
    const flood = python("import os\nfor i in range(5000): os.close(os.open('/dev/null', os.O_RDONLY))");
    await unread(probed, flood);
    probed.drain();
    // Numbers are per CPU: a hole shows when the CPU that lost records sends one again.
    for (let cpu = 0; cpu < navigator.hardwareConcurrency; cpu++) {
      const ran = await probed.run(["/usr/bin/taskset", "-c", String(cpu), "/bin/cat", "/etc/hostname"]);
      const read = actions(ran.records, "file.read").some((each) => "path" in each && each.path === "/etc/hostname");
      expect(read).toBe(true);
    }
    for (let i = 0; i < 3; i++) probed.drain();
    expect(lost(probed.gaps, "telemetry")).toBeGreaterThan(1_000);
    const before = lost(probed.gaps, "telemetry");
    probed.finish();
    expect(probed.frames + before).toBe(numbered(probed, AgRing.DECISIONS) + numbered(probed, AgRing.TELEMETRY));
  });
});

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("a storm", () => {
  test("of 2,000 processes at once: every start, end and open is there, none twice", async () => {
    const storm = await built(
      "storm",
      `
#include <fcntl.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
	char name[4096];
	int gate[2];
	pipe(gate);
	for (int i = 0; i < 2000; i++) {
		pid_t child = fork();
		if (child < 0) return 2;
		if (child == 0) {
			char byte;
			close(gate[1]);
			read(gate[0], &byte, 1); /* all go when the parent closes its end */
			snprintf(name, sizeof(name), "%s/%d", argv[1], i);
			int fd = open(name, O_CREAT | O_WRONLY, 0600);
			_exit(fd < 0 ? 1 : write(fd, name, i % 50) == i % 50 ? 0 : 3);
		}
	}
	close(gate[0]);
	close(gate[1]);
	for (int i = 0, status; i < 2000; i++)
		if (wait(&status) < 0 || status) return 4;
	return 0;
}
`,
    );
    using probed = Probed.load();
    probed.probes.attach();
    const d = fresh();
    const ran = await probed.run([storm, d]);
    expect([ran.stderr, ran.exit_code]).toEqual(["", 0]);
    probed.finish();
    expect([probed.gaps, probed.losses(), probed.errors]).toEqual([[], [], []]);
    const records = probed.of(ran.scope);
    const children = actions(records, "process.fork").flatMap((
      each,
    ) => (each.type === "process.fork" ? [each.child.pid] : []));
    const exits = records.filter(({ action }) => action?.type === "process.exit").map(({ pid }) => pid);
    const creates = actions(records, "file.create").map((each) => ("path" in each ? each.path : ""));
    expect(new Set(children).size).toBe(2_000);
    expect(exits.sort()).toEqual([...children, ran.pid].sort());
    expect(creates.sort()).toEqual(Array.from({ length: 2_000 }, (_, i) => `${d}/${i}`).sort());
    const bytes = records.flatMap(({ facts, pid }) =>
      facts.kind === "close" && pid !== ran.pid && facts.written_bytes > 0 ? [facts.written_bytes] : []
    );
    const expected = Array.from({ length: 2_000 }, (_, i) => i % 50).filter((each) => each > 0);
    expect(bytes.sort((a, b) => a - b)).toEqual(expected.sort((a, b) => a - b));
    // In the order of time a process is forked before it acts, and acts before it ends.
    const first = new Map<number, number>();
    const last = new Map<number, number>();
    records.forEach(({ pid }, i) => {
      if (!first.has(pid)) first.set(pid, i);
      last.set(pid, i);
    });
    records.forEach(({ action, pid }, i) => {
      if (action?.type === "process.fork") expect(first.get(action.child.pid) ?? 0).toBeGreaterThan(i);
      if (action?.type === "process.exit") expect(last.get(pid)).toBe(i);
    });
  });
});

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("what cannot be seen through is reported", () => {
  const gapsOf = (probed: Probed, scope: number): Gap[] =>
    probed.of(scope).flatMap(({ facts }) => (facts.kind === "gap" ? [facts.gap] : []));

  // skip: the 32-bit entry is one of x86
  test.skipIf(process.arch !== "x64")("a 32-bit system call of a 64-bit program, once per process", async () => {
    const program = await built(
      "int80",
      `
#include <sys/wait.h>
#include <unistd.h>
static void old_getpid(void) {
	int pid;
	__asm__ volatile("int $0x80" : "=a"(pid) : "a"(20) : "memory");
	if (pid <= 0) _exit(9);
}
int main(void) {
	for (int i = 0; i < 10; i++) old_getpid();
	if (fork() == 0) {
		old_getpid();
		_exit(0);
	}
	wait(0);
	return 0;
}
`,
      { static_link: true },
    );
    using probed = Probed.load();
    probed.probes.attach();
    const ran = await probed.run([program]);
    if ((await run([program])).exit_code === 128 + 11) {
      // This kernel has no such entry: the program ends there with or without us, and there is nothing to see through.
      expect(ran.signal).toBe("SIGSEGV");
      expect(gapsOf(probed, ran.scope)).toEqual([]);
      return;
    }
    expect(ran.exit_code).toBe(0);
    const i386 = { source: "coverage", type: "i386", count: 1 };
    expect(gapsOf(probed, ran.scope)).toEqual([i386, i386]);
    const who = ran.records.filter(({ facts }) => facts.kind === "gap").map(({ pid }) => pid);
    expect(new Set(who).size).toBe(2);
  });

  test("io_uring, whether the kernel allows it or not", async () => {
    const program = await built(
      "uring",
      `
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(void) {
	char params[512];
	for (int i = 0; i < 3; i++) {
		memset(params, 0, sizeof(params));
		syscall(SYS_io_uring_setup, 1, params);
	}
	return 0;
}
`,
    );
    using probed = Probed.load();
    probed.probes.attach();
    const ran = await probed.run([program]);
    expect(gapsOf(probed, ran.scope)).toEqual([{ source: "coverage", type: "io_uring", count: 1 }]);
  });

  test("a program that uses neither has no such gap", async () => {
    using probed = Probed.load();
    probed.probes.attach();
    const ran = await probed.run(["/bin/true"]);
    expect(gapsOf(probed, ran.scope)).toEqual([]);
  });
});

/** Programs about unix sockets, where this kernel takes them. */
function unixPrograms({ probes }: Probed): number {
  return probes.has("unix") ? 2 : 0;
}

/** The same of names from answers; a cgroup has them only where rules ask for a name. */
function namePrograms({ probes }: Probed): number {
  return probes.has("names") ? 3 : 0;
}

/** The program that looks at callers, where the kernel takes it; it is run, and attached nowhere. */
function lookPrograms({ probes }: Probed): number {
  return probes.has("look") ? 1 : 0;
}

// skip: loading BPF programs needs root
describe.skipIf(!IS_ROOT)("attaching", () => {
  test("loading links nothing; attaching links five programs; detaching leaves none; disposing frees all", async () => {
    const before = ownBpfObjects();
    const ever = new Set<string>();
    const links = (): number => {
      for (const kind of ["link", "map", "prog"] as const) for (const id of newObjects(before, kind)) ever.add(id);
      return newObjects(before, "link").length;
    };
    const probed = Probed.load({ decisions: 4096, telemetry: 4096 });
    try {
      const optional = unixPrograms(probed) + namePrograms(probed) + lookPrograms(probed);
      expect(newObjects(before, "prog")).toHaveLength(17 + optional);
      expect(links()).toBe(0);
      for (let i = 0; i < 3; i++) {
        probed.probes.attach();
        probed.probes.attach();
        expect(links()).toBe(5);
        probed.probes.detach();
        probed.probes.detach();
        expect(links()).toBe(0);
      }
      await freed([...ever].filter((id) => id.startsWith("link ")));
    } finally {
      probed[Symbol.dispose]();
    }
    probed[Symbol.dispose]();
    expect([...ownBpfObjects()].filter((id) => !before.has(id))).toEqual([]);
    expect(ever.size).toBeGreaterThan(12 + 15 + 10);
    await freed(ever);
  });

  test("a cgroup's programs, seven and those about unix sockets, go with its attachment", async () => {
    using probed = Probed.load({ decisions: 4096, telemetry: 4096 });
    const before = ownBpfObjects();
    {
      await using _guarded = new GuardedCgroup(probed);
      expect(newObjects(before, "link")).toHaveLength(7 + unixPrograms(probed));
    }
    expect(newObjects(before, "link")).toEqual([]);
  });

  test("while only agents are searched, system calls run no program", () => {
    const before = ownBpfObjects();
    using probed = Probed.load({ decisions: 4096, telemetry: 4096 });
    probed.probes.attachSearch();
    expect(newObjects(before, "link")).toHaveLength(3);
    probed.probes.attach();
    expect(newObjects(before, "link")).toHaveLength(5);
  });

  test("detached, nothing is reported any more; attached again, it is", async () => {
    using probed = Probed.load();
    probed.probes.attach();
    const d = fresh();
    const ran = async (name: string): Promise<number> => {
      await using stopped = await probed.start(["/usr/bin/touch", join(d, name)]);
      stopped.go();
      if (name !== "unseen") return (await stopped.ended()).records.length;
      await waitUntil("it has run", async () => (await run(["test", "-e", join(d, name)])).exit_code === 0);
      probed.drain();
      return probed.of(stopped.scope).length;
    };
    expect(await ran("a")).toBeGreaterThan(3);
    probed.probes.detach();
    expect(await ran("unseen")).toBe(0);
    probed.probes.attach();
    expect(await ran("b")).toBeGreaterThan(3);
  });

  test("the guard's own process is left alone, even in a scope, and what it starts is not taken in", async () => {
    using probed = Probed.load();
    probed.probes.attach();
    const scope = probed.newScope();
    probed.probes.adoptStopped({ pid: process.pid, scope, cgroup_id: 0n, start: 0n, held: NOTHING_HELD });
    const d = fresh();
    writeFileSync(join(d, "own"), "x");
    await Bun.spawn(["/usr/bin/touch", join(d, "child")]).exited;
    probed.finish();
    expect(probed.of(scope)).toEqual([]);
    expect(probed.frames).toBe(0);
  });

  test("a process that has ended cannot be taken into a scope", async () => {
    using probed = Probed.load({ decisions: 4096, telemetry: 4096 });
    const child = Bun.spawn(["/bin/true"]);
    await child.exited;
    const gone = { pid: child.pid, scope: 1, cgroup_id: 0n, start: 0n, held: NOTHING_HELD };
    expect(() => probed.probes.adoptStopped(gone)).toThrow("it has ended");
  });
});
