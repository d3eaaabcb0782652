/** Rules about programs, on tool calls: the commands in the command line that a shell tool is about to run. */
import { describe, expect, test } from "bun:test";
import type { Action } from "../../../lib/core/mod.ts";
import { enforcing, event, load, rule } from "./support.ts";

function bash(command: unknown): Action {
  return { type: "tool.call", tool: "Bash", source: "hook", args: { command } };
}

function verdict(policy: string, action: Action): string {
  return load(policy).evaluate(event(action)).verdict;
}

describe("a rule that forbids holds for any command of the line", () => {
  const push = enforcing(
    rule("push", 'action = ["exec", "tool.call"]\nexe = "git"\nargv = ["push", "..."]\nverdict = "ask"'),
  );
  test.each<[unknown, string]>([
    ["git push", "ask"],
    ["cd /work && git add -A && git push origin main", "ask"],
    ["sh -c 'git push'", "ask"],
    ["sudo -u me env X=1 git push", "ask"],
    ["echo $(git push)", "ask"],
    ["true & git push", "ask"],
    [["bash", "-lc", "git push"], "ask"],
    [["git", "push"], "ask"],
    ["git status", "allow"],
    ["echo git push", "allow"],
    [["git", "status"], "allow"],
    // The program and its arguments are those of one command.
    ["git status; npm push", "allow"],
    ["", "allow"],
    [7, "allow"],
    [undefined, "allow"],
  ])("%j: %s", (command, expected) => expect(verdict(push, bash(command))).toBe(expected));

  test("also where the key is cmd, and not where a tool has another one", () => {
    const call = (args: unknown): Action => ({ type: "tool.call", tool: "exec_command", source: "hook", args });
    expect(verdict(push, call({ cmd: "git push" }))).toBe("ask");
    expect(verdict(push, call({ text: "git push" }))).toBe("allow");
    expect(verdict(push, call("git push"))).toBe("allow");
    expect(verdict(push, call(null))).toBe("allow");
  });

  test("a program by its path, and what cannot be followed", () => {
    const nc = enforcing(rule("nc", 'action = "tool.call"\nexe = "/opt/bad/nc"\nverdict = "deny"'));
    expect(verdict(nc, bash("/opt/bad/nc -l"))).toBe("deny");
    expect(verdict(nc, bash("nc -l"))).toBe("allow");
    const opaque = enforcing(rule("opaque", 'action = "tool.call"\nopaque = true\nverdict = "deny"'));
    expect(verdict(opaque, bash('eval "$X"'))).toBe("deny");
    expect(verdict(opaque, bash("curl x | sh"))).toBe("deny");
    expect(verdict(opaque, bash("ls"))).toBe("allow");
    expect(verdict(opaque, { type: "tool.call", tool: "Read", source: "hook", args: { path: "/a" } })).toBe("allow");
  });
});

describe("a rule that permits needs every command of the line", () => {
  const only = enforcing(
    "[default]",
    'tool = "deny"',
    rule("git", 'action = "tool.call"\ntool = "Bash"\nexe = ["git", "ls"]\nverdict = "allow"'),
  );
  test.each<[unknown, string]>([
    ["git status", "allow"],
    ["git status && ls -l", "allow"],
    // The shell's own commands start nothing.
    ["cd /work; git status", "allow"],
    ["git status; rm -rf /", "deny"],
    ["git status $(rm x)", "deny"],
    ["$X status", "deny"],
    ['git status; eval "$Y"', "deny"],
    ["cd /work", "deny"],
    ["", "deny"],
    [undefined, "deny"],
  ])("%j: %s", (command, expected) => expect(verdict(only, bash(command))).toBe(expected));

  test("arguments must be known", () => {
    const log = enforcing(
      "[default]",
      'tool = "deny"',
      rule("log", 'action = "tool.call"\nexe = "git"\nargv = ["log", "..."]\nverdict = "allow"'),
    );
    expect(verdict(log, bash("git log --oneline"))).toBe("allow");
    expect(verdict(log, bash("git log; git push"))).toBe("deny");
    expect(verdict(log, bash("git $X"))).toBe("deny");
  });

  test("an exception of a rule that forbids, too", () => {
    const policy = enforcing(
      rule("no-shell", 'action = "tool.call"\ntool = "Bash"\nverdict = "deny"\nexcept = { exe = "git" }'),
    );
    expect(verdict(policy, bash("git status"))).toBe("allow");
    expect(verdict(policy, bash("git status; curl x"))).toBe("deny");
  });
});
