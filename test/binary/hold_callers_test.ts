/**
 * What the guard keeps of callers from one held call to the next: their credentials, roots, umasks and numbers. None of
 * it may be used for anybody else.
 */
import { describe, expect, test } from "bun:test";
import { exists, mkdir, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { GuardSetup, IS_ROOT, python } from "../support/mod.ts";

const LIMIT_MS = 120_000;

/** Reads, changes and removals all wait; nothing of what the tests do is refused but what is in `keep`. */
async function prepare(): Promise<GuardSetup> {
  const setup = await GuardSetup.create();
  const rule = `[[rules]]\nname = "keep"\naction = "file.*"\npath = "${setup.work}/keep/**"\nverdict = "deny"\n`;
  const guard = '[guard]\ncapabilities = ["sys_chroot"]\n';
  const head = `version = 1\nname = "callers"\nmode = "enforce"\n${guard}[default]\n"*" = "allow"\n`;
  await writeFile(setup.policy, head + rule);
  await mkdir(join(setup.work, "keep"));
  await writeFile(join(setup.work, "keep", "x"), "x");
  return setup;
}

/** The last lines that a program printed; a traceback shows in what is expected. */
async function said(setup: GuardSetup, program: string): Promise<readonly string[]> {
  const done = await setup.guard(python(program));
  return [...done.stdout.trimEnd().split("\n"), ...done.stderr.split("\n").filter((line) => line.includes("Error"))];
}

describe.skipIf(!IS_ROOT)("what is kept of callers between held calls", () => {
  test("two who call in turn have their own rights and umask, each time", async () => {
    await using setup = await prepare();
    const program = `
import os
os.mkdir('all'); os.chmod('.', 0o755); os.chmod('all', 0o777)
for name in ('of-root', 'of-nobody'):
    open(name, 'w').close(); os.chmod(name, 0o600)
os.chown('of-nobody', 65534, 65534)
def tried(name):
    try: os.close(os.open(name, os.O_RDONLY)); return 'did'
    except OSError as e: return str(e.errno)
down, up = os.pipe(), os.pipe()
if os.fork() == 0:
    os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534); os.umask(0o077)
    seen = set()
    while os.read(down[0], 1) == b'g':
        seen.add(tried('of-root') + ' ' + tried('of-nobody'))
        os.close(os.open('all/n', os.O_CREAT | os.O_WRONLY, 0o666)); seen.add(oct(os.stat('all/n').st_mode & 0o777))
        os.unlink('all/n'); os.write(up[1], b'd')
    print(sorted(seen), flush=True); os._exit(0)
os.umask(0o002)
seen = set()
for i in range(300):
    os.write(down[1], b'g')
    if i % 2: os.read(up[0], 1)
    seen.add(tried('of-root') + ' ' + tried('of-nobody'))
    os.close(os.open('all/r', os.O_CREAT | os.O_WRONLY, 0o666)); seen.add(oct(os.stat('all/r').st_mode & 0o777))
    os.unlink('all/r')
    if i % 2 == 0: os.read(up[0], 1)
os.write(down[1], b'e'); os.wait()
print(sorted(seen))
`;
    expect(await said(setup, program)).toEqual(["['0o600', '13 did']", "['0o664', 'did did']"]);
  }, LIMIT_MS);

  test("a FIFO is opened with its caller's rights, whoever that is", async () => {
    await using setup = await prepare();
    const program = `
import os
os.mkdir('all'); os.chmod('.', 0o755); os.chmod('all', 0o777)
os.mkfifo('of-root'); os.chmod('of-root', 0o600)
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
os.mkfifo('all/pipe')
pid = os.fork()
if pid == 0:
    with open('all/pipe', 'w') as to: to.write('through')
    os._exit(0)
print(open('all/pipe').read()); os.waitpid(pid, 0)
try: os.open('of-root', os.O_RDONLY)
except OSError as e: print(e.errno)
`;
    expect(await said(setup, program)).toEqual(["through", "13"]);
  }, LIMIT_MS);

  test("who changes its root finds what is there, and so does who did not", async () => {
    await using setup = await prepare();
    await mkdir(join(setup.work, "jail", "sub"), { recursive: true });
    const program = `
import os
top = os.open('/', os.O_RDONLY); here = os.getcwd()
def made(name):
    try: os.close(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_EXCL)); return 'made'
    except OSError as e: return str(e.errno)
print(made(here + '/a'), made(here + '/keep/a'), made('keep/b'), flush=True)
pid = os.fork()
if pid == 0:
    os.chroot('jail')
    print(made('/b'), made('/sub/../../../c'), made('keep/d'), made(here + '/e'), flush=True)
    os.chdir('/')
    print(made('f'), made('../../g'), made('sub/h'), flush=True)
    os.fchdir(top); os.chroot('.')
    print(made(here + '/i'), made(here + '/keep/j'), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print(made(here + '/k'), made('keep/l'), made(here + '/../' + os.path.basename(here) + '/keep/m'))
`;
    expect(await said(setup, program)).toEqual([
      "made 1 1",
      "made made 1 2",
      "made made made",
      "made 1",
      "made 1 1",
    ]);
    const there = ["a", "jail/b", "jail/c", "jail/f", "jail/g", "jail/sub/h", "i", "k"];
    for (const name of there) expect(await exists(join(setup.work, name))).toBe(true);
    for (const name of ["b", "c", "f", "g", "e", "keep/a", "keep/d"]) {
      expect(await exists(join(setup.work, name))).toBe(false);
    }
  }, LIMIT_MS);

  test("two with roots of their own call in turn, one of them in more groups than one look tells of", async () => {
    await using setup = await prepare();
    await mkdir(join(setup.work, "jail"));
    const program = `
import os
here = os.getcwd()
def made(name):
    try: os.close(os.open(name, os.O_CREAT | os.O_WRONLY | os.O_EXCL)); return 'made'
    except OSError as e: return str(e.errno)
down, up = os.pipe(), os.pipe()
if os.fork() == 0:
    os.setgroups(range(100, 140)); os.chroot('jail'); os.chdir('/')
    seen = set()
    for i in range(20):
        os.read(down[0], 1); seen.add(made(f'/of-jail-{i}')); seen.add(made(f'also-{i}')); os.write(up[1], b'd')
    print(sorted(seen), flush=True); os._exit(0)
seen = set()
for i in range(20):
    seen.add(made(f'{here}/outside-{i}')); seen.add(made(f'near-{i}')); os.write(down[1], b'g'); os.read(up[0], 1)
os.wait()
print(sorted(seen), made(here + '/keep/a'), made('keep/a'))
`;
    expect(await said(setup, program)).toEqual(["['made']", "['made'] 1 1"]);
    for (const name of ["jail/of-jail-7", "jail/also-7", "outside-7", "near-7"]) {
      expect(await exists(join(setup.work, name))).toBe(true);
    }
  }, LIMIT_MS);

  test("names that need a second look: dots, slashes, links, nothing, /proc", async () => {
    await using setup = await prepare();
    await mkdir(join(setup.work, "d"));
    await symlink("keep", join(setup.work, "k"));
    const program = `
import os
os.symlink('d', 'l'); os.symlink('d/new', 'dangling'); os.symlink('/proc/self', 'me')
def tried(what, *args):
    try: what(*args); return 'did'
    except OSError as e: return str(e.errno)
touch = lambda name: os.close(os.open(name, os.O_CREAT | os.O_WRONLY, 0o600))
print(tried(touch, 'l/a'), tried(touch, 'd/../b'), tried(touch, './/d//c'), tried(touch, 'dangling'))
print(*[tried(touch, name) for name in ('d/', '.', '..', 'no/a', 'b/a', '')])
print(tried(touch, 'k/a'), tried(os.unlink, 'k/x'), tried(os.rename, 'b', 'k/b'), tried(os.link, 'b', 'd/../k/b'))
print(tried(os.unlink, 'l/'), *[tried(os.rmdir, name) for name in ('l/', 'd/.', 'no')], tried(os.mkdir, 'e/'))
read = lambda name: open(name).read()
print(read('me/comm') == read('/proc/%d/comm' % os.getpid()), tried(os.open, 'me/root/proc/self/mem', os.O_RDONLY))
print(*[tried(os.open, name, os.O_WRONLY) for name in ('/proc/self/cwd/keep/x', 'me/cwd/k/x')])
print(sorted(os.listdir('d')), sorted(os.listdir('.')))
`;
    expect(await said(setup, program)).toEqual([
      "did did did did",
      "21 21 21 2 20 2",
      "1 1 1 1",
      "20 20 22 2 did",
      "True did",
      "1 1",
      "['a', 'c', 'new'] ['b', 'd', 'dangling', 'e', 'k', 'keep', 'l', 'me']",
    ]);
  }, LIMIT_MS);

  test("more callers than are remembered, and numbers that come again", async () => {
    await using setup = await prepare();
    const program = `
import os, threading
os.mkdir('t')
def work(i):
    for n in range(5):
        name = 't/%d.%d' % (i, n)
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY)); os.rename(name, name + '.x')
threads = [threading.Thread(target=work, args=(i,)) for i in range(150)]
for each in threads: each.start()
for each in threads: each.join()
for i in range(100):
    pid = os.fork()
    if pid == 0: os.close(os.open('t/f%d' % i, os.O_CREAT | os.O_WRONLY)); os._exit(0)
    os.waitpid(pid, 0)
print(len(os.listdir('t')))
`;
    expect(await said(setup, program)).toEqual([String(150 * 5 + 100)]);
    expect((await stat(join(setup.work, "keep", "x"))).size).toBe(1);
  }, LIMIT_MS);
});
