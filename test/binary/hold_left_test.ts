/** Changes that the guard did, and whose callers have no result that says so: the record does. */
import { describe, expect, test } from "bun:test";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Entry } from "../../lib/core/mod.ts";
import { GuardSetup, IS_ROOT, isAlive, python, waitUntil } from "../support/mod.ts";

const LIMIT_MS = 120_000;

/** Changes wait; none of what the tests do is refused. */
async function prepare(): Promise<GuardSetup> {
  const setup = await GuardSetup.create();
  const rule = `[[rules]]\nname = "keep"\naction = ["file.write", "file.create", "file.truncate"]\n` +
    `path = "${setup.work}/keep/**"\nverdict = "deny"\n`;
  await writeFile(setup.policy, `version = 1\nname = "left"\nmode = "enforce"\n[default]\n"*" = "allow"\n${rule}`);
  await writeFile(join(setup.work, "full"), "as it was");
  return setup;
}

/** What the record says was done to the file. */
function doneTo(entries: readonly Entry[], path: string): readonly string[] {
  return entries.flatMap(({ action }) =>
    action !== undefined && action.type.startsWith("file.") && "path" in action && action.path === path &&
      "result" in action && action.result === "0"
      ? [action.type]
      : []
  );
}

/** Has a lease on the file: an open for writing waits until it is given up (fcntl(2), leases). */
const LEASE = `
import fcntl, os, signal, sys, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
fd = os.open(sys.argv[1], os.O_RDONLY)
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
print('leased', flush=True)
while fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_RDLCK: time.sleep(0.01)
print('asked', flush=True)
sys.stdin.readline()
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
`;

describe.skipIf(!IS_ROOT)("a change whose caller has no result", () => {
  test.each([
    ["empties the file", ": > full", ["file.truncate"], ""],
    ["only opens it", ": >> full", [], "as it was"],
  ])("of a caller that is killed while the guard %s", async (_name, line, done, content) => {
    await using setup = await prepare();
    const file = join(setup.work, "full");
    await using lease = Bun.spawn([...python(LEASE, file)], { stdin: "pipe", stdout: "pipe" });
    const said = lease.stdout.getReader();
    const decoder = new TextDecoder();
    expect(decoder.decode((await said.read()).value)).toBe("leased\n");
    await using guard = setup.start(["/bin/bash", "-c", `(${line}) & echo $!; wait $!; echo over`]);
    expect(decoder.decode((await said.read()).value)).toBe("asked\n");
    await waitUntil("the caller's number", () => guard.stdout.includes("\n"));
    const pid = parseInt(guard.stdout);
    process.kill(pid, "SIGKILL");
    await waitUntil("the caller's end", () => !isAlive(pid));
    await lease.stdin.write("\n");
    await lease.stdin.end();
    await guard.ended();
    expect(guard.stdout).toEndWith("over\n");
    expect(await readFile(file, "utf8")).toBe(content);
    expect(doneTo(await setup.entries(), file)).toEqual(done);
  }, LIMIT_MS);

  test("of a caller that has no room for another descriptor", async () => {
    await using setup = await prepare();
    const program = `
import os, resource
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
for name, flags in (('made', os.O_CREAT | os.O_WRONLY), ('full', os.O_WRONLY | os.O_TRUNC), ('full', os.O_WRONLY)):
    try: os.open(name, flags)
    except OSError as e: print(e.errno)
`;
    expect((await setup.guard(python(program))).stdout).toBe("24\n24\n24\n");
    const [made, full] = [join(setup.work, "made"), join(setup.work, "full")];
    expect([(await stat(made)).size, (await stat(full)).size]).toEqual([0, 0]);
    const entries = await setup.entries();
    expect(doneTo(entries, made)).toEqual(["file.create"]);
    expect(doneTo(entries, full)).toEqual(["file.truncate"]);
  }, LIMIT_MS);
});
