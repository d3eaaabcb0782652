/** Secrets from where a policy says that they are. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { AgentguardError, errorMessage, type SecretSource } from "../core/mod.ts";

/** A secret's file, bytes. */
const BYTES_MAX = 4_096;

/**
 * The first line of the file, or the variable's value, without white space around it. Throws `config` with the fix for
 * a file that others can read, and for a secret shorter than `chars_min`.
 */
export function readSecret(
  source: SecretSource,
  env: Readonly<Record<string, string | undefined>>,
  options: { readonly what: string; readonly chars_min: number },
): string {
  const from = "file" in source ? source.file : `variable ${source.env}`;
  const text = "file" in source ? readPrivateFile(source.file, options.what) : env[source.env];
  const secret = text?.split("\n")[0]?.trim() ?? "";
  if (secret.length >= options.chars_min) return secret;
  const message = `use the ${options.what} of ${from}: give at least ${options.chars_min} characters`;
  throw new AgentguardError("config", message);
}

function readPrivateFile(path: string, what: string): string {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    throw new AgentguardError("config", `use the ${what} of ${path}: ${errorMessage(cause)}`, { cause });
  }
  try {
    const stat = fstatSync(fd);
    const uid = process.geteuid?.() ?? stat.uid;
    const mode = (stat.mode & 0o7777).toString(8).padStart(4, "0");
    if (!stat.isFile()) throw new AgentguardError("config", `use the ${what} of ${path}: it is no regular file`);
    if (stat.uid !== uid) {
      throw new AgentguardError("config", `chown ${uid} ${path}: the ${what} in it belongs to uid ${stat.uid}`);
    }
    if ((stat.mode & 0o077) !== 0) {
      throw new AgentguardError(
        "config",
        `chmod 600 ${path} and change the ${what} in it: its mode ${mode} let others read it`,
      );
    }
    const bytes = Buffer.alloc(BYTES_MAX);
    return bytes.subarray(0, readSync(fd, bytes)).toString();
  } finally {
    closeSync(fd);
  }
}
