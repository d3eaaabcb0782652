/** Addresses, networks and port ranges: text to numbers. Strict, no look-ups. */
import type { Cidr, PortRange } from "../core/mod.ts";

/** An IPv4 address as an unsigned 32-bit number, or -1. Octets are decimal without leading zeros (RFC 6943, 3.1.1). */
export function parseIpv4(text: string): number {
  let value = 0;
  let octet = -1;
  let dots = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 46) {
      if (octet < 0 || ++dots > 3) return -1;
      value = value * 256 + octet;
      octet = -1;
    } else if (code >= 48 && code <= 57) {
      if (octet === 0) return -1;
      octet = octet < 0 ? code - 48 : octet * 10 + code - 48;
      if (octet > 255) return -1;
    } else return -1;
  }
  return dots === 3 && octet >= 0 ? value * 256 + octet : -1;
}

/** An address as 4 or 16 bytes; a v4-mapped IPv6 address (`::ffff:a.b.c.d`) is the IPv4 address. No zone. */
export function parseAddress(text: string): Uint8Array | undefined {
  const v4 = parseIpv4(text);
  if (v4 >= 0) return Uint8Array.of(v4 >>> 24, (v4 >>> 16) & 255, (v4 >>> 8) & 255, v4 & 255);
  const words = parseIpv6(text);
  if (words === undefined) return undefined;
  const bytes = new Uint8Array(16);
  words.forEach((word, i) => {
    bytes[2 * i] = word >> 8;
    bytes[2 * i + 1] = word & 255;
  });
  return isV4Mapped(bytes) ? bytes.slice(12) : bytes;
}

function isV4Mapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return bytes[10] === 255 && bytes[11] === 255;
}

/** The eight words of an IPv6 address (RFC 4291, 2.2). */
function parseIpv6(text: string): readonly number[] | undefined {
  if (text.length > 45 || !text.includes(":")) return undefined;
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = parseWords(halves[0] ?? "");
  if (head === undefined) return undefined;
  if (halves.length === 1) return head.length === 8 ? head : undefined;
  const tail = parseWords(halves[1] ?? "");
  if (tail === undefined || head.length + tail.length > 7) return undefined;
  if ((halves[0] ?? "").includes(".")) return undefined;
  return [...head, ...Array.from({ length: 8 - head.length - tail.length }, () => 0), ...tail];
}

function parseWords(text: string): readonly number[] | undefined {
  if (text === "") return [];
  const words: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (part.includes(".")) {
      const v4 = parseIpv4(part);
      if (v4 < 0 || i !== parts.length - 1) return undefined;
      words.push(v4 >>> 16, v4 & 0xffff);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      words.push(Number.parseInt(part, 16));
    }
  }
  return words;
}

/** A network (`192.0.2.0/24`) or one address; the text says what is wrong otherwise. */
export function parseCidr(text: string): Cidr | string {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const bytes = parseAddress(address);
  if (bytes === undefined) return `${JSON.stringify(address)} is not an IPv4 or IPv6 address`;
  const written_bits = address.includes(":") ? 128 : 32;
  const bits_max = bytes.length * 8;
  if (slash < 0) return { bytes, prefix_bits: bits_max };
  const suffix = text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(suffix) || Number(suffix) > written_bits) {
    return `prefix length ${JSON.stringify(suffix)} is not a number from 0 to ${written_bits}`;
  }
  // A v4-mapped network (::ffff:192.0.2.0/120) is an IPv4 network with 96 bits less.
  const prefix_bits = Number(suffix) - (written_bits - bits_max);
  if (prefix_bits < 0) return `a v4-mapped network needs a prefix length of at least ${written_bits - bits_max}`;
  const masked = bytes.map((byte, i) => byte & byteMask(prefix_bits, i));
  if (masked.some((byte, i) => byte !== bytes[i])) {
    return `${text} has bits set after its prefix; the network is ${formatBytes(masked)}/${prefix_bits}`;
  }
  return { bytes, prefix_bits };
}

/** The mask of byte `i` for a prefix. */
export function byteMask(prefix_bits: number, i: number): number {
  const bits = Math.min(8, Math.max(0, prefix_bits - 8 * i));
  return (0xff00 >> bits) & 255;
}

/** True if the network holds the address (families never mix). */
export function cidrHolds(cidr: Cidr, address: Uint8Array): boolean {
  if (cidr.bytes.length !== address.length) return false;
  for (let i = 0; 8 * i < cidr.prefix_bits; i++) {
    const mask = byteMask(cidr.prefix_bits, i);
    if (((cidr.bytes[i] ?? 0) & mask) !== ((address[i] ?? 0) & mask)) return false;
  }
  return true;
}

/** True if every address of `inner` is in `outer`. */
export function cidrCovers(outer: Cidr, inner: Cidr): boolean {
  return outer.prefix_bits <= inner.prefix_bits && cidrHolds(outer, inner.bytes);
}

/** A port (`443`, "443") or an inclusive range ("8000-8999"); the text says what is wrong otherwise. */
export function parsePorts(value: number | string): PortRange | string {
  if (typeof value === "number") {
    return isPort(value) ? { from: value, to: value } : `port ${value} is not a whole number from 0 to 65535`;
  }
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(value.trim());
  if (match === null) return `${JSON.stringify(value)} is not a port or a range such as "8000-8999"`;
  const from = Number(match[1]);
  const to = Number(match[2] ?? match[1]);
  if (!isPort(from) || !isPort(to)) return `port range ${JSON.stringify(value)} goes beyond 65535`;
  return from <= to ? { from, to } : `port range ${JSON.stringify(value)} ends before it begins`;
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 65_535;
}

function formatBytes(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const words: string[] = [];
  for (let i = 0; i < 16; i += 2) words.push((((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0)).toString(16));
  return words.join(":");
}
