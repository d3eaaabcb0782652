/** `/etc/hosts`: names that need no resolver. Source: hosts(5). */
import { addressText, LIMITS, parseAddress } from "../core/mod.ts";
import type { PermanentNames } from "./address_names.ts";

/** Addresses taken; those behind have no name. */
const ADDRESSES_MAX = 4_096;
/** The longest name that the kernel compares (`AG_DNS_NAME_MAX`). */
const NAME_CHARS_MAX = 246;
const NAME = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

/**
 * The names of each address, in lower case, in the order of the file; at most 16 of one. Lines that say anything else
 * are passed over, as the C library does: what has no name here is permitted nothing by name.
 */
export function parseHosts(text: string): PermanentNames {
  const found = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const [first, ...names] = (line.split("#", 1)[0] ?? "").trim().split(/\s+/);
    const bytes = first === undefined ? undefined : parseAddress(first);
    if (bytes === undefined) continue;
    const address = addressText(bytes);
    const known = found.get(address) ?? [];
    if (known.length === 0 && found.size >= ADDRESSES_MAX) continue;
    for (const each of names) {
      const name = each.toLowerCase().replace(/\.$/, "");
      if (name.length > NAME_CHARS_MAX || !NAME.test(name) || known.includes(name)) continue;
      if (known.length < LIMITS.address_names_max) known.push(name);
    }
    if (known.length > 0) found.set(address, known);
  }
  return found;
}
