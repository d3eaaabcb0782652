/** What the baseline takes from a policy that refuses by default, and what stays when a later policy allows more. */
import { describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { about, GuardSetup, IS_ROOT, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 90_000;

async function listening(): Promise<Server & AsyncDisposable> {
  const server = createServer((client) => client.end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Connects to ports, says what came of each; before and after the guard's end, which it waits for. */
const LOOK = `import os, socket, sys, time
def look():
    said = []
    for port in sys.argv[1:]:
        try:
            socket.create_connection(("127.0.0.1", int(port)))
            said.append("reached")
        except OSError as error:
            said.append(type(error).__name__)
    try:
        os.mkdir("/var/tmp/ag-ruled-baseline")
        os.rmdir("/var/tmp/ag-ruled-baseline")
        said.append("made")
    except OSError as error:
        said.append(type(error).__name__)
    print(*said, flush=True)
look()
while not os.access("go", os.F_OK):
    time.sleep(0.02)
look()
`;

describe.skipIf(!IS_ROOT)("the baseline by rules (needs root)", () => {
  test("ports of a policy that refuses the network hold without the guard, and are told as what they are", async () => {
    await using open = await listening();
    await using shut = await listening();
    await using setup = await GuardSetup.create();
    await writeFile(
      setup.policy,
      `version = 1\nname = "t"\nmode = "enforce"\n[default]\nnet = "deny"\n"*" = "allow"\n` +
        `[guard]\non_failure = "open"\n` +
        `[[rules]]\nname = "one"\naction = "net.connect"\nport = ${portOf(open)}\nverdict = "allow"\n`,
    );
    const checked = await setup.command(["policy", "check", setup.policy]);
    expect(checked.stdout).toContain(`TCP connections only to ports: ${portOf(open)}\n`);
    await using guard = setup.start(["/usr/bin/env", "python3", "-c", LOOK, `${portOf(open)}`, `${portOf(shut)}`]);
    await waitUntil("the first look", () => guard.stdout.includes("\n"), { detail: () => guard.stderr });
    const told = async (): Promise<number> =>
      about(await setup.entries(), "net.connect").filter(({ kind }) => kind === "decision").length;
    await waitUntil("its record", async () => await told() > 0);
    guard.process.kill("SIGKILL");
    await writeFile(`${setup.work}/go`, "");
    await guard.ended();
    await waitUntil("the second look", () => guard.stdout.split("\n").length > 2, { detail: () => guard.stderr });
    const entries = await setup.entries();
    const parts = about(entries, "session.start")[0]?.action.baseline?.parts ?? [];
    const held = parts.includes("ports");
    expect(guard.stdout.split("\n")[0]).toBe("reached PermissionError made");
    expect(guard.stdout.split("\n")[1]).toBe(held ? "reached PermissionError made" : "reached reached made");
    const [decided] = about(entries, "net.connect").filter(({ kind }) => kind === "decision");
    const outcome = entries.find((entry) => entry.outcome?.decision_id === decided?.decision?.decision_id)?.outcome;
    expect(outcome).toMatchObject({ label: "prevented", mechanism: held ? "landlock" : "cgroup" });
    expect(entries.filter(({ action }) => action?.type === "guard.mismatch")).toEqual([]);
  }, LIMIT_MS);

  test(
    "files of a policy that refuses changes; a later policy that allows more is told what it cannot do",
    async () => {
      await using setup = await GuardSetup.create();
      const file = setup.dir.join("closed");
      await writeFile(file, "x");
      const head = `version = 1\nname = "t"\nmode = "enforce"\n[default]\nfile = "deny"\n"*" = "allow"\n`;
      const reads = `[[rules]]\nname = "reads"\naction = "file.read"\nverdict = "allow"\n`;
      const work =
        `[[rules]]\nname = "work"\naction = "file.*"\npath = ["${setup.work}/**", "/dev/**"]\nverdict = "allow"\n`;
      const deny =
        `[[rules]]\nname = "closed"\naction = "file.*"\npath = "${file}"\nverdict = "deny"\nenforce = "best"\n`;
      await writeFile(setup.policy, head + reads + work + deny);
      await mkdir(setup.dir.join("elsewhere"));
      const script = `echo a > made && cat made; mkdir ${setup.dir.join("elsewhere/x")} || echo refused; ` +
        `echo on; while ! [ -e go ]; do sleep 0.05; done`;
      await using guard = setup.start(["/bin/sh", "-c", script]);
      await waitUntil("the command", () => guard.stdout.includes("on\n"), { detail: () => guard.stderr });
      expect(guard.stdout).toBe("a\nrefused\non\n");
      await writeFile(setup.policy, `version = 1\nname = "t"\nmode = "enforce"\n[default]\n"*" = "allow"\n`);
      const reload = { unix: `${setup.runtime}/control.sock`, method: "POST" };
      expect((await fetch("http://localhost/v1/policy/reload", reload)).status).toBe(200);
      expect(guard.stderr).toContain(`masked: ${file}`);
      await writeFile(`${setup.work}/go`, "");
      expect(await guard.ended()).toBe(0);
      const told = about(await setup.entries(), "guard.degraded").map(({ action }) => action.detail);
      expect(told.some((detail) => detail.includes(`masked: ${file}`))).toBe(true);
    },
    LIMIT_MS,
  );
});
