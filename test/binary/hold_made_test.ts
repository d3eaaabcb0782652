/** New files that are made while their opens wait: as the kernel would have made them, and recorded as made. */
import { describe, expect, test } from "bun:test";
import { chown, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { GuardSetup, IS_ROOT, python } from "../support/mod.ts";

const LIMIT_MS = 120_000;
const NOBODY = 65_534;

/** What is opened waits, by reading and by writing; `keep` is closed to both. */
async function prepare(): Promise<GuardSetup> {
  const setup = await GuardSetup.create();
  const rule = '[[rules]]\nname = "keep"\naction = ["file.read", "file.write", "file.create", "file.rename"]\n' +
    `path = ["${setup.work}/keep/**", "**/*.pem"]\nverdict = "deny"\n`;
  await writeFile(setup.policy, `version = 1\nname = "made"\nmode = "enforce"\n[default]\n"*" = "allow"\n${rule}`);
  for (const name of ["keep", "free", "free/listed"]) {
    await mkdir(join(setup.work, name));
    await chown(join(setup.work, name), NOBODY, NOBODY);
  }
  await writeFile(join(setup.work, "keep", "x"), "as it was");
  return setup;
}

async function madeIn(setup: GuardSetup): Promise<readonly string[]> {
  return (await setup.entries()).flatMap(({ action }) =>
    action?.type === "file.create" && "path" in action && "result" in action && action.result === "0"
      ? [relative(setup.work, action.path)]
      : []
  );
}

describe.skipIf(!IS_ROOT)("a new file", () => {
  test("may be one that its maker could not open a second time", async () => {
    await using setup = await prepare();
    // A default access list whose owner may read alone (linux/posix_acl_xattr.h: version 2; tag, rights, id of each).
    const list = `
import os, struct
entries = [(0x01, 4), (0x04, 0), (0x20, 0)]
acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', tag, rights, 0xffffffff) for tag, rights in entries)
os.setxattr('free/listed', 'system.posix_acl_default', acl)
`;
    await using listed = Bun.spawn([...python(list)], { cwd: setup.work });
    expect(await listed.exited).toBe(0);
    const program = `
import os
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
for name, umask, mode in [('plain', 0o022, 0o644), ('object', 0o022, 0o444), ('none', 0o777, 0o644),
    ('listed/x', 0o022, 0o644)]:
    os.umask(umask)
    fd = os.open('free/' + name, os.O_CREAT | os.O_RDWR | os.O_EXCL | os.O_TRUNC, mode); os.write(fd, b'text')
    print(name, os.pread(fd, 9, 0).decode(), oct(os.fstat(fd).st_mode & 0o7777), os.fstat(fd).st_uid)
    try: os.open('free/' + name, os.O_CREAT | os.O_WRONLY | os.O_EXCL); print('made twice')
    except FileExistsError: pass
`;
    const done = await setup.guard(python(program));
    expect(done.stderr).not.toContain("Traceback");
    expect(done.stdout.split("\n")).toEqual([
      "plain text 0o644 65534",
      "object text 0o444 65534",
      "none text 0o0 65534",
      "listed/x text 0o400 65534",
      "",
    ]);
    expect(await madeIn(setup)).toEqual(["free/plain", "free/object", "free/none", "free/listed/x"]);
  }, LIMIT_MS);

  test("is recorded as made for each of many threads, and as opened where it was there", async () => {
    await using setup = await prepare();
    const program = `
import os, threading
def run(n):
    for i in range(50): os.close(os.open(f'free/{n}-{i % 25}', os.O_CREAT | os.O_WRONLY, 0o644))
threads = [threading.Thread(target=run, args=(n,)) for n in range(8)]
for t in threads: t.start()
for t in threads: t.join()
`;
    const done = await setup.guard(python(program));
    expect(done.exit_code).toBe(0);
    const made = await madeIn(setup);
    expect(made.length).toBe(200);
    expect(new Set(made).size).toBe(200);
  }, LIMIT_MS);

  test("is never another one that is put in its place meanwhile", async () => {
    await using setup = await prepare();
    // One thread makes files under one name, another puts what is kept, or a link to it, in their place.
    const program = `
import os, threading
over = False; opened = refused = 0
def swap():
    while not over:
        for step in (lambda: os.rename('keep/x', 'free/name'), lambda: os.symlink('../keep/x', 'free/link'),
            lambda: os.rename('free/link', 'free/name'), lambda: os.link('keep/x', 'free/name')):
            try: step()
            except OSError: pass
t = threading.Thread(target=swap); t.start()
for i in range(3000):
    try: os.unlink('free/name')
    except OSError: pass
    try:
        fd = os.open('free/name', os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o644); opened += 1
        if os.read(fd, 9): print('read')
        os.write(fd, b'mine'); os.close(fd)
    except OSError: refused += 1
over = True; t.join(); print(opened > 0, opened + refused)
`;
    const done = await setup.guard(python(program));
    expect(done.stdout).toBe("True 3000\n");
    expect(await readFile(join(setup.work, "keep", "x"), "utf8")).toBe("as it was");
    expect((await stat(join(setup.work, "keep", "x"))).nlink).toBe(1);
  }, LIMIT_MS);
});
