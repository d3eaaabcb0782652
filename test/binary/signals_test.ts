/** Signals that reach the guard reach the command, once. */
import { describe, expect, test } from "bun:test";
import { argumentsOf, GuardSetup, IS_ROOT, isAlive, processesNaming, python, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 60_000;

/** Counts what it gets; ends with code 9 and the counts at SIGUSR2. */
const COUNTER = `
import collections, json, signal, sys
counts = collections.Counter()
wanted = {getattr(signal, name) for name in
          ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGCONT", "SIGWINCH")}
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
print("ready", flush=True)
while not counts["SIGUSR2"]:
    name = signal.Signals(signal.sigwait(wanted)).name
    counts[name] += 1
    print("got", name, flush=True)
print(json.dumps(counts, sort_keys=True), flush=True)
sys.exit(9)
`;

describe.skipIf(!IS_ROOT)("signals", () => {
  test("each is forwarded once, and the end is the command's", async () => {
    await using setup = await GuardSetup.create();
    await using guard = setup.start(python(COUNTER));
    const says = (text: string): Promise<void> =>
      waitUntil(text, () => guard.stdout.includes(`${text}\n`), { detail: () => guard.stdout + guard.stderr });
    await says("ready");
    for (const name of ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGWINCH"] as const) {
      guard.process.kill(name);
      await says(`got ${name}`);
    }
    guard.process.kill("SIGUSR2");
    expect(await guard.ended()).toBe(9);
    const counts: Record<string, number> = JSON.parse(guard.stdout.trim().split("\n").at(-1) ?? "");
    expect(counts).toEqual({ SIGHUP: 1, SIGINT: 1, SIGQUIT: 1, SIGTERM: 1, SIGUSR1: 1, SIGUSR2: 1, SIGWINCH: 1 });
  }, LIMIT_MS);

  test("a command that dies of a forwarded SIGTERM gives 143, and nothing of the guard stays", async () => {
    await using setup = await GuardSetup.create();
    await using guard = setup.start(["/bin/sh", "-c", "echo ready; exec sleep 600"]);
    await waitUntil("the command", () => guard.stdout.includes("ready"), { detail: () => guard.stderr });
    guard.process.kill("SIGTERM");
    expect(await guard.ended()).toBe(143);
    await waitUntil("no process of the guard", () => processesNaming(setup.state).length === 0, {
      detail: () => processesNaming(setup.state).map((pid) => argumentsOf(pid).join(" ")).join("; "),
    });
  }, LIMIT_MS);

  test("a signal that arrives while the guard starts is not lost", async () => {
    await using setup = await GuardSetup.create();
    await using guard = setup.start(["/bin/sleep", "600"]);
    guard.process.kill("SIGTERM");
    // Before the command exists the guard may end by itself; either way it ends, by that signal.
    expect(await guard.ended()).toBe(143);
    expect(isAlive(guard.process.pid)).toBe(false);
  }, LIMIT_MS);
});
