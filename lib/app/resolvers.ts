/** The resolvers whose answers about names are believed. */
import { addressText, parseAddress } from "../core/mod.ts";
import type { GuardSettings } from "../decide/mod.ts";
import { readBegin } from "./file_begin.ts";

const RESOLV_CONF = "/etc/resolv.conf";
/** Bytes read of it: hundreds of times what resolvers take of such a file. */
const BYTES_MAX = 262_144;
/** Nameservers taken (`AG_RESOLVERS_MAX`). */
const NAMESERVERS_MAX = 64;

/** The nameservers of this host as they are now; read once, before anybody is guarded. Empty where nobody can say. */
export function readNameservers(path: string = RESOLV_CONF): readonly string[] {
  let text: string;
  try {
    text = readBegin(path, BYTES_MAX);
  } catch {
    return []; // nobody is believed, so nothing is permitted by name
  }
  return parseNameservers(text);
}

/** The addresses of `nameserver` lines, without zones; without any the one of this host. Source: resolv.conf(5). */
export function parseNameservers(text: string): readonly string[] {
  const found = new Set<string>();
  for (const line of text.split("\n")) {
    const [key, value = ""] = line.trim().split(/\s+/);
    const bytes = key === "nameserver" ? parseAddress(value.split("%", 1)[0] ?? "") : undefined;
    if (bytes !== undefined && found.size < NAMESERVERS_MAX) found.add(addressText(bytes));
  }
  return found.size > 0 ? [...found] : ["127.0.0.1"];
}

/** Those that the policy names, else those of the host. */
export function trustedResolvers({ resolvers }: GuardSettings, nameservers: readonly string[]): readonly string[] {
  return resolvers ?? nameservers;
}
