/** Ways to have somebody else do it: the guard, which opens and changes files for the command, or the kernel. */
import { spawn } from "node:child_process";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type EscapeCase, type Expectation, leaked, type Place, refusedBy, saidOk, SECRET } from "../harness/mod.ts";

/** While reads and writes are held the guard opens every file. */
const HELD = 'action = ["file.read", "file.write"]\npath = "@DIR@/closed/**"\nverdict = "deny"';
const OTHERWISE: Expectation = { label: "none", mechanism: "none", effect: "may" };
const NOBODY = 65534;

/** A process of an ordinary user outside of the tree; it ends with the suite. */
async function otherProcess({ dir }: Place): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const other = spawn("cat", [], {
    uid: NOBODY,
    gid: NOBODY,
    env: { PATH: process.env["PATH"], OTHERS_SECRET: SECRET },
    stdio: ["pipe", "ignore", "ignore"],
  });
  other.once("spawn", resolve);
  other.once("error", reject);
  await promise;
  other.unref();
  await writeFile(join(dir, "pid"), String(other.pid));
}

function other(way: string, escape: string, happened: EscapeCase["happened"]): EscapeCase {
  return {
    id: `deputy-${way}`,
    escape: `an ordinary user's process outside of the tree: ${escape}`,
    rules: [HELD],
    prepare: otherProcess,
    command: ({ program, dir }) => [program("deputy"), way, readFileSync(join(dir, "pid"), "utf8")],
    happened,
    expected: [refusedBy("scope", "landlock"), OTHERWISE],
  };
}

async function closed({ dir }: Place): Promise<void> {
  await mkdir(join(dir, "closed"));
  await writeFile(join(dir, "file"), `${SECRET}\n`);
  await writeFile(join(dir, "closed", "file"), `${SECRET}\n`);
  await chmod(join(dir, "closed", "file"), 0o600);
}

/** Attempts through others. */
export const DEPUTIES: readonly EscapeCase[] = [
  other("memory", "its memory", saidOk),
  other("environ", "its environment", leaked),
  other("root", "its root", saidOk),
  other("descriptor", "its descriptors", saidOk),
  {
    id: "deputy-landlock",
    escape: "a program that shut itself in by Landlock, out again by the guard",
    rules: [HELD],
    prepare: closed,
    command: ({ program, dir }) => [program("deputy"), "landlock", join(dir, "file")],
    happened: saidOk,
    expected: [{ label: "none", mechanism: "seccomp" }],
  },
  {
    id: "deputy-list",
    escape: "an access control list instead of a mode",
    rules: ['action = "file.chmod"\npath = "@DIR@/closed/**"\nverdict = "deny"'],
    prepare: closed,
    command: ({ program, dir }) => [program("deputy"), "list", join(dir, "closed", "file")],
    happened: ({ place }) => (lstatSync(join(place.dir, "closed", "file")).mode & 0o077) !== 0,
    expected: [{ label: "none", mechanism: "seccomp" }],
  },
  {
    id: "deputy-core",
    escape: "a core file that the kernel writes",
    rules: ['action = ["file.create", "file.write"]\npath = "@DIR@/closed/**"\nverdict = "deny"'],
    prepare: closed,
    command: ({ program, dir }) => [program("deputy"), "core", join(dir, "closed")],
    happened: ({ place }) => readdirSync(join(place.dir, "closed")).length > 1,
    expected: [refusedBy("privileges", "privileges"), OTHERWISE],
  },
];
