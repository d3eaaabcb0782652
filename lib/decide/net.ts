/** Networks and port ranges: text to numbers. Strict, no look-ups. */
import { addressText, type Cidr, parseAddress, type PortRange } from "../core/mod.ts";

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
    return `${text} has bits set after its prefix; the network is ${addressText(masked)}/${prefix_bits}`;
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
