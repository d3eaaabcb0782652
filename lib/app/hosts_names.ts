/** The names that this host gives to addresses by itself. */
import { parseHosts, type PermanentNames } from "../enrich/mod.ts";
import { readBegin } from "./file_begin.ts";

/** Bytes read of the file; lists that block advertising are the largest, and what lies behind has no name. */
const BYTES_MAX = 4_194_304;

/** `/etc/hosts` as it is now; empty where nobody can read it: what is permitted by name then needs a resolver. */
export function readHosts(path: string = "/etc/hosts"): PermanentNames {
  let text: string;
  try {
    text = readBegin(path, BYTES_MAX);
  } catch {
    return new Map(); // no names: nothing is permitted by them
  }
  return parseHosts(text);
}
