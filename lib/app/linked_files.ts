/** Files below a directory that have a name elsewhere, too: a rule about the directory is about them by every name. */
import { type BigIntStats, type Dirent, lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { NeededObject } from "../../ffi/mod.ts";

/** Names that one search looks at; what lies beyond is known by its names below the directory alone. */
export const NAMES_MAX = 20_000;

/** Numbers of an object as one text. */
export function objectKey({ dev, ino }: Pick<BigIntStats, "dev" | "ino">): string {
  return `${dev}:${ino}`;
}

/** The numbers again. */
export function objectOfKey(key: string): NeededObject {
  const [dev = "", ino = ""] = key.split(":");
  return { dev: BigInt(dev), ino: BigInt(ino) };
}

/** By the key of each object, the first name found. Links are not followed; what cannot be read is left out. */
export function linkedFiles(directories: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const waiting = [...directories];
  let looked = 0;
  for (let directory = waiting.pop(); directory !== undefined; directory = waiting.pop()) {
    for (const entry of entriesOf(directory)) {
      if (++looked > NAMES_MAX) return found;
      const path = join(directory, entry.name);
      if (entry.isDirectory()) waiting.push(path);
      if (!entry.isFile()) continue;
      const stat = statOf(path);
      if (stat === undefined || stat.nlink < 2n) continue;
      const object = objectKey(stat);
      if (!found.has(object)) found.set(object, path);
    }
  }
  return found;
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true });
  } catch {
    return undefined; // gone meanwhile, or a file system that shows nothing to root
  }
}

function entriesOf(directory: string): readonly Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return []; // not there, or gone meanwhile
  }
}
