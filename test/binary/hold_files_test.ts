/** Changes of files that wait for the guard: refused before any effect, or done as their callers would have. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFile, link, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Compiler, decided, GuardSetup, IS_ROOT, python } from "../support/mod.ts";

const LIMIT_MS = 120_000;
const TRIALS = 5_000;
const CHANGES = '"file.write", "file.create", "file.truncate", "file.delete", "file.rename", "file.mkdir", ' +
  '"file.rmdir", "file.chmod", "file.chown", "file.mknod", "file.link", "file.symlink"';

const HEAD = `version = 1\nname = "files"\nmode = "enforce"\n[default]\n"*" = "allow"\n`;

const rule = (name: string, place: string, actions: string): string =>
  `[[rules]]\nname = "${name}"\naction = [${actions}]\npath = ["${place}/keep/**", "${place}/alone"]\n` +
  'verdict = "deny"\n';

const policy = (work: string, actions: string, more = ""): string => `${HEAD}${rule("keep", work, actions)}${more}`;

/** `keep/x`, `alone` and the free directory `free`, with a file in it that is also `alone`. */
async function fill(place: string): Promise<void> {
  for (const name of ["keep", "free"]) await mkdir(join(place, name), { recursive: true });
  for (const name of ["keep/x", "alone", "free/a"]) await writeFile(join(place, name), "as it was");
  await link(join(place, "alone"), join(place, "free", "hard"));
  await symlink("../keep", join(place, "free", "soft"));
}

/** Each is tried in a directory of its own, by one guarded shell after the other. */
const REFUSED: readonly string[] = [
  "rm keep/x",
  "mv keep/x free/y",
  "mv free/a keep/x",
  "mv keep other",
  "ln keep/x free/h",
  "mkdir keep/d",
  "mknod keep/p p",
  "ln -s x keep/l",
  "chmod 600 keep/x",
  "chown 1:1 keep/x",
  "truncate -s 0 keep/x",
  ": > keep/x",
  "echo more >> keep/x",
  ": > keep/new",
  ": > free/soft/x",
  ": > free/soft/new",
  "cd free/soft && : > x",
  ": > free/../keep/./x",
  ": > /proc/self/cwd/keep/x",
  ": > /proc/self/root$PWD/keep/x",
  "exec 5<keep/x; : > /proc/self/fd/5",
  "exec 5<keep/x; chmod 600 /dev/fd/5",
  "python3 -c 'import os; os.fchmod(os.open(\"keep/x\", os.O_RDONLY), 0o600)'",
  "cp free/a keep/x",
  "dd if=/dev/null of=keep/x",
  "sed -i s/was/is/ keep/x",
  "echo more >> free/hard",
  "chmod 600 free/hard",
  "ln -s . keep/l",
];

/** The directory of a line. */
function placeOf(index: number): string {
  return `line-${index}`;
}

async function expectUntouched(work: string, place = "."): Promise<void> {
  for (const name of ["keep/x", "alone"]) {
    expect(await readFile(join(work, place, name), "utf8")).toBe("as it was");
    expect((await stat(join(work, place, name))).mode & 0o777).toBe(0o644);
  }
}

