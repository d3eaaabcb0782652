/**
 * How dangerous an action is taken to be, 0 to 100, where nobody else has judged: a fixed table, so that a person can
 * say why. It is an estimate by what the action names; it knows nothing of intentions and proves nothing. The greatest
 * of all that applies counts.
 */
import { type Action, type Event, type ExecAction, type NetAction, parseIpv4 } from "../core/mod.ts";
import { SecretPaths } from "./learn_secrets.ts";
import { normalName } from "./names.ts";
import { type CommandLine, readCommandLine } from "./shell.ts";
import { toolCommandLine } from "./tool_command.ts";
import { baseName } from "./base_name.ts";

/** What each finding weighs. Documented in docs/policy.md; change both. */
export const RISK = {
  /** A credential, key or password file is opened for reading. */
  secret_read: 80,
  /** One is changed, removed or linked. */
  secret_change: 90,
  /** Something that runs later by itself is changed: start-up files, cron, systemd units, authorized keys, hooks. */
  persistence: 85,
  /** A file of the system is changed. */
  system_change: 60,
  /** A file anywhere else is removed. */
  remove: 30,
  /** A file anywhere else is changed. */
  change: 10,
  /** A device or a program with special rights is made. */
  special_file: 80,
  /** A program that gains rights or changes the machine. */
  privileged_program: 75,
  /** A whole tree is removed by one command. */
  remove_tree: 70,
  /** That tree is the root, a home directory or a directory of the system. */
  remove_all: 95,
  /** A program that talks to other machines. */
  network_program: 40,
  /** Code that nobody can follow is run: `curl x | sh`, `eval "$X"`. */
  opaque_code: 65,
  /** Any other program. */
  program: 5,
  /** Another machine in a private network, or on the Internet. */
  private_network: 25,
  internet: 35,
  /** The metadata service of a cloud, which hands out credentials. */
  metadata_service: 90,
  /** Mail, remote shells and remote desktops. */
  sensitive_port: 60,
  /** Others are let in. */
  listen: 30,
  /** The socket of a container engine, a system bus or a key agent. */
  powerful_socket: 85,
  /** Any other tool. */
  tool: 10,
} as const;

