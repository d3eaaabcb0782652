/** The guard in a pid namespace of its own, as in a container: it has to name processes by the numbers that it sees. */
import { describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decided, GuardSetup, IS_ROOT, PYTHON, run } from "../support/mod.ts";

const LIMIT_MS = 60_000;

const POLICY = `version = 1
name = "container"
mode = "enforce"

[default]
"*" = "allow"

[[rules]]
name = "no-tool"
action = "exec"
exe = "id"
verdict = "deny"

[[rules]]
name = "no-secret"
action = "file.read"
path = "**/secret"
verdict = "deny"

[[rules]]
name = "no-server"
action = "net.listen"
port = "1-65535"
verdict = "deny"
enforce = "best"
`;

/** As `docker run --pid` does it: pid 1 of the namespace is the guard. */
const CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc"];

describe.skipIf(!IS_ROOT)("in a pid namespace", () => {
  test("processes are those that the guard can see and signal", async () => {
    await using setup = await GuardSetup.create(POLICY);
    await writeFile(join(setup.work, "secret"), "known\n");
    const listen = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); time.sleep(60)";
    const script =
      `echo "$$"; /usr/bin/id; echo "id: $?"; read line < secret; echo "read: $?"; ${PYTHON} -c "${listen}"; ` +
      'echo "listen: $?"';
    const done = await run([...CONTAINER, ...setup.argv(["/bin/sh", "-c", script])], { cwd: setup.work });
    expect(done.exit_code).toBe(0);
    const lines = done.stdout.trim().split("\n");
    expect(lines.slice(1)).toEqual(["id: 126", "read: 2", "listen: 137"]);

    const entries = await setup.entries();
    const root = Number(lines[0]);
    expect(entries.find(({ kind }) => kind === "session")?.action?.type).toBe("session.start");
    // Two threads write: what the reader saw may stand behind what was held after it.
    const started = entries.find(({ kind, action }) => kind === "observation" && action?.type === "exec");
    expect(started?.process).toMatchObject({ pid: root });
    const child = entries.find(({ action }) => action?.type === "exec" && action.argv.includes(listen));
    expect(child?.process?.ppid).toBe(root);

    const found = decided(entries);
    const labels = found.map(({ decision, outcomes }) => [decision.decision?.rule, outcomes[0]?.outcome?.label]);
    expect(labels).toEqual([
      ["no-tool", "prevented"],
      ["no-secret", "prevented"],
      ["no-server", "killed_after_effect"],
    ]);
    expect(entries.filter(({ kind }) => kind === "gap")).toEqual([]);
    // Its own programs and files are no part of what it saw.
    expect(entries.some(({ process }) => process?.exe?.endsWith("agentguard"))).toBe(false);
  }, LIMIT_MS);

  test("two namespaces deep", async () => {
    await using setup = await GuardSetup.create();
    const argv = [...CONTAINER, ...CONTAINER, ...setup.argv(["/bin/sh", "-c", 'echo "$$"'])];
    const done = await run(argv, { cwd: setup.work });
    expect(done.exit_code).toBe(0);
    const started = (await setup.entries()).find(({ action }) => action?.type === "exec");
    expect(started?.process?.pid).toBe(Number(done.stdout));
  }, LIMIT_MS);
});
