import { describe, expect, test } from "bun:test";
import { parseCommandLine } from "../../../lib/app/cli.ts";

function script(shell: string): string {
  const result = parseCommandLine(["completions", shell]);
  if (!result.ok || result.value.kind !== "print") throw new Error("no script");
  return result.value.text;
}

/** What bash offers for the last word. */
async function complete(...line: string[]): Promise<readonly string[]> {
  const quoted = line.map((word) => `'${word}'`).join(" ");
  const driver = `${script("bash")}
compopt() { :; }
COMP_WORDS=(agentguard ${quoted})
COMP_CWORD=${line.length}
_agentguard
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const child = Bun.spawn(["bash", "--norc", "-c", driver], { stdout: "pipe", stderr: "pipe", cwd: import.meta.dir });
  const [out, error] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  expect(error).toBe("");
  expect(await child.exited).toBe(0);
  return out.split("\n").filter((word) => word !== "");
}

describe("bash, run by bash", () => {
  test("commands", async () => {
    const offered = await complete("");
    for (const word of ["run", "status", "audit", "--policy", "--help"]) expect(offered).toContain(word);
    expect(await complete("st")).toEqual(["status"]);
    expect(await complete("audit", "ver")).toEqual(["verify"]);
    expect(await complete("audit", "ch")).toEqual(["check-proof", "checkpoint"]);
    expect(await complete("help", "au")).toEqual(["audit"]);
    expect(await complete("completions", "z")).toEqual(["zsh"]);
  });

  test("options of the command at hand", async () => {
    expect(await complete("audit", "query", "--si")).toEqual(["--since"]);
    expect(await complete("audit", "verify", "--si")).toEqual([]);
    expect(await complete("--state", "status", "st")).toEqual(["status"]);
  });

  test("values", async () => {
    expect(await complete("--mode", "")).toEqual(["enforce", "observe"]);
    expect(await complete("audit", "query", "--verdict", "d")).toEqual(["deny"]);
    expect(await complete("audit", "query", "--limit", "")).toEqual([]);
    expect(await complete("--policy", "cli_")).toContain("cli_test.ts");
    expect(await complete("audit", "consistency", "cli_")).toContain("cli_test.ts");
    expect(await complete("policy", "check", "cli_")).toContain("cli_test.ts");
  });

  test("after -- programs, then files", async () => {
    expect(await complete("--", "bas")).toContain("bash");
    expect(await complete("run", "--", "cat", "cli_")).toContain("cli_test.ts");
    expect(await complete("run", "--", "cat", "--sin")).toEqual([]);
  });
});

describe("every shell", () => {
  test.each(["bash", "zsh", "fish"])("%s: names every command and option", (shell) => {
    const text = script(shell);
    for (const word of ["run", "doctor", "sessions", "pause", "query", "verify", "check", "completions"]) {
      expect(text).toContain(word);
    }
    for (const name of ["policy", "after-seq", "newest", "licenses", "follow"]) expect(text).toContain(name);
  });

  const shells = [["bash", "-n"], ["zsh", "-n"], ["fish", "--no-execute"]] as const;
  for (const [shell, option] of shells) {
    test.skipIf(Bun.which(shell) === null)(
      `${shell} accepts its script (skipped where ${shell} is not installed)`,
      async () => {
        const child = Bun.spawn([shell, option, "/dev/stdin"], { stdin: new Blob([script(shell)]), stderr: "pipe" });
        expect(await child.stderr.text()).toBe("");
        expect(await child.exited).toBe(0);
      },
    );
  }
});
