/** Where the services of a host listen by which a command could act outside of its tree. */
import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ServiceName } from "../core/mod.ts";

/** Whose services are looked for. */
export interface ServiceUser {
  readonly home: string | undefined;
  /** The command's environment: it names sockets. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Paths of one service that exist: sockets (and directories of them) to hide, files to keep as they are. */
export interface ServicePaths {
  readonly hide: readonly string[];
  readonly read_only: readonly string[];
}

/** Entries that are read of one directory; more is nobody's usual host. */
const LISTED_MAX = 256;

/** Usual places. `*` stands for any text in a name, `%` for every user's runtime directory, `@` for temporary files. */
const SOCKETS: Readonly<Record<ServiceName, readonly string[]>> = {
  at: [],
  buildkit: ["/run/buildkit/buildkitd.sock", "%/buildkit/buildkitd.sock"],
  containerd: ["/run/containerd/*", "/run/k3s/containerd/*", "%/containerd-rootless/*"],
  crio: ["/run/crio/crio.sock"],
  cron: [],
  dbus: ["/run/dbus/system_bus_socket", "%/bus", "%/dbus-1/*"],
  docker: ["/run/docker.sock", "/var/run/docker.sock", "/run/docker/*", "%/docker.sock", "~/.docker/run/docker.sock"],
  "gpg-agent": ["%/gnupg/*", "~/.gnupg/S.gpg-agent", "~/.gnupg/S.gpg-agent.ssh", "~/.gnupg/S.gpg-agent.extra"],
  libvirt: ["/run/libvirt/*", "%/libvirt/*"],
  lxd: [
    "/var/lib/lxd/unix.socket",
    "/var/snap/lxd/common/lxd/unix.socket",
    "/var/lib/incus/unix.socket",
    "/run/incus/*",
  ],
  names: ["/run/systemd/resolve/io.systemd.Resolve*", "/run/nscd/socket", "/var/run/nscd/socket"],
  podman: ["/run/podman/podman.sock", "%/podman/podman.sock"],
  screen: ["/run/screen/*/*", "~/.screen/*"],
  snapd: ["/run/snapd.socket"],
  "ssh-agent": ["%/openssh_agent", "%/keyring/ssh", "%/ssh-agent.socket", "@/ssh-*/*"],
  systemd: ["/run/systemd/private", "%/systemd/private"],
  tmux: ["@/tmux-*/*"],
};

/** Environment variables that name a socket, as a path or as `unix:` address. */
const VARIABLES: Readonly<Partial<Record<ServiceName, readonly string[]>>> = {
  buildkit: ["BUILDKIT_HOST"],
  containerd: ["CONTAINERD_ADDRESS"],
  dbus: ["DBUS_SESSION_BUS_ADDRESS", "DBUS_SYSTEM_BUS_ADDRESS"],
  docker: ["DOCKER_HOST"],
  podman: ["CONTAINER_HOST"],
  "ssh-agent": ["SSH_AUTH_SOCK"],
  tmux: ["TMUX"],
};

/** What makes later commands out of files, only where the program that runs them is installed. */
const SCHEDULES: Readonly<Partial<Record<ServiceName, { readonly programs: string[]; readonly files: string[] }>>> = {
  at: { programs: ["/usr/sbin/atd"], files: ["/var/spool/cron/atjobs", "/var/spool/at"] },
  cron: {
    programs: ["/usr/sbin/cron", "/usr/sbin/crond", "/usr/sbin/anacron"],
    files: [
      "/etc/crontab",
      "/etc/anacrontab",
      "/etc/cron.d",
      "/etc/cron.hourly",
      "/etc/cron.daily",
      "/etc/cron.weekly",
      "/etc/cron.monthly",
      "/var/spool/cron",
    ],
  },
};

/** What decides which addresses a name has, for this host and for a resolver on it. */
const NAME_FILES: readonly string[] = [
  "/etc/hosts",
  "/etc/resolv.conf",
  "/etc/nsswitch.conf",
  "/etc/systemd/resolved.conf",
  "/etc/dnsmasq.conf",
  "/etc/dnsmasq.d",
  "/etc/unbound",
];

/** The paths of a service, existing ones only. */
export function servicePaths(name: ServiceName, user: ServiceUser): ServicePaths {
  const hide = SOCKETS[name].flatMap((pattern) => expand(pattern, user));
  for (const variable of VARIABLES[name] ?? []) {
    const path = socketOf(user.env[variable]);
    if (path !== undefined && existsSync(path)) hide.push(path);
  }
  const schedule = SCHEDULES[name];
  if (name === "names") return { hide, read_only: NAME_FILES.filter((file) => existsSync(file)) };
  const runs = schedule?.programs.some((program) => existsSync(program)) === true;
  return { hide, read_only: runs ? schedule.files.filter((file) => existsSync(file)) : [] };
}

/** `/run/x.sock`, `unix:///run/x.sock`, `unix:path=/run/x.sock,guid=1` or tmux's `/run/tmux,1,0`. */
function socketOf(value: string | undefined): string | undefined {
  const text = value?.replace(/^unix:(path=|\/\/)?/, "").split(/[,;]/)[0];
  return text?.startsWith("/") === true ? text : undefined;
}

function expand(pattern: string, user: ServiceUser): readonly string[] {
  if (pattern.startsWith("~/")) return user.home === undefined ? [] : listed(join(user.home, pattern.slice(2)));
  if (pattern.startsWith("@/")) return listed(join(tmpdir(), pattern.slice(2)));
  if (!pattern.startsWith("%/")) return listed(pattern);
  const own = user.env["XDG_RUNTIME_DIR"];
  const runtimes = new Set([...listed("/run/user/*"), ...(own?.startsWith("/") === true ? [own] : [])]);
  return [...runtimes].flatMap((runtime) => listed(join(runtime, pattern.slice(2))));
}

/** Existing paths of a pattern in which `*` stands for any text within one segment. */
function listed(pattern: string): readonly string[] {
  let found: readonly string[] = ["/"];
  for (const segment of pattern.split("/").filter((part) => part !== "")) {
    const [start = "", end] = segment.split("*");
    found = found.flatMap((directory) =>
      (end === undefined
        ? [segment]
        : entries(directory).filter((name) => name.startsWith(start) && name.endsWith(end)))
        .map((name) => join(directory, name))
    );
  }
  return found.filter((path) => existsSync(path));
}

function entries(directory: string): readonly string[] {
  try {
    return readdirSync(directory).slice(0, LISTED_MAX);
  } catch {
    return []; // not there, or not a directory
  }
}
