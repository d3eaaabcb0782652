/** What the JSON-lines sink needs of files, as a port: tests let single calls fail. */
import * as fs from "node:fs";
import { promisify } from "node:util";
import { AgentguardError, errorMessage } from "../core/mod.ts";

/** Facts about an open file. */
export interface FileFacts {
  readonly size: number;
  readonly is_regular: boolean;
  /** Character devices such as `/dev/null` take lines, too; pipes and directories by name do not. */
  readonly is_device: boolean;
  /** When the file was made, wall-clock milliseconds; 0 where the file system does not say. */
  readonly born_ms: number;
  /** Which file it is, whatever its name. */
  readonly id: string;
}

/** Calls on files. Each rejects with the system's error, whose `code` names it. */
export interface FileCalls {
  /** Opens for appending, creating with `mode`; never follows a symbolic link, never waits for a reader. */
  openAppend(path: string, mode: number): Promise<number>;
  facts(fd: number): Promise<FileFacts>;
  /** Which file has this name; `undefined` where none has. */
  named(path: string): Promise<string | undefined>;
  /** Writes some of the bytes from `offset` on; gives how many. */
  write(fd: number, bytes: Uint8Array, offset: number): Promise<number>;
  datasync(fd: number): Promise<void>;
  truncate(fd: number, size: number): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  close(fd: number): Promise<void>;
}

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = fs.constants;

/** The calls of the runtime; they wait in its thread pool, not in the caller's thread. */
export const systemFileCalls: FileCalls = {
  openAppend: (path, mode) => promisify(fs.open)(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode),
  facts: async (fd) => {
    const stat = await promisify(fs.fstat)(fd);
    const { size, birthtimeMs: born_ms } = stat;
    return { size, is_regular: stat.isFile(), is_device: stat.isCharacterDevice(), born_ms, id: idOf(stat) };
  },
  named: async (path) => {
    try {
      return idOf(await promisify(fs.lstat)(path));
    } catch (thrown) {
      if (errorName(thrown) === "ENOENT") return undefined;
      throw thrown;
    }
  },
  write: (fd, bytes, offset) =>
    new Promise((resolve, reject) =>
      fs.write(fd, bytes, offset, bytes.length - offset, null, (error, written) => {
        if (error === null) resolve(written);
        else reject(error);
      })
    ),
  datasync: promisify(fs.fdatasync),
  truncate: promisify(fs.ftruncate),
  rename: promisify(fs.rename),
  close: promisify(fs.close),
};

function idOf({ dev, ino }: fs.Stats): string {
  return `${dev}:${ino}`;
}

/** The name of the system's error, or "" for any other. */
export function errorName(thrown: unknown): string {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
}

/** What a failed call means for the lines: `io`, unless it is an error of ours already. */
export function ioError(what: string, cause: unknown): AgentguardError {
  if (cause instanceof AgentguardError) return cause;
  return new AgentguardError("io", `${what} JSON lines: ${errorMessage(cause)}`, { cause });
}
