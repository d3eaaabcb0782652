/** What of a policy holds for program starts that wait: each is decided by itself. */
import { expect, test } from "bun:test";
import type { Event, ExecAction } from "../../../lib/core/mod.ts";
import { loadPolicy, type PolicySnapshot, protectedPlaces, refusableActions } from "../../../lib/decide/mod.ts";

function snapshot(rules: string): PolicySnapshot {
  const text = `version = 1\nname = "t"\nmode = "enforce"\n[default]\n"*" = "allow"\n${rules}`;
  const loaded = loadPolicy([{ file: "t.toml", bytes: new TextEncoder().encode(text) }], { generation: 1 });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  return loaded.value;
}

const PUSH = '[[rules]]\nname = "push"\naction = "exec"\nexe = "git"\nargv = ["push", "..."]\nverdict = "deny"\n';

function verdict(policy: PolicySnapshot, action: Partial<ExecAction>, held: boolean): string {
  const exec: ExecAction = { type: "exec", path: "/bin/bash", argv: [], ...action };
  const event: Event = { time_us: 0, action: exec, ...(held ? { held: true as const } : undefined) };
  return policy.evaluate(event).verdict;
}

test("a shell that will start a forbidden program is let go where that program will wait itself", () => {
  const line = { argv: ["bash", "-c", "git push; echo still alive"] };
  expect(verdict(snapshot(PUSH), line, false)).toBe("deny");
  expect(verdict(snapshot(PUSH), line, true)).toBe("allow");
  expect(verdict(snapshot(PUSH), { path: "/usr/bin/git", argv: ["git", "push"] }, true)).toBe("deny");
});

test("what the shell does itself, and what starts elsewhere, is decided with it", () => {
  const kill = snapshot(
    '[[rules]]\nname = "kill"\naction = "exec"\nexe = "kill"\nargv = ["-9", "..."]\nverdict = "deny"\n',
  );
  expect(verdict(kill, { argv: ["bash", "-c", "kill -9 1"] }, true)).toBe("deny");
  const elsewhere = { path: "/usr/bin/systemd-run", argv: ["systemd-run", "git", "push"] };
  expect(verdict(snapshot(PUSH), elsewhere, true)).toBe("deny");
});

test("a rule about a script speaks of the script's own arguments", () => {
  const script = {
    path: "/w/git",
    requested_path: "./git",
    interpreter: "/bin/sh",
    argv: ["/bin/sh", "./git", "push"],
  };
  expect(verdict(snapshot(PUSH), script, true)).toBe("deny");
  const pull = { ...script, argv: ["/bin/sh", "./git", "pull"] };
  expect(verdict(snapshot(PUSH), pull, true)).toBe("allow");
});

test("actions that may be refused, and the places that rules protect", () => {
  const rule = (mode: string): string =>
    `[[rules]]\nname = "r"\naction = ["file.write", "exec"]\npath = ["~/.ssh/**", "/etc/shadow", "**/.env"]\n` +
    `verdict = "deny"\n${mode}`;
  expect([...refusableActions(snapshot(rule("")))].sort()).toEqual(["exec", "file.write"]);
  expect([...refusableActions(snapshot(rule('mode = "observe"\n')))]).toEqual([]);
  expect(protectedPlaces(snapshot(rule("")), "/home/u").map(({ path, exact }) => [path, exact])).toEqual([
    ["/home/u/.ssh", false],
    ["/etc/shadow", true],
  ]);
});