describe.skipIf(!IS_ROOT)("a held change of a file", () => {
  let compiler: Compiler;
  let flip = "";
  let tried: GuardSetup;
  /** What the shells said, by place. */
  const said = new Map<string, string>();
  let refusals: ReturnType<typeof decided> = [];

  beforeAll(async () => {
    compiler = await Compiler.create();
    flip = await compiler.compile(join(import.meta.dir, "fixtures", "hold_files_flip.c"), "flip");
    tried = await GuardSetup.create();
    const places = REFUSED.map((_, index) => placeOf(index));
    for (const place of places) await fill(join(tried.work, place));
    const rules = places.map((place) => rule(`keep-${place}`, join(tried.work, place), CHANGES));
    await writeFile(tried.policy, `${HEAD}${rules.join("")}`);
    const script = REFUSED.map((line, index) =>
      `cd "$0/${placeOf(index)}"; /bin/bash -c '${line.replaceAll("'", "'\\''")}'; echo "goes on $?" > "$1/${
        placeOf(index)
      }.said"\n`
    );
    await tried.guard(["/bin/bash", "-c", script.join(""), tried.work, tried.dir.path]);
    for (const place of places) said.set(place, await readFile(tried.dir.join(`${place}.said`), "utf8"));
    refusals = decided(await tried.entries()).filter(({ decision }) => decision.decision?.verdict === "deny");
  }, LIMIT_MS);

  afterAll(async () => {
    await tried[Symbol.asyncDispose]();
    await compiler[Symbol.asyncDispose]();
  });

  async function prepare(actions = CHANGES): Promise<GuardSetup> {
    const setup = await GuardSetup.create();
    await writeFile(setup.policy, policy(setup.work, actions));
    await fill(setup.work);
    return setup;
  }

  test.each(REFUSED.map((line, index) => [line, index] as const))(
    "%s: refused, nothing happened",
    async (_line, index) => {
      const place = placeOf(index);
      expect(said.get(place)).toMatch(/^goes on [1-9]/m);
      await expectUntouched(tried.work, place);
      const found = refusals.filter(({ decision }) => decision.decision?.rule === `keep-${place}`);
      expect(found.length).toBeGreaterThan(0);
      for (const { outcomes } of found) {
        expect(outcomes.map((entry) => entry.outcome)).toMatchObject([{ label: "prevented", mechanism: "seccomp" }]);
      }
    },
    LIMIT_MS,
  );

  test("a name that only writing is forbidden of is not taken away, replaced or given a second name", async () => {
    await using setup = await prepare('"file.write", "file.create", "file.truncate"');
    const line = "mv keep other; mv keep/x free/y; ln keep/x free/h; mv free/a keep/x; mv -T free keep; ls";
    const done = await setup.guard(["/bin/bash", "-c", line]);
    expect(done.stdout).toBe("alone\nfree\nkeep\n");
    await expectUntouched(setup.work);
  }, LIMIT_MS);

  test("everything else is done as if nobody had looked", async () => {
    await using setup = await prepare();
    const program = `
import os, stat, subprocess, tempfile
os.umask(0o027)
with open('free/new', 'w+') as f:
    f.write('text'); f.seek(0); print(f.read(), oct(os.stat('free/new').st_mode & 0o777))
d = os.open('free', os.O_RDONLY)
os.close(os.open('rel', os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666, dir_fd=d))
print(oct(os.stat('free/rel').st_mode & 0o777))
os.rename('rel', 'moved', src_dir_fd=d, dst_dir_fd=d); os.link('moved', 'twice', src_dir_fd=d, dst_dir_fd=d)
os.symlink('twice', 'soft2', dir_fd=d); os.mkdir('sub', dir_fd=d); os.mkfifo('pipe', dir_fd=d)
print(sorted(os.listdir('free')))
os.chmod('free/soft2', 0o600); os.chown('free/twice', 65534, 65534); os.truncate('free/moved', 3)
info = os.stat('free/moved'); print(oct(info.st_mode & 0o777), info.st_uid, info.st_size, info.st_nlink)
fd = os.open('free/new', os.O_RDWR | os.O_APPEND); os.write(fd, b'more'); os.ftruncate(fd, 6); os.fchmod(fd, 0o644)
print(open('free/new').read(), os.get_inheritable(fd))
with tempfile.TemporaryFile(dir='free') as f: f.write(b'1')
reader = subprocess.Popen(['cat', 'free/pipe'], stdout=subprocess.PIPE)
with open('free/pipe', 'w') as f: f.write('through the pipe')
print(reader.communicate()[0].decode())
new = os.O_CREAT | os.O_WRONLY
for name, flags, error in [('free/new', new | os.O_EXCL, FileExistsError), ('free', os.O_WRONLY, IsADirectoryError),
    ('none/x', new, FileNotFoundError), ('free/new/x', new, NotADirectoryError),
    ('free/soft2', os.O_WRONLY | os.O_NOFOLLOW, OSError)]:
    try: os.open(name, flags); print('opened', name)
    except error: pass
print(open('/proc/self/comm', 'r+').read().strip() != '', open('/dev/null', 'w').write('x'))
os.unlink('free/pipe'); os.rmdir('free/sub'); os.replace('free/new', 'free/moved'); print(sorted(os.listdir('free')))
`;
    const done = await setup.guard(python(program));
    expect(done.stderr).not.toContain("Traceback");
    expect(done.stdout.split("\n")).toEqual([
      "text 0o640",
      "0o640",
      "['a', 'hard', 'moved', 'new', 'pipe', 'soft', 'soft2', 'sub', 'twice']",
      "0o600 65534 3 2",
      "textmo False",
      "through the pipe",
      "True 1",
      "['a', 'hard', 'moved', 'soft', 'soft2', 'twice']",
      "",
    ]);
    await expectUntouched(setup.work);
  }, LIMIT_MS);

  test("is counted and recorded once, also where nobody needs to be asked", async () => {
    await using setup = await prepare();
    const program =
      "import os\nfor i in range(300): os.close(os.open(f'free/n{i % 3}', os.O_CREAT | os.O_RDWR, 0o644))\n";
    const done = await setup.guard(python(program));
    expect(done.exit_code).toBe(0);
    expect(Number(/(\d+) held/.exec(done.stderr)?.[1])).toBeGreaterThanOrEqual(300);
    const named = (await setup.entries()).filter(({ action }) =>
      action !== undefined && "path" in action && /\/free\/n\d$/.test(action.path)
    );
    const count = (type: string): number => named.filter(({ action }) => action?.type === type).length;
    expect([count("file.create"), count("file.write")]).toEqual([3, 297]);
    expect(named.map(({ kind }) => kind)).toEqual(named.map(() => "observation"));
  }, LIMIT_MS);

  test("with the rights of its caller, not with those of the guard", async () => {
    await using setup = await prepare();
    const program = `
import os
os.mkdir('mine'); os.chown('mine', 65534, 65534); os.chmod('.', 0o755); os.chmod('mine', 0o700)
open('mine/shared', 'w').close(); os.chown('mine/shared', 0, 1234); os.chmod('mine/shared', 0o660)
os.setgroups([1234]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
def tried(what, *args):
    try: what(*args); print('did')
    except PermissionError as e: print(e.errno)
tried(os.unlink, 'free/a'); tried(os.mkdir, 'free/d'); tried(os.chmod, 'free/a', 0o777)
tried(os.chown, 'free/a', 65534, 65534); tried(open, 'free/a', 'w'); tried(open, '/etc/never', 'w')
tried(os.rename, 'free', 'freed'); tried(os.truncate, 'free/a', 0)
tried(open, 'mine/new', 'w'); tried(open, 'mine/shared', 'w'); tried(os.chown, 'mine/new', 0, 0)
info = os.stat('mine/new'); print(info.st_uid, info.st_gid)
`;
    const done = await setup.guard(python(program));
    expect(done.stderr).not.toContain("Traceback");
    expect(done.stdout.split("\n")).toEqual([
      ..."13 13 1 1 13 13 13 13 did did 1".split(" "),
      "65534 65534",
      "",
    ]);
  }, LIMIT_MS);

  test("reading is held too: programs, scripts, pipes and terminals work, the secret is not read", async () => {
    await using setup = await prepare('"file.read"');
    const line = [
      "cat keep/x",
      "cat < free/hard",
      "cp keep/x free/y",
      "ln keep/x free/h",
      "mv keep/x free/m",
      "python3 -c 'print(open(\"keep/x\").read())'",
      "cat /proc/self/root$PWD/keep/x",
      "ls keep",
      'perl -e \'open(F, "<", "keep/x") and print <F>\'',
    ].join("; ");
    const works = "exec 7< <(echo process); cat <&7; diff <(echo a) <(echo a) && echo same; cat free/a; echo; " +
      "mkfifo p; (sleep 0.1; echo pipe > p) & cat p; wait; head -c 4 /dev/urandom | wc -c; sh -c 'echo script'";
    const done = await setup.guard(["/bin/bash", "-c", `${line}; ${works}`]);
    expect(done.stdout).toBe("process\nsame\nas it was\npipe\n4\nscript\n");
    await expectUntouched(setup.work);
  }, LIMIT_MS);

  test("stays within the trees that the command may change, as the kernel would hold it to them", async () => {
    await using setup = await prepare();
    await writeFile(setup.policy, `${policy(setup.work, CHANGES)}\n[guard]\nwrite_trees = ["${setup.work}/free"]\n`);
    const line = "echo a > free/w; mkdir free/d; echo a > outside; mkdir other; mv free/w moved; ls; cat free/w";
    const done = await setup.guard(["/bin/bash", "-c", line]);
    expect(done.stdout).toBe("alone\nfree\nkeep\na\n");
    expect(done.stderr.match(/Permission denied/g)).toHaveLength(3);
  }, LIMIT_MS);

  test("that asks waits; nobody answers, so it is refused", async () => {
    await using setup = await prepare();
    const asking = policy(setup.work, '"file.delete"').replace('verdict = "deny"', 'verdict = "ask"');
    await writeFile(setup.policy, `${asking}\n[approval]\ntimeout = "1s"\n`);
    const done = await setup.guard(["/bin/bash", "-c", "rm keep/x; echo $?"]);
    expect(done.stdout).toBe("1\n");
    await expectUntouched(setup.work);
    const found = decided(await setup.entries()).filter(({ decision }) => decision.decision?.rule === "keep");
    expect(found.map(({ decision }) => decision.decision?.verdict)).toEqual(["ask"]);
    expect(found[0]?.outcomes.map((entry) => entry.outcome)).toMatchObject([{ label: "prevented", by: "expiry" }]);
  }, LIMIT_MS);

  test.each([
    ["memory", ["free/a", "keep/x"]],
    ["link", ["free", "keep", "x"]],
  ])("is about what was decided, whatever another thread does to the %s meanwhile", async (what, names) => {
    await using setup = await prepare('"file.write", "file.create", "file.truncate"');
    await copyFile(flip, join(setup.work, "flip"));
    await writeFile(join(setup.work, "free", "x"), "free");
    const done = await setup.guard(["./flip", String(TRIALS), what, ...names]);
    const [opened, refused] = (/^opened (\d+) refused (\d+)/m.exec(done.stdout) ?? []).slice(1).map(Number);
    expect(opened).toBeGreaterThan(0);
    expect(refused).toBeGreaterThan(0);
    await expectUntouched(setup.work);
    expect((await setup.entries()).filter((entry) => entry.outcome?.label.startsWith("killed"))).toEqual([]);
  }, LIMIT_MS);
});
