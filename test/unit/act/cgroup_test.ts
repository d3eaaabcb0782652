import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { findCgroup2, SessionCgroup } from "../../../lib/act/mod.ts";
import { IS_ROOT, isAlive, waitUntil } from "../../support/mod.ts";

describe("where cgroup v2 is mounted", () => {
  const V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate";
  const ROOT = "23 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw";
  const V1 = "31 30 0:28 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu";

  test.each([
    ["version 2 alone", [ROOT, V2], "/sys/fs/cgroup"],
    [
      "hybrid: version 2 beside version 1",
      [ROOT, V1, "40 30 0:37 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw"],
      "/sys/fs/cgroup/unified",
    ],
    ["no optional fields", ["30 23 0:26 / /cg rw - cgroup2 none rw"], "/cg"],
    ["several optional fields", ["30 23 0:26 / /cg rw shared:1 master:2 propagate_from:3 - cgroup2 x rw"], "/cg"],
    ["octal escapes", ["30 23 0:26 / /mnt/a\\040b\\011c\\134d rw - cgroup2 cgroup2 rw"], "/mnt/a b\tc\\d"],
    ["the first of two", ["30 23 0:26 / /one rw - cgroup2 a rw", "31 23 0:26 / /two rw - cgroup2 b rw"], "/one"],
    ["version 1 alone", [ROOT, V1], undefined],
    ["a device of that name", ["30 23 0:26 / /x rw - ext4 cgroup2 rw"], undefined],
    ["a file system whose name only begins so", ["30 23 0:26 / /x rw - cgroup22 x rw"], undefined],
    ["nothing", [""], undefined],
    ["a broken line", ["garbage", " - cgroup2 "], undefined],
  ])("%s", (_, lines, expected) => {
    expect(findCgroup2(`${lines.join("\n")}\n`)).toBe(expected);
  });
});

/** A leaf with a name of its own, emptied and removed at the end. */
function leaf(): SessionCgroup & Disposable {
  const made = SessionCgroup.create(`test-${process.pid}-${crypto.randomUUID()}`);
  if (!made.ok) throw new Error(made.error);
  return made.value;
}

/** A child that waits on its stdin; killed at the end. */
class Waiting implements AsyncDisposable {
  readonly child = Bun.spawn(["cat"], { stdin: "pipe", stdout: "ignore", stderr: "ignore" });

  get pid(): number {
    return this.child.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGKILL");
    await this.child.exited;
  }
}

// skip: making a cgroup needs root
describe.skipIf(!IS_ROOT)("a session's leaf", () => {
  test("is a directory below the guard's own cgroup, whose inode is its id, and goes away", () => {
    const own = leaf();
    try {
      expect(own.path).toMatch(/\/agentguard\/test-/);
      expect(own.directory.endsWith(own.path)).toBe(true);
      const ino = Bun.spawnSync(["stat", "-c", "%i", own.directory]).stdout.toString().trim();
      expect(own.id.toString()).toBe(ino);
      expect(own.populated()).toBe(false);
      expect(own.withDescriptor((fd) => readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))).toContain("ino:");
    } finally {
      own[Symbol.dispose]();
    }
    expect(existsSync(own.directory)).toBe(false);
    expect(own.remove()).toBe(true);
    expect(own.populated()).toBe(false);
    expect(own.members()).toEqual([]);
  });

  test("a second one of the same name is refused with the place", () => {
    using own = leaf();
    const name = own.path.slice(own.path.lastIndexOf("/") + 1);
    const again = SessionCgroup.create(name);
    expect(again.ok).toBe(false);
    expect(!again.ok && again.error).toContain("EEXIST");
    expect(existsSync(own.directory)).toBe(true);
  });

  test("a process enters, is counted, is frozen, thawed, and killed with the leaf", async () => {
    using own = leaf();
    await using waiting = new Waiting();
    own.enter(waiting.pid);
    expect(own.members()).toEqual([waiting.pid]);
    expect([own.populated(), own.processes()]).toEqual([true, 1]);
    expect(own.remove()).toBe(false);

    own.freeze();
    const frozen = (): boolean => readFileSync(`${own.directory}/cgroup.events`, "utf8").includes("frozen 1");
    await waitUntil("the leaf is frozen", frozen);
    own.thaw();
    await waitUntil("the leaf is thawed", () => !frozen());

    expect(await own.killAndWait(10_000)).toBe(true);
    await waiting.child.exited;
    expect(waiting.child.signalCode).toBe("SIGKILL");
    expect(own.remove()).toBe(true);
  });

  test("goes away with the groups that members made below it", async () => {
    using own = leaf();
    await using waiting = new Waiting();
    mkdirSync(`${own.directory}/a/b`, { recursive: true });
    writeFileSync(`${own.directory}/a/b/cgroup.procs`, String(waiting.pid));
    expect([own.populated(), own.processes(), own.remove()]).toEqual([true, 0, false]);
    expect(await own.killAndWait(10_000)).toBe(true);
    await waiting.child.exited;
    expect([own.remove(), existsSync(own.directory)]).toEqual([true, false]);
  });

  test("members that are released go on elsewhere", async () => {
    using own = leaf();
    await using waiting = new Waiting();
    own.enter(waiting.pid);
    own.release("/");
    expect(own.members()).toEqual([]);
    expect(isAlive(waiting.pid)).toBe(true);
    expect(readFileSync(`/proc/${waiting.pid}/cgroup`, "utf8")).toContain("0::/\n");
  });

  test("what cannot be done says what, where and why", () => {
    using own = leaf();
    expect(() => own.enter(2 ** 22 + 1)).toThrow(/move process 4194305 into cgroup .*test-/);
    own.remove();
    expect(() => own.kill()).toThrow(/kill cgroup .*: ENOENT/);
  });
});