/** Base names of files that run later by themselves, or decide who may come in. */
const PERSISTENT_NAMES = words(
  ".bashrc .bash_profile .bash_login .profile .zshrc .zprofile .zshenv .xprofile .xinitrc authorized_keys crontab",
  "sudoers rc.local ld.so.preload",
);
/** Directories whose files do. */
const PERSISTENT_TREES = /\/(?:cron|cron\.[a-z]+|systemd|autostart|init\.d|profile\.d|sudoers\.d|\.git\/hooks)\//;
const START_UP = words("/etc/profile /etc/environment /etc/bash.bashrc /etc/zshenv");
const SYSTEM = /^\/(?:etc|usr|bin|sbin|lib|lib32|lib64|boot|opt|root|sys|proc\/sys|var\/lib)(?:\/|$)/;
const PRIVILEGED = words(
  "sudo su doas pkexec runuser mount umount insmod modprobe rmmod iptables ip6tables nft chroot unshare nsenter setcap",
  "useradd usermod userdel passwd visudo systemctl service shutdown reboot mkfs fdisk parted dd docker podman kubectl",
  "crontab at gdb strace bpftool",
);
const NETWORK = words("curl wget nc ncat netcat socat ssh scp sftp rsync ftp telnet aria2c nmap rclone aws gcloud az");
/** Base names of sockets; those of agents end in a number or have a prefix. */
const SOCKETS = words("docker.sock podman.sock containerd.sock crio.sock system_bus_socket private");
const AGENT_SOCKET = /\/(?:agent\.\d+|S\.gpg-agent[^/]*)$/;
const SENSITIVE_PORTS: ReadonlySet<number> = new Set([22, 23, 25, 465, 587, 3389, 5900]);
const METADATA: ReadonlySet<string> = new Set(["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "100.100.100.200"]);

function words(...lines: readonly string[]): ReadonlySet<string> {
  return new Set(lines.flatMap((line) => line.split(" ")));
}

/** Judges events. Pure; the work is bounded by the length of the names and of the command line. */
export class RiskEstimate {
  #known: SecretPaths | undefined;

  get #secrets(): SecretPaths {
    return this.#known ??= new SecretPaths();
  }

  /** What a source has judged itself, else the estimate. */
  of(event: Event): number {
    return event.risk ?? this.#action(event.action);
  }

  #action(action: Action): number {
    switch (action.type) {
      case "exec":
        return this.#exec(action);
      case "tool.call": {
        const line = toolCommandLine(action);
        return Math.max(RISK.tool, line === undefined ? 0 : this.#line(line));
      }
      case "file.read":
        return this.#paths([action.path, action.requested_path], { secret: RISK.secret_read, change: false });
      case "file.write":
      case "file.create":
      case "file.truncate":
      case "file.mkdir":
        return Math.max(RISK.change, this.#changed(action.path, action.requested_path));
      case "file.chmod": {
        const special = /^0?[2-7][0-7]{3}$/.test(action.mode ?? "");
        const changed = this.#changed(action.path, action.requested_path);
        return Math.max(RISK.change, special ? RISK.special_file : 0, changed);
      }
      case "file.chown":
        return Math.max(RISK.change, this.#changed(action.path, action.requested_path));
      case "file.mknod":
        return Math.max(RISK.special_file, this.#changed(action.path, action.requested_path));
      case "file.delete":
      case "file.rmdir":
        return Math.max(RISK.remove, this.#changed(action.path, action.requested_path));
      case "file.rename":
      case "file.link":
      case "file.symlink":
        return Math.max(
          RISK.change,
          this.#changed(action.path, action.requested_path, action.new_path, action.requested_new_path),
        );
      case "unix.connect":
        return SOCKETS.has(baseName(action.path)) || AGENT_SOCKET.test(action.path) ? RISK.powerful_socket : 0;
      case "net.connect":
      case "net.send":
        return netRisk(action);
      case "net.bind":
      case "net.listen":
        return isLoopback(action.address) ? 0 : RISK.listen;
      default:
        return 0;
    }
  }

  #changed(...names: readonly (string | undefined)[]): number {
    return this.#paths(names, { secret: RISK.secret_change, change: true });
  }

  #paths(names: readonly (string | undefined)[], of: { readonly secret: number; readonly change: boolean }): number {
    let risk = 0;
    for (const name of names) {
      if (name === undefined) continue;
      const normal = normalName(name);
      if (this.#secrets.has(normal)) risk = Math.max(risk, of.secret);
      const persists = PERSISTENT_NAMES.has(baseName(normal)) || PERSISTENT_TREES.test(normal) ||
        START_UP.has(normal);
      if (of.change && persists) risk = Math.max(risk, RISK.persistence);
      if (of.change && SYSTEM.test(normal)) risk = Math.max(risk, RISK.system_change);
    }
    return risk;
  }

  #exec(action: ExecAction): number {
    const line = readCommandLine(action);
    const own = this.#command([action.path, ...action.argv.slice(1)]);
    return Math.max(own, line === undefined ? 0 : this.#line(line));
  }

  #line({ commands, opaque }: CommandLine): number {
    return commands.reduce(
      (risk, { argv }) => Math.max(risk, this.#command(argv)),
      opaque ? RISK.opaque_code : 0,
    );
  }

  #command([program = "", ...args]: readonly string[]): number {
    const name = baseName(program);
    let risk: number = RISK.program;
    if (PRIVILEGED.has(name.split(".")[0] ?? "")) risk = Math.max(risk, RISK.privileged_program);
    if (NETWORK.has(name)) risk = Math.max(risk, RISK.network_program);
    const targets = args.filter((arg) => !arg.startsWith("-"));
    if (removesTrees(name, args)) {
      risk = Math.max(risk, targets.some((target) => isWhole(target)) ? RISK.remove_all : RISK.remove_tree);
    }
    // A secret as an argument is one that the program is about to open, or to send.
    if (targets.some((target) => this.#secrets.has(normalName(target)))) risk = Math.max(risk, RISK.secret_read);
    return risk;
  }
}

function removesTrees(name: string, args: readonly string[]): boolean {
  if (name === "shred" || name === "wipefs") return true;
  if (name === "find") return args.includes("-delete");
  if (name === "git") return args[0] === "clean" && args.some((arg) => /^-[a-z]*d/.test(arg));
  return name === "rm" && args.some((arg) => arg === "--recursive" || /^-[a-zA-Z]*[rR]/.test(arg));
}

function isWhole(target: string): boolean {
  const path = target.replace(/\/?\*?$/, "");
  if (path === "" || path === "~" || path === "$HOME" || path === "${HOME}") return target !== "";
  return /^\/(?:home|root|usr|etc|var|opt|boot|bin|sbin|lib|lib64|srv)$/.test(path) || /^\/home\/[^/]+$/.test(path);
}

function netRisk({ address, port }: NetAction): number {
  if (METADATA.has(address)) return RISK.metadata_service;
  if (isLoopback(address)) return 0;
  const where = isPrivate(address) ? RISK.private_network : RISK.internet;
  return SENSITIVE_PORTS.has(port) ? Math.max(where, RISK.sensitive_port) : where;
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

function isPrivate(address: string): boolean {
  const v4 = parseIpv4(address);
  if (v4 < 0) return /^(?:f[cd]|fe[89ab])/i.test(address);
  const [a, b] = [v4 >>> 24, (v4 >>> 16) & 255];
  return a === 10 || (a === 172 && b >= 16 && b < 32) || (a === 192 && b === 168) || (a === 169 && b === 254);
}
