/**
 * Ways to have something done by a process that is no child of the command: job daemons, service managers, container
 * engines, a login on the same machine. The rules are those of `examples/coding-agent.toml`, with other places.
 */
import { copyFile, mkdir, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { type EscapeCase, type Expectation, made, type Place, saidOk } from "../harness/mod.ts";

const HELD: Expectation = { label: "prevented", mechanism: "seccomp" };
const MASKED: Expectation = { needs: ["baseline.mounts"], label: "prevented", mechanism: "mounts" };
const HOOKED: Expectation = { needs: ["probes.lsm"], label: "prevented", mechanism: "lsm" };
const NAMED: Expectation = { needs: ["probes.unix"], label: "prevented", mechanism: "cgroup" };
const AFTER: Expectation = { label: "killed_after_effect", mechanism: "signal", effect: "may" };

/** A client of a job daemon or service manager, by its name. */
function client(name: string, escape: string, line: string): EscapeCase {
  return {
    id: `helper-${name}`,
    escape,
    rules: [`action = "exec"\nexe = "@DIR@/${name}"\nverdict = "deny"`],
    prepare: ({ dir, program }) => copyFile(program("mark"), join(dir, name)),
    command: () => ["/bin/sh", "-c", line],
    happened: made("proof"),
    expected: [HELD],
  };
}

/** A job put where a daemon looks for jobs, without its client. */
function spooled(way: string, escape: string, line: string): EscapeCase {
  return {
    id: `helper-spool-${way}`,
    escape,
    rules: [
      'action = ["file.write", "file.create", "file.truncate", "file.rename", "file.link", "file.symlink"]\n' +
      'path = "@DIR@/spool/**"\nverdict = "deny"',
    ],
    prepare: async ({ dir }) => {
      await mkdir(join(dir, "spool", "crontabs"), { recursive: true });
    },
    command: () => ["/bin/sh", "-c", line],
    happened: made("spool/crontabs/root"),
    expected: [HELD],
  };
}

async function serve({ dir }: Place, name: string): Promise<void> {
  const server = createServer((peer) => peer.end());
  await new Promise<void>((resolve) => server.listen(join(dir, name), resolve));
  server.unref();
}

/** A daemon's socket. */
function daemon(name: string, escape: string, more: Partial<EscapeCase>): EscapeCase {
  return {
    id: `helper-${name}`,
    escape,
    rules: ['action = "unix.connect"\npath = "@DIR@/run/**"\nverdict = "deny"'],
    command: ({ program, dir }) => [program("unix_connect"), "name", join(dir, "run", "engine.sock")],
    prepare: async (place) => {
      await mkdir(join(place.dir, "run"));
      await serve(place, "run/engine.sock");
    },
    happened: saidOk,
    expected: [NAMED, MASKED, HOOKED, AFTER],
    ...more,
  };
}

/** Attempts. */
export const HELPERS: readonly EscapeCase[] = [
  client("at", "at: a job for later", "echo ./job | ./at proof"),
  client("crontab", "crontab: a job that comes back", "echo '* * * * * job' | env ./crontab proof"),
  client("systemd-run", "systemd-run: a unit of the service manager", 'sh -c "$(echo ./systemd-run) proof"'),
  spooled("write", "a crontab written into its directory", "echo job > spool/crontabs/root"),
  spooled("rename", "a crontab renamed into its directory", "echo job > tmp.1; mv tmp.1 spool/crontabs/root"),
  spooled("link", "a crontab linked into its directory", "echo job > tmp.1; ln tmp.1 spool/crontabs/root"),
  spooled(
    "directory",
    "another directory in the place of that of the crontabs",
    "mkdir -p own/crontabs; echo job > own/crontabs/root; mv spool gone; mv own spool",
  ),
  daemon("engine", "a container engine's socket, by the rule of its directory", {}),
  daemon("engine-run", "the same through a directory that is a link (/var/run)", {
    prepare: async (place) => {
      await mkdir(join(place.dir, "run"));
      await symlink("run", join(place.dir, "var-run"));
      await serve(place, "run/engine.sock");
    },
    command: ({ program, dir }) => [program("unix_connect"), "name", join(dir, "var-run", "engine.sock")],
    expected: [MASKED, HOOKED, AFTER],
  }),
  {
    id: "helper-ssh-localhost",
    escape: "a login on this machine (ssh localhost)",
    rules: ['action = "net.connect"\naddress = ["127.0.0.0/8", "::1"]\nport = 7122\nverdict = "deny"'],
    command: ({ program }) => [program("connect"), "tcp", "7122"],
    happened: saidOk,
    expected: [{ label: "prevented", mechanism: "cgroup" }],
  },
];
