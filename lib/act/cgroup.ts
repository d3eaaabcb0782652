/**
 * Session cgroups: a leaf of the version 2 hierarchy, found where it is mounted, entered before exec, killed, frozen.
 */
import {
  accessSync,
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { AgentguardError, err, errorMessage, ok, type Result } from "../core/mod.ts";
import { sleep } from "../task/mod.ts";

/** Our part of the hierarchy; sessions are directories in it. */
const BRANCH = "agentguard";

/**
 * Where the cgroup v2 hierarchy is mounted, from /proc/self/mountinfo (proc(5)); hybrid set-ups have it beside
 * version 1.
 */
export function findCgroup2(mountinfo: string = readFileSync("/proc/self/mountinfo", "utf8")): string | undefined {
  return cgroup2Mounts(mountinfo)[0];
}

/** Every place where it is mounted, in the order of the mounts. */
export function cgroup2Mounts(mountinfo: string = readFileSync("/proc/self/mountinfo", "utf8")): readonly string[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [left, right] = line.split(" - ");
    const mount_point = right?.startsWith("cgroup2 ") === true ? left?.split(" ")[4] : undefined;
    if (mount_point === undefined) return [];
    return [mount_point.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)))];
  });
}

/** The cgroup that this process is in, below the mount point. */
function ownCgroup(): string {
  for (const line of readFileSync("/proc/self/cgroup", "utf8").split("\n")) {
    if (line.startsWith("0::")) return line.slice(3);
  }
  return "/";
}

/** One session's leaf. Disposing removes the directory; it must be empty by then. */
export class SessionCgroup implements Disposable {
  /** Path below the mount point. */
  readonly path: string;
  /** Absolute directory. */
  readonly directory: string;
  /** The kernel's id of it: the inode of the directory. */
  readonly id: bigint;
  readonly #mount_point: string;
  #removed = false;

  private constructor(mount_point: string, path: string) {
    this.#mount_point = mount_point;
    this.path = path;
    this.directory = join(mount_point, path);
    this.id = statSync(this.directory, { bigint: true }).ino;
  }

  /**
   * Makes the leaf for `name` (a session id), below the guard's own cgroup where that is allowed, so that limits set on
   * the guard hold for the session. The reason is given where there is no writable cgroup v2.
   */
  static create(name: string): Result<SessionCgroup, string> {
    const mount_point = findCgroup2();
    if (mount_point === undefined) return err("no cgroup2 file system is mounted");
    try {
      const branch = join(ownCgroup(), BRANCH);
      accessSync(join(mount_point, ownCgroup()), constants.W_OK);
      mkdirSync(join(mount_point, branch), { recursive: true });
      mkdirSync(join(mount_point, branch, name));
      return ok(new SessionCgroup(mount_point, join(branch, name)));
    } catch (error) {
      return err(`${mount_point}: ${errorMessage(error)}`);
    }
  }

  /** Moves a process (all its threads) into the leaf. */
  enter(pid: number): void {
    this.#write("cgroup.procs", String(pid), `move process ${pid} into cgroup ${this.directory}`);
  }

  /** Kills every member, also those that fork meanwhile (Linux 5.14). */
  kill(): void {
    this.#write("cgroup.kill", "1", `kill cgroup ${this.directory}`);
  }

  /** Stops every member where it is. */
  freeze(): void {
    this.#write("cgroup.freeze", "1", `freeze cgroup ${this.directory}`);
  }

  /** Lets frozen members go on. */
  thaw(): void {
    this.#write("cgroup.freeze", "0", `thaw cgroup ${this.directory}`);
  }

  /** Number of processes in the leaf itself; 0 where it is gone. */
  processes(): number {
    return this.members().length;
  }

  /** Processes in the leaf itself. */
  members(): number[] {
    try {
      const text = readFileSync(join(this.directory, "cgroup.procs"), "utf8");
      return text.split("\n").filter((line) => line !== "").map(Number);
    } catch {
      return []; // removed
    }
  }

  /** True while there are processes in the leaf or below. */
  populated(): boolean {
    try {
      return /^populated 1$/m.test(readFileSync(join(this.directory, "cgroup.events"), "utf8"));
    } catch {
      return false; // removed
    }
  }

  /** A descriptor on the directory, for attaching programs; `use` must not keep it. */
  withDescriptor<T>(use: (fd: number) => T): T {
    const fd = openSync(this.directory, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      return use(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Moves every member to the cgroup `path` (below the mount point), for a session that goes on unguarded. */
  release(path: string): void {
    const target = join(this.#mount_point, path, "cgroup.procs");
    for (const pid of this.members()) {
      try {
        writeFileSync(target, String(pid));
      } catch {
        // It has ended, or the cgroup it came from is gone: it stays where it is.
      }
    }
  }

  /** Waits until nobody is in the leaf; `false` after `timeout_ms`. */
  async emptyWithin(timeout_ms: number): Promise<boolean> {
    const until = performance.now() + timeout_ms;
    while (this.populated()) {
      if (performance.now() > until) return false;
      await sleep(5);
    }
    return true;
  }

  /** Kills what is left and waits until the leaf is empty; `false` after `timeout_ms`. */
  async killAndWait(timeout_ms: number): Promise<boolean> {
    const until = performance.now() + timeout_ms;
    while (this.populated()) {
      if (performance.now() > until) return false;
      this.kill();
      await sleep(1);
    }
    return true;
  }

  /** Removes the leaf with the groups that its members made below it; `false` while there are members. */
  remove(): boolean {
    if (this.#removed) return true;
    try {
      removeGroup(this.directory);
      this.#removed = true;
    } catch {
      return false;
    }
    try {
      rmdirSync(join(this.directory, "..")); // the branch, when this was the last session
    } catch {
      // Other sessions are in it.
    }
    return true;
  }

  [Symbol.dispose](): void {
    this.remove();
  }

  #write(file: string, text: string, what: string): void {
    try {
      writeFileSync(join(this.directory, file), text);
    } catch (cause) {
      throw new AgentguardError("io", `${what}: ${errorMessage(cause)}`, { cause });
    }
  }
}

/** Removes a group, those below it first. Throws where one has members. */
function removeGroup(directory: string): void {
  for (const item of readdirSync(directory, { withFileTypes: true })) {
    if (item.isDirectory()) removeGroup(join(directory, item.name));
  }
  rmdirSync(directory);
}
