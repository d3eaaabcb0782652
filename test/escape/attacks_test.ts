/** The attacks on the guard reach a process that nothing protects: a refusal is not a mistake of the attack's own. */
import { describe, expect, test } from "bun:test";
import { readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { cgroupMount, IS_ROOT, run, TempDir } from "../support/mod.ts";
import { buildPrograms } from "./harness/mod.ts";

const TAKEOVER = ["sigio", "affinity", "nice", "ioprio", "cgroup-freeze", "cgroup-kill", "born"];
const BASELINE = [
  "kill",
  "tgkill",
  "pidfd-kill",
  "sigqueue",
  "starve",
  "prlimit",
  "ptrace",
  "take-descriptor",
  "proc-mem",
];

// skip: other users' limits and cgroups are for root
describe.skipIf(!IS_ROOT)("without a guard", () => {
  test("every attack succeeds", async () => {
    await using own = await TempDir.create();
    await buildPrograms(own.join("programs"));
    const attack = async (program: string, way: string): Promise<string> => {
      const victim = Bun.spawn(["sleep", "1000"]);
      try {
        const { stdout } = await run([own.join("programs", program), way, String(victim.pid)]);
        return `${way}: ${stdout}`;
      } finally {
        victim.kill("SIGKILL");
        await victim.exited;
      }
    };
    const ways = [...TAKEOVER.map((way) => ["takeover", way]), ...BASELINE.map((way) => ["baseline", way])];
    const said = await Promise.all(ways.map(([program = "", way = ""]) => attack(program, way)));
    // Whoever was put into a cgroup has ended by now.
    for (const name of readdirSync(cgroupMount()).filter((each) => each.startsWith("agentguard-escape-"))) {
      rmdirSync(join(cgroupMount(), name));
    }
    expect(said).toEqual(ways.map(([, way]) => `${way}: ok\n`));
  }, 60_000);
});
