/** Actions on the network: where something goes, and the names by which it is known. */
import type { ActionBase } from "./action.ts";

/** Transport protocols that the network probes name. */
export type Protocol = "tcp" | "udp" | "icmp" | "sctp" | "raw" | "other";

/** IPPROTO_* (include/uapi/linux/in.h). Multipath TCP (262) is TCP to whoever connects. */
const PROTOCOLS: Readonly<Record<number, Protocol | undefined>> = {
  1: "icmp",
  6: "tcp",
  17: "udp",
  58: "icmp",
  132: "sctp",
  255: "raw",
  262: "tcp",
};

/** The protocol by the kernel's number. */
export function protocolName(number: number): Protocol {
  return PROTOCOLS[number] ?? "other";
}

/** Answers of resolvers that the guard saw, or `/etc/hosts` as it was when the guard started. */
export type HostSource = "dns" | "hosts";

/** A network action on IPv4 or IPv6. */
export interface NetAction extends ActionBase {
  readonly type: "net.connect" | "net.send" | "net.bind" | "net.listen";
  readonly protocol: Protocol;
  /** Dotted quad, or RFC 5952 for IPv6; a v4-mapped address is shown as IPv4. */
  readonly address: string;
  readonly port: number;
  /** The name by which the address was looked up: the one that the deciding rule asks for, else the latest. */
  readonly host?: string;
  /** Every name that the address was known by, the latest first; absent where it is `host` alone. */
  readonly hosts?: readonly string[];
  /** Where the names come from. */
  readonly host_source?: HostSource;
  /** 0 or a symbolic errno; absent where the hook runs before the result is known. */
  readonly result?: string;
}

/** An answer of a resolver that reached a session: a fact, nobody asks for it. */
export interface DnsAction extends ActionBase {
  readonly type: "net.dns";
  /** What was asked about, lower case, without a final dot. */
  readonly name: string;
  /** Addresses, as in `NetAction`; at most 16. */
  readonly answers: readonly string[];
  /** The least lifetime of the answers, seconds. */
  readonly ttl_s: number;
}

/** A connection to a unix socket; an abstract name begins with `@`. */
export interface UnixConnectAction extends ActionBase {
  readonly type: "unix.connect";
  readonly path: string;
  /** The name as the call gave it, where `path` is another. */
  readonly requested_path?: string;
  readonly result?: string;
}

/** A name of an address, as long as it holds. */
export interface AddressName {
  /** As in `NetAction`. */
  readonly address: string;
  /** Lower case, without a final dot. */
  readonly name: string;
  /** Boot clock, microseconds; `Infinity` for what `/etc/hosts` says. */
  readonly expires_us: number;
}
