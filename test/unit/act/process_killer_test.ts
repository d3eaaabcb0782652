import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { PidfdKiller, processStart } from "../../../lib/act/mod.ts";
import { openShim, SystemCalls } from "../../../ffi/mod.ts";
import { isAlive, PYTHON, waitUntil } from "../../support/mod.ts";

const killer = new PidfdKiller(new SystemCalls(openShim()));

function child(argv: readonly string[] = ["cat"]) {
  return Bun.spawn([...argv], { stdin: "pipe", stdout: "pipe", stderr: "ignore" });
}

describe("by pid and start time", () => {
  test("ends the process that is meant", async () => {
    const own = child();
    expect(killer.kill({ pid: own.pid, start: processStart(own.pid) })).toBe("killed");
    await own.exited;
    expect(own.signalCode).toBe("SIGKILL");
  });

  test("the kernel's exact start, of which /proc shows hundredths of a second, is the same", async () => {
    const own = child();
    const exact = BigInt(processStart(own.pid)) + 9_999_999n;
    expect(killer.kill({ pid: own.pid, start: exact.toString() })).toBe("killed");
    await own.exited;
  });

  test.each([-10_000_000n, 10_000_000n, 3_600_000_000_000n])(
    "a start that differs by %d ns is another process's: nothing is hit",
    async (difference) => {
      const own = child();
      try {
        const start = (BigInt(processStart(own.pid)) + difference).toString();
        expect(killer.kill({ pid: own.pid, start })).toBe("gone");
        // A signal would have been taken before the pipe is read and answered.
        void own.stdin.write("x"); // `end` waits for it
        await own.stdin.end();
        expect(await new Response(own.stdout).text()).toBe("x");
        expect(await own.exited).toBe(0);
      } finally {
        own.kill("SIGKILL");
      }
    },
  );

  test("a process that has ended is gone, also before anybody reaped it", async () => {
    const own = child([
      PYTHON,
      "-I",
      "-S",
      "-c",
      `
import os, sys
pid = os.fork()
if pid == 0: os._exit(0)
os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
print(pid, flush=True)
sys.stdin.read()
`,
    ]);
    try {
      const { value } = await own.stdout.getReader().read();
      const zombie = Number(new TextDecoder().decode(value));
      expect(readFileSync(`/proc/${zombie}/stat`, "utf8")).toContain(") Z ");
      expect(killer.kill({ pid: zombie, start: processStart(zombie) })).toBe("gone");
    } finally {
      void own.stdin.end(); // its exit, awaited next, is what matters, however the write went
      await own.exited;
    }
    expect(killer.kill({ pid: own.pid, start: "0" })).toBe("gone");
  });

  test("a process whose first thread has ended still runs, and is ended", async () => {
    const own = child([
      PYTHON,
      "-I",
      "-S",
      "-c",
      `
import ctypes, sys, threading
libc = ctypes.CDLL(None)
def wait():
    print("up", flush=True)
    sys.stdin.buffer.raw.read(1)
threading.Thread(target=wait).start()
libc.syscall(60, 0) if "${process.arch}" == "x64" else libc.syscall(93, 0)
`,
    ]);
    await waitUntil("the first thread has ended", () => readFileSync(`/proc/${own.pid}/stat`, "utf8").includes(") Z "));
    expect(killer.kill({ pid: own.pid, start: processStart(own.pid) })).toBe("killed");
    await own.exited;
    expect(isAlive(own.pid)).toBe(false);
    expect(own.signalCode).toBe("SIGKILL");
  });

  test("a start of a process that does not exist is 0", () => {
    expect(processStart(2 ** 22 + 1)).toBe("0");
  });
});
