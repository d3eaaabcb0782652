/** Ways to start a program that a rule forbids. */
import { chmod, copyFile, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type EscapeCase, type Expectation, made, type Place } from "../harness/mod.ts";

const RULE = 'action = "exec"\nexe = "@DIR@/forbidden"\nverdict = "deny"';
const HELD: Expectation = { label: "prevented", mechanism: "seccomp" };

/** The loader of this machine's C library. */
const LOADER = process.arch === "arm64" ? "/lib/ld-linux-aarch64.so.1" : "/lib64/ld-linux-x86-64.so.2";

async function forbidden({ dir, program }: Place): Promise<void> {
  await copyFile(program("mark"), join(dir, "forbidden"));
}

function shell(name: string, escape: string, line: string, more: Partial<EscapeCase> = {}): EscapeCase {
  return {
    id: `exec-${name}`,
    escape,
    rules: [RULE],
    prepare: forbidden,
    command: () => ["/bin/sh", "-c", line],
    happened: made("proof"),
    expected: [HELD],
    ...more,
  };
}

function started(name: string, escape: string): EscapeCase {
  return shell(name, escape, "", {
    command: ({ program, dir }) => [program("start"), name, join(dir, "forbidden"), "proof"],
  });
}

/** Attempts to start. */
export const PROGRAMS: readonly EscapeCase[] = [
  shell("background", "a & b in a shell", "true & ./forbidden proof; wait"),
  shell("substitution", "$(...) in a shell", 'echo "$(./forbidden proof)"'),
  shell("quoting", "quotes and backslashes in a shell", `./for'bid'd\\en proof`),
  shell("base64", "a command line decoded at run time", 'eval "$(echo Li9mb3JiaWRkZW4gcHJvb2Y= | base64 -d)"'),
  shell("env", "through another program (env)", "env ./forbidden proof"),
  shell("path", "through PATH", 'PATH="$PWD" forbidden proof'),
  shell("xargs", "through xargs", "echo proof | xargs ./forbidden"),
  shell("symlink", "a symbolic link with another name", "./link proof", {
    prepare: async (place) => {
      await forbidden(place);
      await symlink("forbidden", join(place.dir, "link"));
    },
  }),
  shell("interpreter", "as the interpreter of a script", "./script proof", {
    prepare: async (place) => {
      await forbidden(place);
      await writeFile(join(place.dir, "script"), `#!${join(place.dir, "forbidden")}\n`);
      await chmod(join(place.dir, "script"), 0o755);
      await mkdir(join(place.dir, "nothing"));
    },
    happened: made("script-ran"),
  }),
  {
    ...shell("loader", "ld-linux.so PROGRAM: mapped by the loader, never executed", ""),
    prepare: async ({ dir }) => await copyFile("/usr/bin/touch", join(dir, "forbidden")),
    command: ({ dir }) => [LOADER, join(dir, "forbidden"), "proof"],
    expected: [HELD],
  },
  shell(
    "long",
    "behind more arguments than anybody reads",
    './forbidden proof "$(head -c 70000 /dev/zero | tr "\\0" a)" no',
    {
      rules: ['action = "exec"\nexe = "@DIR@/forbidden"\nargv = ["...", "no", "..."]\nverdict = "deny"'],
    },
  ),
  started("descriptor", "execveat on a descriptor"),
  started("thread", "from a thread that is not the first"),
  started("spawn", "posix_spawn (vfork)"),
  started("rewriting", "argv rewritten by another thread during execve"),
  {
    ...started("memfd", "memfd and execveat"),
    rules: ['action = "exec"\nexe = "/memfd:*"\nverdict = "deny"'],
  },
];
