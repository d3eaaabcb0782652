/** A guard that is killed while actions wait: they are refused, the record says so, and `on_failure` holds. */
import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ApprovalView, Entry } from "../../lib/core/mod.ts";
import {
  GuardSetup,
  IS_ROOT,
  isAbout,
  processesNaming,
  type RunningGuard,
  waitFor,
  waitUntil,
} from "../support/mod.ts";

const LIMIT_MS = 90_000;

const policy = (on_failure: string): string =>
  `version = 1
name = "gone"
mode = "enforce"
[default]
"*" = "allow"
[guard]
on_failure = "${on_failure}"
[[rules]]
name = "push-needs-a-human"
action = "exec"
exe = "git"
argv = ["push", "..."]
verdict = "ask"
[[rules]]
name = "precious-needs-a-human"
action = "file.read"
path = "**/precious"
verdict = "ask"
[[rules]]
name = "no-secrets"
action = "file.create"
path = "**/secret"
verdict = "deny"
`;

/** Two pushes and a read wait; what follows runs when the file `go` is there. Everything is written down. */
const SCRIPT = `exec > out 2> err
./git push one & a=$!
./git push two & b=$!
/bin/cat precious & c=$!
while [ ! -e go ]; do sleep 0.1; done
wait $a; echo "one $?"; wait $b; echo "two $?"; wait $c; echo "read $?"
./git push three; echo "three $?"
echo x > secret; echo "secret $?"
i=0; while [ $i -lt 20 ]; do /bin/true || echo "true $?"; i=$((i + 1)); done
echo done`;

async function hold(
  setup: GuardSetup,
): Promise<{ readonly guard: RunningGuard; readonly views: readonly ApprovalView[] }> {
  const git = join(setup.work, "git");
  await writeFile(git, '#!/bin/sh\necho "pushed $*"\n');
  await chmod(git, 0o755);
  await writeFile(join(setup.work, "precious"), "what was precious\n");
  await writeFile(join(setup.work, "script"), SCRIPT);
  const guard = setup.start(["/bin/sh", join(setup.work, "script")]);
  const views = await waitFor("three questions", async () => {
    const listed = await setup.command(["approvals", "list", "--json"]);
    const found: readonly ApprovalView[] = listed.exit_code === 0 ? JSON.parse(listed.stdout) : [];
    return found.length === 3 ? found : undefined;
  }, { detail: () => guard.stderr });
  return { guard, views };
}

function answers(entries: readonly Entry[]): readonly string[] {
  return entries.flatMap((entry) =>
    isAbout(entry, "approval.answered")
      ? [`${entry.action.approval_id} ${entry.action.verdict} ${entry.action.by}`]
      : []
  );
}

function denied(views: readonly ApprovalView[]): string[] {
  return views.map(({ approval_id }) => `${approval_id} deny guard-restart`).toSorted();
}

function left(setup: GuardSetup): readonly string[] {
  return readdirSync(setup.state).filter((name) => name.startsWith("held-") || name.startsWith("lost-"));
}

describe.skipIf(!IS_ROOT)("a guard that is killed while actions wait", () => {
  test(
    'with on_failure = "open": what waits is refused, the command goes on, and the record tells all of it',
    async () => {
      await using setup = await GuardSetup.create(policy("open"));
      const { guard, views } = await hold(setup);
      await using _guard = guard;
      guard.process.kill("SIGKILL");
      await guard.process.exited;
      const script = join(setup.work, "script");
      try {
        await writeFile(join(setup.work, "go"), "");
        await waitUntil("the end of the command", () => processesNaming(script).length === 0);
      } finally {
        for (const pid of processesNaming(script)) process.kill(pid, "SIGKILL");
      }
      // Nothing that waited was let go; nobody asks or refuses any more.
      expect(await readFile(join(setup.work, "out"), "utf8")).toBe(
        "one 126\ntwo 126\nread 1\npushed push three\nthree 0\nsecret 0\ndone\n",
      );
      await waitUntil("the launcher's end", () => processesNaming(setup.state).length === 0);
      expect((await setup.guard(["/bin/true"])).exit_code).toBe(0);
      const entries = await setup.entries();
      expect(answers(entries).toSorted()).toEqual(denied(views));
      const gap = entries.find((entry) => entry.gap?.type === "unguarded")?.gap;
      expect(Date.parse(gap?.to ?? "") - Date.parse(gap?.from ?? "")).toBeGreaterThan(0);
      expect(left(setup)).toEqual([]);
      expect((await setup.verify()).exit_code).toBe(0);
    },
    LIMIT_MS,
  );

  test('with on_failure = "deny": the tree ends, nothing that waited happens', async () => {
    await using setup = await GuardSetup.create(policy("deny"));
    const { guard, views } = await hold(setup);
    await using _guard = guard;
    await writeFile(join(setup.work, "go"), "");
    guard.process.kill("SIGKILL");
    await guard.process.exited;
    await waitUntil("the end of the tree", () => processesNaming(setup.work).length === 0);
    expect(await readFile(join(setup.work, "out"), "utf8")).not.toMatch(/pushed|precious/);
    expect(existsSync(join(setup.work, "secret"))).toBe(false);
    expect((await setup.guard(["/bin/true"])).exit_code).toBe(0);
    expect(answers(await setup.entries()).toSorted()).toEqual(denied(views));
    expect(left(setup)).toEqual([]);
  }, LIMIT_MS);

  test("an orderly end leaves nothing of it behind", async () => {
    await using setup = await GuardSetup.create(policy("open"));
    const done = await setup.guard(["/bin/sh", "-c", "/bin/true; echo x > secret"]);
    expect(done.exit_code).toBe(2);
    expect(left(setup)).toEqual([]);
  }, LIMIT_MS);
});
