/** Private files and directories, private from their first moment: the mode is given to the call that makes them. */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { AgentguardError, errorMessage } from "../core/mod.ts";

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/**
 * Makes `path` as an empty file of mode 0600, and its missing directories with mode 0700; what exists is left as it is.
 * An existing file is not even opened: closing any descriptor of a file drops this process's POSIX locks on it, and
 * with them those of a database that is open elsewhere in the process. Throws `io` naming the path.
 */
export function createPrivateFile(path: string): void {
  const directory = dirname(path);
  try {
    mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
  } catch (thrown) {
    throw fileError(thrown, `create directory ${directory}`);
  }
  try {
    closeSync(openSync(path, "wx", FILE_MODE));
  } catch (thrown) {
    if (errnoOf(thrown) === "EEXIST") return;
    throw fileError(thrown, `create ${path}`);
  }
}

function errnoOf(thrown: unknown): string {
  if (!(thrown instanceof Error) || !("code" in thrown)) return "";
  return typeof thrown.code === "string" ? thrown.code : "";
}

const FIXES: Readonly<Record<string, string>> = {
  ENOSPC: "free space on that file system",
  EDQUOT: "free space in this user's quota",
  EROFS: "name a directory on a file system that can be written",
  EACCES: "make the directory writable for this user, or name another one",
  EPERM: "make the directory writable for this user, or name another one",
  ENOTDIR: "name a path whose parents are directories",
  EEXIST: "name a path whose parents are directories",
};

function fileError(thrown: unknown, doing: string): AgentguardError {
  const errno = errnoOf(thrown);
  const fix = FIXES[errno] ?? "check the path and its file system";
  return new AgentguardError("io", `${doing}: ${errno === "" ? errorMessage(thrown) : errno}; ${fix}`, {
    cause: thrown,
  });
}
