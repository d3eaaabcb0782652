/** Ways to change what a rule forbids to change, and ways to get at it by changing names first. */
import { lstatSync } from "node:fs";
import { link, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  changed,
  type EscapeCase,
  type Expectation,
  gone,
  leaked,
  made,
  type Place,
  refusedBy,
  SECRET,
} from "../harness/mod.ts";

/** The call waits for the guard, which does it itself or refuses it. */
const HELD: Expectation = { label: "prevented", mechanism: "seccomp" };
const FILTERED = refusedBy("syscalls", "seccomp");

async function secret({ dir }: Place): Promise<void> {
  await mkdir(join(dir, "closed"));
  await writeFile(join(dir, "closed", "secret"), `${SECRET}\n`);
  await writeFile(join(dir, "other"), "another file\n");
}

/** `action` on the file or directory below `closed`. */
function change(
  way: string,
  action: string,
  escape: string,
  more: Pick<EscapeCase, "happened"> & { readonly path?: string; readonly other?: string },
): EscapeCase {
  const { path = "closed/secret", other = "elsewhere", happened } = more;
  return {
    id: `change-${way}`,
    escape,
    rules: [`action = "${action}"\npath = "@DIR@/closed/**"\nverdict = "deny"`],
    prepare: secret,
    command: ({ program, dir }) => [program("change_file"), way, join(dir, path), join(dir, other)],
    happened,
    expected: [HELD],
  };
}

function modeOf(name: string): (seen: { readonly place: Place }) => number {
  return ({ place }) => lstatSync(join(place.dir, name)).mode & 0o777;
}

/** A shell that moves names around and then reads: only reading is forbidden. */
function moved(name: string, escape: string, line: string): EscapeCase {
  return {
    id: `move-${name}`,
    escape,
    rules: ['action = "file.read"\npath = "@DIR@/closed/**"\nverdict = "deny"'],
    prepare: secret,
    command: ({ program }) => ["/bin/sh", "-c", line, program("read_file")],
    happened: leaked,
    expected: [HELD],
  };
}

const mode = modeOf("closed/secret");

/** Attempts to change. */
export const FILE_CHANGES: readonly EscapeCase[] = [
  change("unlink", "file.delete", "unlink", { happened: gone("closed/secret") }),
  change("unlinkat", "file.delete", "unlinkat in an opened directory", { happened: gone("closed/secret") }),
  change("rename", "file.rename", "rename away", { happened: made("elsewhere") }),
  change("rename-over", "file.rename", "rename another file over it", {
    other: "other",
    happened: changed("closed/secret"),
  }),
  change("exchange", "file.rename", "renameat2 that exchanges two names", {
    other: "other",
    happened: changed("closed/secret"),
  }),
  change("link", "file.link", "hard link", { happened: made("elsewhere") }),
  change("link-descriptor", "file.link", "hard link of a descriptor (/proc/self/fd)", { happened: made("elsewhere") }),
  change("symlink", "file.symlink", "symbolic link in a closed directory", {
    path: "closed/new",
    happened: made("closed/new"),
  }),
  change("mkdir", "file.mkdir", "mkdir", { path: "closed/new", happened: made("closed/new") }),
  change("mknod", "file.mknod", "mknod", { path: "closed/new", happened: made("closed/new") }),
  {
    ...change("bind", "file.mknod", "a unix socket bound to a name", {
      path: "closed/new",
      happened: made("closed/new"),
    }),
    expected: [
      { needs: ["probes.lsm"], label: "prevented", mechanism: "lsm" },
      { label: "killed_after_effect", mechanism: "signal", effect: "may" },
    ],
  },
  change("create", "file.create", "open with O_CREAT", { path: "closed/new", happened: made("closed/new") }),
  change("chmod", "file.chmod", "chmod", { happened: (seen) => mode(seen) === 0o777 }),
  change("fchmod", "file.chmod", "fchmod of a descriptor", { happened: (seen) => mode(seen) === 0o777 }),
  change("chown", "file.chown", "chown", {
    happened: ({ place }) => lstatSync(join(place.dir, "closed", "secret")).uid === 12345,
  }),
  change("truncate", "file.truncate", "truncate", { happened: changed("closed/secret") }),
  change("open-truncate", "file.truncate", "open with O_TRUNC", { happened: changed("closed/secret") }),
  change("write", "file.write", "open for writing", { happened: changed("closed/secret") }),
  {
    ...change("rmdir", "file.rmdir", "rmdir", { path: "closed/empty", happened: gone("closed/empty") }),
    prepare: async (place) => {
      await secret(place);
      await mkdir(join(place.dir, "closed", "empty"));
    },
  },
  {
    ...change("unlink", "file.delete", "io_uring unlink", { happened: gone("closed/secret") }),
    id: "change-io-uring",
    command: ({ program, dir }) => [program("io_uring"), "unlink", join(dir, "closed", "secret")],
    expected: [FILTERED, { label: "none", mechanism: "none", effect: "may" }],
  },
  moved("file", "the file renamed, then read", 'mv closed/secret open-name && "$0" name "$PWD/open-name"'),
  moved("parent", "the directory renamed, then read", 'mv closed opened && "$0" name "$PWD/opened/secret"'),
  moved("link", "a hard link made during the session, then read", 'ln closed/secret new && "$0" name "$PWD/new"'),
  {
    ...moved("old-link", "the hard link from before the session renamed, then read", ""),
    prepare: async (place) => {
      await secret(place);
      await link(join(place.dir, "closed", "secret"), join(place.dir, "alias"));
    },
    command: ({ program }) => ["/bin/sh", "-c", 'mv alias beta && "$0" name "$PWD/beta"', program("read_file")],
    // What the name says of it is nothing; what it is, the open shows.
    expected: [
      { needs: ["probes.lsm", "fanotify.open"], label: "prevented", mechanism: "lsm" },
      { needs: ["fanotify.open"], label: "prevented", mechanism: "fanotify" },
      HELD,
    ],
  },
];
