/** A command that is stopped stops the guard with it, as job control wants it. Nothing of its tree may go on then. */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { GuardSetup, IS_ROOT, python, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 60_000;

/** Its child stops it, and then looks whether the guard is stopped while the child itself runs. */
const STOPS_ITSELF = `
import os, signal, time
def field(pid, index):
    return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[index]
command = os.getpid()
guard = int(field(int(field(command, 1)), 1))
print("guard", guard, "command", command, flush=True)
if os.fork() == 0:
    os.kill(command, signal.SIGSTOP)
    seen = False
    while field(command, 0) == "T":
        seen = seen or field(guard, 0) == "T"
    print("went on without the guard" if seen else "never alone", flush=True)
    os._exit(0)
os.wait()
print("continued", flush=True)
`;

function stateOf(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[0];
}

describe.skipIf(!IS_ROOT)("a stopped command", () => {
  test("leaves nobody who goes on while the guard is stopped", async () => {
    await using setup = await GuardSetup.create();
    await using guard = setup.start(python(STOPS_ITSELF));
    const numbers = (): RegExpExecArray | null => /guard (\d+) command (\d+)/.exec(guard.stdout);
    await waitUntil("the command", () => numbers() !== null, { detail: () => guard.stdout + guard.stderr });
    const [, own = "", command = ""] = numbers() ?? [];
    await waitUntil("the guard to stop", () => stateOf(Number(own)) === "T", { detail: () => guard.stdout });
    process.kill(Number(command), "SIGCONT");
    expect(await guard.ended()).toBe(0);
    expect(guard.stdout).toContain("never alone\n");
    expect(guard.stdout).toContain("continued\n");
  }, LIMIT_MS);
});
