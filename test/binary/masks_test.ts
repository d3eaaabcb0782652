/** What rules close whatever happens is hidden from the command, and stays so when the guard is killed. */
import { describe, expect, test } from "bun:test";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { about, ALLOW_ALL, GuardSetup, IS_ROOT, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 90_000;

const HEAD = `${ALLOW_ALL}\n[guard]\non_failure = "open"\n`;

function rule(name: string, actions: string, path: string): string {
  return `[[rules]]\nname = "${name}"\naction = ${actions}\npath = "${path}"\nverdict = "deny"\nenforce = "best"\n`;
}

async function listening(path: string): Promise<Server> {
  const server = createServer((client) => client.end());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

/** Says what it meets, once before and once after the guard's end, which it waits for. */
const LOOK = `import os, socket, sys, time
def look():
    try:
        socket.socket(socket.AF_UNIX).connect(sys.argv[1])
        said = ["reached"]
    except OSError as error:
        said = [type(error).__name__]
    for path in sys.argv[2:]:
        try:
            said.append(os.read(os.open(path, os.O_RDONLY), 9).decode())
        except OSError as error:
            said.append(type(error).__name__)
    print(*said, flush=True)
look()
while not os.access("go", os.F_OK):
    time.sleep(0.02)
look()
`;

describe.skipIf(!IS_ROOT)("masks (need root)", () => {
  test("hold without the guard: sockets and files by any name, and what is excepted stays", async () => {
    await using setup = await GuardSetup.create();
    const [sock, keys] = [setup.dir.join("engine.sock"), setup.dir.join("keys")];
    await mkdir(keys);
    for (const name of ["id", "id.pub"]) await writeFile(`${keys}/${name}`, "x");
    await symlink("engine.sock", setup.dir.join("link"));
    const pub = `except = { path = "**/*.pub" }\n`;
    const rules = rule("door", '"unix.connect"', sock) + rule("keys", '"file.*"', `${keys}/**`) + pub;
    await writeFile(setup.policy, HEAD + rules);
    const server = await listening(sock);
    try {
      await using guard = setup.start([
        "/usr/bin/env",
        "python3",
        "-c",
        LOOK,
        setup.dir.join("link"),
        `${keys}/id`,
        `${keys}/id.pub`,
      ]);
      await waitUntil("the first look", () => guard.stdout.includes("\n"), { detail: () => guard.stderr });
      const refused = async (): Promise<boolean> => about(await setup.entries(), "unix.connect").length > 0;
      await waitUntil("its record", refused);
      guard.process.kill("SIGKILL");
      await writeFile(`${setup.work}/go`, "");
      await guard.ended();
      await waitUntil("the second look", () => guard.stdout.split("\n").length > 2, { detail: () => guard.stderr });
      const [before, after] = guard.stdout.split("\n");
      expect(before).toBe("ConnectionRefusedError PermissionError x");
      // Where opens waited for the guard, none succeeds any more.
      expect(after).toMatch(/^ConnectionRefusedError (PermissionError x|OSError OSError)$/);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
    const entries = await setup.entries();
    const [decided] = about(entries, "unix.connect").filter(({ kind }) => kind === "decision");
    expect(decided?.decision).toMatchObject({ verdict: "deny", rule: "door" });
    expect(decided?.action).toMatchObject({ path: sock, requested_path: setup.dir.join("link") });
    const outcome = entries.find((entry) => entry.outcome?.decision_id === decided?.decision?.decision_id)?.outcome;
    expect(outcome).toMatchObject({ label: "prevented", mechanism: "mounts" });
    const [read] = about(entries, "file.read").filter(({ kind }) => kind === "decision");
    expect(read?.decision).toMatchObject({ verdict: "deny", rule: "keys" });
    const refused = entries.find((entry) => entry.outcome?.decision_id === read?.decision?.decision_id)?.outcome;
    expect(refused?.label).toBe("prevented");
    expect(["mounts", "seccomp"]).toContain(refused?.mechanism ?? "none");
    const [start] = about(entries, "session.start");
    expect(start?.action.baseline?.masked).toEqual([`${keys}/id`, sock].toSorted((a, b) => a.length - b.length));
  }, LIMIT_MS);

  test("a directory keeps its names, none of which opens, not even for root", async () => {
    await using setup = await GuardSetup.create();
    const keys = setup.dir.join("keys");
    await mkdir(`${keys}/deep`, { recursive: true });
    await writeFile(`${keys}/id`, "x");
    await writeFile(setup.policy, HEAD + rule("keys", '["file.read", "file.write"]', `${keys}/**`));
    const script = `cat ${keys}/id; stat -c %F ${keys}/id ${keys}/deep; mkdir ${keys}/new`;
    const done = await setup.guard(["/bin/sh", "-c", script]);
    expect(done.stdout).toBe("character special file\ndirectory\n");
    expect(done.stderr).toMatch(/id: (Operation not permitted|Permission denied)/);
    expect(done.stderr).toContain("Read-only file system");
  }, LIMIT_MS);
});
