/** Questions that many cases ask about the effect. */
import { lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Seen } from "./types.ts";

/** What secret files hold: an attempt that prints it has read one. */
export const SECRET = "the-secret-of-the-escape-suite";

/** The attempt printed the secret. */
export function leaked({ stdout }: Seen): boolean {
  return stdout.includes(SECRET);
}

/** A name exists in the case's directory afterwards; a dangling link counts. */
export function made(name: string): (seen: Seen) => boolean {
  return ({ place }) => exists(join(place.dir, name));
}

/** A name that was there is gone. */
export function gone(name: string): (seen: Seen) => boolean {
  return ({ place }) => !exists(join(place.dir, name));
}

/** A file that held the secret holds something else, or is gone. */
export function changed(name: string): (seen: Seen) => boolean {
  return ({ place }) => !exists(join(place.dir, name)) || !readFileSync(join(place.dir, name), "utf8").includes(SECRET);
}

/** The attempt itself says that it succeeded: its last line is `ok`. */
export function saidOk({ stdout }: Seen): boolean {
  return stdout.trimEnd().endsWith("ok");
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
