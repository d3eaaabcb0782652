/** Signals, terminals and job control through the launcher. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildGuard, eventOf, fixture, ptyRun, run, startReading, until } from "./fixtures/launch_run.ts";

let dir = "";
let guard = "";
const COUNT = ["python3", fixture("launch_count.py")];
const SIGHUP = 1, SIGUSR1 = 10, SIGUSR2 = 12, SIGTERM = 15;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "ag-launch-"));
  guard = await buildGuard(dir);
}, 120_000);

function stateOf(pid: number): string | undefined {
  const text = readFileSync(`/proc/${pid}/stat`, "latin1");
  return text.slice(text.lastIndexOf(")") + 2).split(" ")[0];
}

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("signals to the guard alone", () => {
  test("are forwarded once each, in order", async () => {
    await using child = startReading([guard, "--", ...COUNT]);
    await child.line("ready");
    for (const [name, signo] of [["SIGTERM", SIGTERM], ["SIGHUP", SIGHUP], ["SIGUSR1", SIGUSR1]] as const) {
      for (let n = 1; n <= 3; n++) {
        process.kill(child.pid, signo);
        await child.line(`${name} ${n}`);
      }
    }
    process.kill(child.pid, SIGUSR2);
    // SIGUSR2 was forwarded after all others: the total is final.
    expect(await child.line("total")).toBe("total SIGHUP=3 SIGTERM=3 SIGUSR1=3 SIGUSR2=1");
    child.write("q\n");
    expect(await child.exited).toBe(7);
  }, 60_000);

  test("end a command without handler, which ends the guard with 128+n", async () => {
    const report = join(dir, "term");
    await using child = startReading([guard, "--report", report, "--", "sleep", "1000"]);
    await eventOf(report, "started");
    process.kill(child.pid, SIGTERM);
    expect(await child.exited).toBe(128 + SIGTERM);
  }, 60_000);

  test("reach a command that waits in its own process group, also when the group gets them", async () => {
    const script = "import os; os.setpgid(0, 0); os.execvp('python3', ['python3', *os.sys.argv[1:]])";
    const report = join(dir, "group");
    await using child = startReading([
      "setsid",
      guard,
      "--report",
      report,
      "--",
      "python3",
      "-c",
      script,
      fixture("launch_count.py"),
    ]);
    await child.line("ready");
    const { guard: guard_pid } = await eventOf(report, "started");
    // setsid made the guard the leader of a group of its own: guard and launcher get it, the command does not.
    process.kill(-Number(guard_pid), SIGUSR1);
    await child.line("SIGUSR1 1");
    process.kill(Number(guard_pid), SIGUSR2);
    expect(await child.line("total")).toBe("total SIGUSR1=1 SIGUSR2=1");
  }, 60_000);

  test("sent to the whole group arrive once", async () => {
    const report = join(dir, "whole");
    await using child = startReading(["setsid", guard, "--report", report, "--", ...COUNT]);
    await child.line("ready");
    const { guard: guard_pid } = await eventOf(report, "started");
    for (let n = 1; n <= 5; n++) {
      process.kill(-Number(guard_pid), SIGTERM);
      await child.line(`SIGTERM ${n}`);
    }
    process.kill(Number(guard_pid), SIGUSR2);
    expect(await child.line("total")).toBe("total SIGTERM=5 SIGUSR2=1");
  }, 60_000);

  test("stopped and continued many times, command and guard run in the end", async () => {
    const report = join(dir, "stops");
    await using child = startReading([guard, "--report", report, "--", ...COUNT]);
    await child.line("ready");
    const { pid, guard: guard_pid } = await eventOf(report, "started");
    for (let n = 1; n <= 100; n++) {
      process.kill(Number(pid), "SIGSTOP");
      if (n % 3 === 0) await until(() => stateOf(Number(guard_pid)) === "T"); // the guard follows
      process.kill(Number(pid), "SIGCONT");
      if (n % 2 === 0) await until(() => stateOf(Number(guard_pid)) !== "T");
      if (n % 5 === 0) {
        process.kill(Number(guard_pid), SIGUSR1);
        await child.line(`SIGUSR1 ${n / 5}`);
      }
    }
    process.kill(Number(guard_pid), SIGUSR2);
    expect(await child.line("total")).toBe("total SIGUSR1=20 SIGUSR2=1");
    child.write("q\n");
    expect(await child.exited).toBe(7);
  }, 60_000);

  test("nohup: an ignored SIGHUP does not end anything", async () => {
    const report = join(dir, "nohup");
    const command = ["nohup", guard, "--report", report, "--", "sh", "-c", "echo up; read line; exit 4"];
    await using child = startReading(command);
    await child.line("up");
    process.kill(child.pid, SIGHUP);
    const { pid } = await eventOf(report, "started");
    process.kill(Number(pid), SIGHUP);
    child.write("go\n");
    expect(await child.exited).toBe(4);
  }, 60_000);
});

describe("terminal", () => {
  test("the command has the terminal, in the foreground group of the guard", async () => {
    const script = `import os, sys
print([os.isatty(fd) for fd in (0, 1, 2)], os.tcgetpgrp(0) == os.getpgrp(), os.ttyname(0) == os.ttyname(1))`;
    const result = await ptyRun([["end"]], [guard, "--", "python3", "-c", script]);
    expect(result.stdout.toString()).toContain("[True, True, True] True True");
    expect(result.code).toBe(0);
  }, 60_000);

  test("Ctrl-C arrives exactly once, each time", async () => {
    const result = await ptyRun([
      ["expect", "ready"],
      // Several times: a second delivery that follows at once may be merged with the first by the kernel.
      ...[1, 2, 3, 4, 5].flatMap((n) => [["send", "\x03"], ["expect", `SIGINT ${n}`]]),
      ["send", "\x1c"],
      ["expect", "SIGQUIT 1"],
      ["signal", SIGUSR2],
      ["expect", "total SIGINT=5 SIGQUIT=1 SIGUSR2=1"],
      ["send", "q\n"],
      ["end"],
    ], [guard, "--", ...COUNT]);
    expect(result.stderr.toString()).toBe("");
    expect(result.code).toBe(7);
  }, 60_000);

  test("Ctrl-C ends a command without handler", async () => {
    const steps = [["expect", "up"], ["send", "\x03"], ["end"]];
    const result = await ptyRun(steps, [guard, "--", "sh", "-c", "echo up; exec sleep 1000"]);
    expect(result.code).toBe(130);
  }, 60_000);

  test("a change of the window's size arrives once and shows the new size", async () => {
    const result = await ptyRun([
      ["expect", "ready"],
      ["size", 41, 97],
      ["expect", "SIGWINCH 1 41x97"],
      ["signal", SIGUSR2],
      ["expect", "total SIGUSR2=1 SIGWINCH=1"],
      ["send", "q\n"],
      ["end"],
    ], [guard, "--", ...COUNT]);
    expect(result.stderr.toString()).toBe("");
    expect(result.code).toBe(7);
  }, 60_000);

  test("what the command does to the terminal stays", async () => {
    const script = `"$1" -- stty -echo; stty -a | grep -o -- '.echo '`;
    const result = await ptyRun([["end"]], ["sh", "-c", script, "sh", guard]);
    expect(result.stdout.toString()).toContain("-echo");
  }, 60_000);
});

describe("job control of an interactive shell", () => {
  const shell = ["bash", "--norc", "--noprofile", "--noediting", "-i"];
  /** Written with a break, so that the echo of the typed line does not match what the command prints. */
  const status = `echo code""=$?\n`;
  const wait_stopped = `until jobs | grep -q Stopped; do sleep 0.1; done; echo is "stopped"\n`;

  test("Ctrl-Z stops guard and command, fg goes on, the exit code is the command's", async () => {
    const report = join(dir, "job");
    const result = await ptyRun([
      ["send", `${guard} --report ${report} -- ${COUNT.join(" ")}\n`],
      ["expect", "ready"],
      ["send", "\x1a"],
      ["expect", "Stopped"],
      ["send", `cut -d' ' -f3 /proc/$(jobs -p)/stat | sed s/^/guard_/\n`],
      ["expect", "guard_T"],
      ["send", "fg\n"],
      ["send", "hello\n"],
      ["expect", "line hello"],
      ["send", "\x1a"],
      ["expect", "Stopped"],
      ["send", "fg\n"],
      ["send", "again\n"],
      ["expect", "line again"],
      ["send", "q\n"],
      ["send", status],
      ["expect", "code=7"],
      ["send", "exit\n"],
      ["end"],
    ], shell);
    expect([result.code, result.stderr.toString()]).toEqual([0, ""]);
    expect(readFileSync(report, "utf8")).toContain('{"type":"stopped","signal":20}');
  }, 60_000);

  test("a command that ignores SIGTSTP keeps the guard running", async () => {
    const script =
      "import signal, sys; signal.signal(signal.SIGTSTP, signal.SIG_IGN); print('up'); print('got', input())";
    const program = join(dir, "ignore.py");
    await Bun.write(program, script);
    const result = await ptyRun([
      ["send", `${guard} -- python3 -u ${program}\n`],
      ["expect", "up"],
      ["send", "\x1a"],
      ["send", "still here\n"],
      ["expect", "got still here"],
      ["send", status],
      ["expect", "code=0"],
      ["send", "exit\n"],
      ["end"],
    ], shell);
    expect([result.code, result.stderr.toString()]).toEqual([0, ""]);
    expect(result.stdout.toString()).not.toContain("Stopped");
  }, 60_000);

  test("a read of the terminal in the background stops the job until fg", async () => {
    const result = await ptyRun([
      ["send", `${guard} -- sh -c "echo u'p'; exec sed -u 's/^/got /'"\n`],
      ["expect", "up"],
      ["send", "\x1a"],
      ["expect", "Stopped"],
      ["send", "bg\n"],
      ["send", wait_stopped],
      ["expect", "is stopped"],
      ["send", "fg\n"],
      ["send", "typed\n"],
      ["expect", "got typed"],
      ["send", "\x04"],
      ["send", status],
      ["expect", "code=0"],
      ["send", "exit\n"],
      ["end"],
    ], shell);
    expect([result.code, result.stderr.toString()]).toEqual([0, ""]);
  }, 60_000);
});

test("a background job of a shell script on a terminal ignores SIGINT as it would without the guard", async () => {
  const probe = "grep SigIgn /proc/self/status";
  const direct = await ptyRun([["end"]], ["sh", "-c", `${probe} & wait`]);
  const through = await ptyRun([["end"]], ["sh", "-c", `"$1" -- ${probe} & wait`, "sh", guard]);
  expect(through.stdout.toString()).toBe(direct.stdout.toString());
  expect((await run(["sh", "-c", `"$1" -- ${probe}`, "sh", guard])).stdout.toString()).not.toBe(
    direct.stdout.toString().replaceAll("\r", ""),
  );
}, 60_000);
