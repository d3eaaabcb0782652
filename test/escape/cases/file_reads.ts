/** Ways to read a file that a rule forbids. */
import { link, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type EscapeCase, type Expectation, leaked, type Place, refusedBy, SECRET } from "../harness/mod.ts";

/** Cases with rules about reading alone. */
const READING = "reading";

const RULE = 'action = "file.read"\npath = "@DIR@/closed/secret"\nverdict = "deny"';

/** The kernel's own programs look at the object that would be opened. */
const HOOKED: Expectation = { needs: ["probes.lsm"], label: "prevented", mechanism: "lsm" };
/** Hooks are asked before those who watch. */
const HOOKED_FIRST: Expectation = { needs: ["probes.lsm", "fanotify.open"], label: "prevented", mechanism: "lsm" };
/** The open waits for the guard, which sees the object. */
const WATCHED: Expectation = { needs: ["fanotify.open"], label: "prevented", mechanism: "fanotify" };
/** The call waits for the guard. */
const HELD: Expectation = { label: "prevented", mechanism: "seccomp" };
/** No system call that the guard can see. */
const UNSEEN: Expectation = { label: "none", mechanism: "none", effect: "may" };

const FILTERED = refusedBy("syscalls", "seccomp");
const UNMOUNTED = refusedBy("namespaces", "seccomp");

async function secret({ dir }: Place): Promise<void> {
  await mkdir(join(dir, "closed"));
  await writeFile(join(dir, "closed", "secret"), `${SECRET}\n`);
}

function way(
  name: string,
  escape: string,
  expected: readonly Expectation[] = [HOOKED_FIRST, WATCHED, HELD],
): EscapeCase {
  return {
    id: `read-${name}`,
    escape,
    rules: [RULE],
    prepare: secret,
    command: ({ program, dir }) => [program("read_file"), name, join(dir, "closed", "secret")],
    happened: leaked,
    expected,
  };
}

/** Reads through a second name that was made before the session began. */
function alias(name: string, escape: string, make: (secret: string, alias: string) => Promise<void>): EscapeCase {
  return {
    ...way("name", escape),
    id: `read-${name}`,
    prepare: async (place) => {
      await secret(place);
      await make(join(place.dir, "closed", "secret"), join(place.dir, "alias"));
    },
    command: ({ program, dir }) => [program("read_file"), "name", join(dir, "alias")],
  };
}

/** What a rule closes whatever happens is not there for the command; where calls wait, the guard says so first. */
function masked(name: string, escape: string, more: Partial<EscapeCase> = {}): EscapeCase {
  return {
    ...way(name, escape),
    id: `mask-${name}`,
    rules: ['action = ["file.read", "file.write"]\npath = "@DIR@/closed/**"\nverdict = "deny"'],
    // What is opened with O_PATH alone is not read, and the record cannot tell.
    expected: [
      { needs: ["baseline.mounts", "fanotify.open"], label: "prevented", mechanism: "mounts", alarm: "may" },
      { ...HELD, alarm: "may" },
    ],
    ...more,
  };
}

/** Attempts to read. */
export const FILE_READS: readonly EscapeCase[] = [
  way("name", "the file by its name"),
  // Rules of other cases hold what writes.
  { ...way("both", "opened for reading and writing"), alone: READING },
  // Where calls wait, which those of other cases may, the filter cannot see its flags, and refuses it.
  { ...way("openat2", "openat2", [HOOKED_FIRST, WATCHED, { label: "observed", mechanism: "none" }]), alone: READING },
  way("directory", "a relative name from an opened directory"),
  way("dots", ".. and doubled slashes"),
  way("handle", "name_to_handle_at and open_by_handle_at", [FILTERED, UNSEEN]),
  way("proc-root", "/proc/PID/root"),
  // Mounts of another namespace, that are not watched.
  way("foreign-root", "/proc/PID/root of a process outside of the tree", [
    refusedBy("scope", "landlock"),
    // The guard opens nothing there in a caller's place.
    { label: "none", mechanism: "seccomp" },
  ]),
  way(
    "proc-fd",
    "O_PATH, then /proc/self/fd",
    [HOOKED_FIRST, WATCHED, HELD].map((each) => ({ ...each, alarm: "may" })),
  ),
  way("i386", "32-bit system calls (int 0x80)", [FILTERED, UNSEEN]),
  way("x32", "x32 system calls", [FILTERED, UNSEEN]),
  way("chroot", "chroot to the directory of the file", [refusedBy("privileges", "privileges"), HOOKED, UNSEEN]),
  way("bind-mount", "bind mount under another name in an own namespace", [UNMOUNTED, HOOKED, UNSEEN]),
  way("open-tree", "open_tree and move_mount under another name", [UNMOUNTED, HOOKED, UNSEEN]),
  way("message", "descriptor sent by SCM_RIGHTS"),
  {
    ...way("flood", "behind 10,000 other opens, as fast as they go (1,000 where every call waits)"),
    alone: READING,
    command: ({ program, dir, host }) => {
      const others = host.has("fanotify.open") ? 10_000 : 1_000;
      return [program("read_file"), "flood", join(dir, "closed", "secret"), String(others)];
    },
  },
  { ...way("forks", "from 256 processes that fork each other (fork bomb)"), alone: READING },
  alias("symlink", "symbolic link", symlink),
  alias("hard-link", "hard link made before the session", link),
  {
    ...way("name", "io_uring"),
    id: "read-io-uring",
    command: ({ program, dir }) => [program("io_uring"), "open", join(dir, "closed", "secret")],
    expected: [FILTERED, UNSEEN],
  },
  masked("name", "a masked file by its name"),
  masked("directory", "a masked file from its opened directory"),
  masked("symlink", "a masked file by a symbolic link", {
    prepare: async (place) => {
      await secret(place);
      await symlink(join(place.dir, "closed", "secret"), join(place.dir, "alias"));
    },
    command: ({ program, dir }) => [program("read_file"), "name", join(dir, "alias")],
  }),
];
