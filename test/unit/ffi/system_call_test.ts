import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { Epoll, openShim, SystemCalls, wake } from "../../../ffi/mod.ts";
import { isAlive, TempDir } from "../../support/mod.ts";

const system = new SystemCalls(openShim());
const O_RDWR = 2;
const O_CREAT = 0o100;
const O_DIRECTORY = 0o200000;

/** Open descriptors of this process. */
function descriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

describe("errno", () => {
  test.each(
    [
      ["close", [-1], -9], // EBADF
      ["close", [1_000_000], -9],
      ["openat", [-100, 0, 0, 0], -14], // EFAULT
      ["mmap", [0, 4096, 1, 1, -1, 0], -9],
      ["munmap", [1, 4096], -22], // EINVAL
      ["pidfd_open", [4_194_305, 0], -3], // ESRCH
      ["pidfd_open", [1, 0xffff], -22],
      ["pidfd_send_signal", [-1, 0, 0, 0], -9],
      ["flock", [-1, 2], -9],
      ["epoll_create1", [1], -22],
      ["read", [-1, 0, 0], -9],
    ] as const,
  )("%s %j is exactly %d", (name, args, errno) => {
    const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = args;
    // Again and again: whatever the runtime does between, no other call's errno appears.
    for (let i = 0; i < 1_000; i++) expect(system.call(name, a, b, c, d, e, f)).toBe(errno);
  });

  test.each(
    [
      ["/nonexistent/x", O_RDWR, -2],
      ["/proc/self/status/x", 0, -20],
      ["/", O_RDWR, -21],
      ["/etc/passwd", O_DIRECTORY, -20],
      [`/${"x".repeat(256)}`, 0, -36],
      ["", 0, -2],
    ] as const,
  )("open %s", (path, flags, errno) => {
    expect(system.open(path, flags)).toBe(errno);
  });

  test("must names what was tried, the call and the errno", () => {
    expect(() => system.must("lock x", "flock", -1, 2)).toThrow("lock x: flock failed with EBADF");
    expect(() => system.must("lock x", "flock", -1, 2)).toThrow(expect.objectContaining({ code: "io" }));
  });
});

describe("files", () => {
  test("open, read, close; the descriptor is not inherited", async () => {
    await using dir = await TempDir.create();
    await Bun.write(dir.join("f\u00e9"), "hello");
    const fd = system.open(dir.join("f\u00e9"), 0);
    expect(fd).toBeGreaterThan(2);
    expect(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8")).toMatch(/flags:\s+02/);
    const buffer = new Uint8Array(16);
    expect(system.read(fd, buffer)).toBe(5);
    expect(new TextDecoder().decode(buffer.subarray(0, 5))).toBe("hello");
    expect(system.read(fd, buffer)).toBe(0);
    system.close(fd);
    expect(system.read(fd, buffer)).toBe(-9);
  });

  test("a mode is given to a new file", async () => {
    await using dir = await TempDir.create();
    const fd = system.open(dir.join("new"), O_RDWR | O_CREAT, 0o600);
    system.close(fd);
    expect(Bun.spawnSync(["stat", "-c", "%a", dir.join("new")]).stdout.toString().trim()).toBe("600");
  });

  test("an exclusive lock is had once", async () => {
    await using dir = await TempDir.create();
    const [a, b] = [0, 1].map(() => system.open(dir.join("lock"), O_RDWR | O_CREAT, 0o600)) as [number, number];
    expect([system.lockExclusive(a), system.lockExclusive(b)]).toEqual([true, false]);
    system.close(a);
    expect(system.lockExclusive(b)).toBe(true);
    system.close(b);
    expect(() => system.lockExclusive(-1)).toThrow("EBADF");
  });
});

test("the boot clock is the one of /proc/uptime", () => {
  const uptime_us = (): number => Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1_000_000;
  const before = uptime_us();
  const now = system.bootUs();
  expect(now).toBeGreaterThanOrEqual(before - 10_000);
  expect(now).toBeLessThanOrEqual(uptime_us() + 20_000);
});

test("a process is signalled by its descriptor; after its end there is none", async () => {
  const child = Bun.spawn(["cat"], { stdin: "pipe", stdout: "ignore" });
  const pidfd = system.pidfdOpen(child.pid);
  expect(system.pidfdSignal(pidfd, 0)).toBe(0);
  expect(isAlive(child.pid)).toBe(true);
  expect(system.pidfdSignal(pidfd, 15)).toBe(0);
  await child.exited;
  expect(child.signalCode).toBe("SIGTERM");
  expect(system.pidfdSignal(pidfd, 0)).toBe(-3);
  system.close(pidfd);
  expect(system.pidfdOpen(child.pid)).toBe(-3);
});

describe("epoll", () => {
  test("a wait ends when a descriptor is readable, or at its time", () => {
    using epoll = new Epoll(system);
    const start = system.bootUs();
    epoll.wait(30);
    expect(system.bootUs() - start).toBeGreaterThanOrEqual(29_000);
    const event_fd = system.must("make eventfd", "eventfd2", 1, 0o2000000);
    epoll.add(event_fd);
    epoll.wait(-1); // for ever, if it were not readable
    system.close(event_fd);
    expect(() => epoll.add(event_fd)).toThrow("EBADF");
  });

  test("a wake before the wait counts, once, however often it came", () => {
    using epoll = new Epoll(system);
    for (let i = 0; i < 5; i++) wake(system, epoll.wake_fd);
    epoll.wait(-1);
    const start = system.bootUs();
    epoll.wait(30);
    expect(system.bootUs() - start).toBeGreaterThanOrEqual(29_000);
  });

  test("another thread ends a wait without an end", async () => {
    using epoll = new Epoll(system);
    const worker = new Worker(new URL("./fixtures/wake_worker.ts", import.meta.url).href);
    try {
      const until = new SharedArrayBuffer(4);
      const up = new Promise<void>((resolve, reject) => {
        worker.onmessage = () => resolve();
        worker.onerror = (error) => reject(new Error(error.message));
      });
      worker.postMessage({ wake_fd: epoll.wake_fd, until });
      await up;
      const flag = new Int32Array(until);
      Atomics.store(flag, 0, 1);
      Atomics.notify(flag, 0);
      epoll.wait(-1);
    } finally {
      worker.terminate();
    }
    expect(epoll.wake_fd).toBeGreaterThan(0);
  });

  test("nothing is left open; disposing twice is once", () => {
    const before = descriptors();
    for (let i = 0; i < 20; i++) {
      const epoll = new Epoll(system);
      epoll[Symbol.dispose]();
      epoll[Symbol.dispose]();
    }
    expect(descriptors()).toBe(before);
  });
});
