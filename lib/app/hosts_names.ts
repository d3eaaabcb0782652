/** The names that this host gives to addresses by itself. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { parseHosts, type PermanentNames } from "../enrich/mod.ts";

/** Bytes read of the file; lists that block advertising are the largest, and what lies behind has no name. */
const BYTES_MAX = 4_194_304;

/** `/etc/hosts` as it is now; empty where nobody can read it: what is permitted by name then needs a resolver. */
export function readHosts(path: string = "/etc/hosts"): PermanentNames {
  try {
    return parseHosts(readBegin(path));
  } catch {
    return new Map(); // no names: nothing is permitted by them
  }
}

/** Whole lines from the beginning. Names are ASCII; other bytes stand in comments. */
function readBegin(path: string): string {
  const fd = openSync(path, "r");
  try {
    const size = fstatSync(fd).size;
    const bytes = Buffer.alloc(Math.min(size, BYTES_MAX));
    const length = readSync(fd, bytes, 0, bytes.length, 0);
    const end = size > BYTES_MAX ? bytes.lastIndexOf(10) : length;
    return bytes.toString("latin1", 0, Math.max(0, end));
  } finally {
    closeSync(fd);
  }
}
