/**
 * The directory and the name of the control socket: private from the first moment, and never taken from a living guard.
 */
import { closeSync, linkSync, lstatSync, mkdirSync, openSync, type Stats, unlinkSync } from "node:fs";
import { AgentguardError, errorMessage } from "../core/mod.ts";

/** File name of the control socket in the runtime directory. */
export const CONTROL_SOCKET_NAME = "control.sock";

/** Longest path of a unix socket, bytes: `sun_path` has 108 with its final NUL (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;

/** Path of the socket of approvers: beside the runtime directory, which admits nobody else. */
export function approverSocketPath(runtime_dir: string): string {
  return `${approverSocketDir(runtime_dir)}/approvals.sock`;
}

/** The directory of that socket. */
export function approverSocketDir(runtime_dir: string): string {
  return `${runtime_dir}.approvers`;
}

/** Tries before giving up; one takes as long as a refused connection, and another starter needs less to finish. */
const ATTEMPTS_MAX = 100;

/** Path of the control socket of the guard that uses this runtime directory. */
export function controlSocketPath(runtime_dir: string): string {
  return `${runtime_dir}/${CONTROL_SOCKET_NAME}`;
}

/**
 * Makes the directory with mode 0700, or checks that the one that is there belongs to this user and admits nobody else.
 * A wider one is refused and not narrowed: it may be a directory that others need, given by mistake.
 */
export function prepareRuntimeDir(runtime_dir: string, uid: number): void {
  const bytes = Buffer.byteLength(temporaryPath(controlSocketPath(runtime_dir), "00000000"));
  if (bytes > SOCKET_PATH_BYTES_MAX) {
    throw new AgentguardError("config", `give a shorter runtime directory: ${runtime_dir} is too long for a socket`);
  }
  let stats: Stats;
  try {
    mkdirSync(runtime_dir, { recursive: true, mode: 0o700 });
    stats = lstatSync(runtime_dir);
  } catch (cause) {
    const message = `create runtime directory ${runtime_dir} failed (${
      errorMessage(cause)
    }); give another with --runtime`;
    throw new AgentguardError(errorCode(cause) === "EACCES" ? "permission" : "io", message, { cause });
  }
  if (!stats.isDirectory()) {
    throw new AgentguardError("io", `use a real directory for the runtime directory: ${runtime_dir} is none`);
  }
  if (stats.uid !== uid) {
    const message = `use a runtime directory of your own: ${runtime_dir} belongs to uid ${stats.uid}, not ${uid}`;
    throw new AgentguardError("permission", message);
  }
  if ((stats.mode & 0o077) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
    const message = `chmod 0700 ${runtime_dir}, or give another with --runtime: its mode ${mode} lets others in`;
    throw new AgentguardError("permission", message);
  }
}

/** A socket that listens under a private name until `publishSocket` gives it the public one. */
export function temporaryPath(
  path: string,
  suffix: string = crypto.getRandomValues(new Uint8Array(4)).toHex(),
): string {
  return `${path}.${suffix}`;
}

/**
 * Runs `bind` so that the socket that it creates has mode 0600 from the start. The umask belongs to the whole process,
 * so `bind` must be synchronous.
 */
export function bindPrivately<T>(path: string, bind: () => T): T {
  const before = process.umask(0o177);
  try {
    return bind();
  } catch (cause) {
    throw new AgentguardError("io", `bind control socket ${path} failed (${errorMessage(cause)})`, { cause });
  } finally {
    process.umask(before);
  }
}

/**
 * Gives the socket at `temporary` the public name and removes the private one. Throws `busy` if a living guard has the
 * name; a stale socket is removed only after a connection to it was refused.
 */
export async function publishSocket(path: string, temporary: string): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (tryLink(temporary, path)) {
      unlinkSync(temporary);
      return;
    }
    const identity = socketIdentity(path);
    if (identity === undefined) continue;
    if (await isAlive(path)) {
      throw new AgentguardError(
        "busy",
        `stop the guard that answers at ${path}, or give another directory with --runtime`,
      );
    }
    removeStale(path, identity);
  }
  const message = `wait for the other guards that start on ${path}; if there is none, remove ${path}*`;
  throw new AgentguardError("busy", message);
}

/**
 * Removes a socket that nobody answers at. Two starters can both have found it dead, and the slower one must not remove
 * what the faster one has put there since. So the right to remove this very socket is claimed by an exclusive file that
 * carries its identity, and the identity is compared again under the claim. Returns without a change if somebody else
 * has the claim.
 */
function removeStale(path: string, identity: string): void {
  const claim = `${path}.${identity}`;
  try {
    closeSync(openSync(claim, "wx", 0o600));
  } catch (cause) {
    if (errorCode(cause) === "EEXIST") return;
    throw new AgentguardError("io", `claim stale socket ${path} failed (${errorMessage(cause)})`, { cause });
  }
  try {
    if (socketIdentity(path) === identity) unlinkSync(path);
  } finally {
    unlinkSync(claim);
  }
}

/**
 * Inode and time of its last change: an inode number alone is soon used again. `undefined` if there is no such file.
 */
function socketIdentity(path: string): string | undefined {
  const stats = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (!stats.isSocket()) throw new AgentguardError("io", `remove ${path} by hand: it is not a socket`);
  return `${stats.ino}.${stats.ctimeNs}`;
}

/** False if the new name exists already. */
function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (cause) {
    if (errorCode(cause) === "EEXIST") return false;
    throw new AgentguardError("io", `name control socket ${to} failed (${errorMessage(cause)})`, { cause });
  }
}

/** Removes the name of a socket that is still the one with this inode. */
export function removeOwnSocket(path: string, inode: number): void {
  if (lstatSync(path, { throwIfNoEntry: false })?.ino === inode) unlinkSync(path);
}

/** True if somebody accepts connections there. Throws where nothing can be said. */
async function isAlive(path: string): Promise<boolean> {
  try {
    const socket = await Bun.connect({ unix: path, socket: { data(): void {} } });
    socket.terminate();
    return true;
  } catch (cause) {
    const code = errorCode(cause);
    if (code === "ECONNREFUSED" || code === "ENOENT") return false;
    throw new AgentguardError("io", `ask the guard at ${path} failed (${errorMessage(cause)})`, { cause });
  }
}

function errorCode(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}
