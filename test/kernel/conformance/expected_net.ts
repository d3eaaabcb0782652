/** Network calls in a strace log. */
import {
  type Call,
  type PrintedAddress,
  printedAddress,
  printedFd,
  printedField,
  splitArguments,
  withoutMapping,
} from "../../support/mod.ts";
import type { Mapped } from "./expected.ts";
import type { TreeModel } from "./model.ts";
import { absolute, resolveParent } from "./paths.ts";

/** `tcp` or `udp`; undefined for other sockets. */
function protocolOf(call: Call): string | undefined {
  return /^(TCP|UDP)(?:v6)?$/.exec(printedFd(call.args[0])?.protocol ?? "")?.[1]?.toLowerCase();
}

function inet(
  type: "net.connect" | "net.bind" | "net.send",
  call: Call,
  to: PrintedAddress | undefined,
): readonly Mapped[] {
  const protocol = protocolOf(call);
  if (to?.family !== "inet" || protocol === undefined) return [];
  return [{ type, protocol, address: to.address, port: to.port, result: call.errno ?? "0" }];
}

/** A connection on IP or to a unix socket. */
export function connected(call: Call, model: TreeModel): readonly Mapped[] {
  const to = printedAddress(call.args[1]);
  if (to?.family !== "unix") return inet("net.connect", call, to);
  const full = to.path.startsWith("@") ? to.path : absolute(model.cwd(call.tid), to.path);
  return [{ type: "unix.connect", paths: [to.path, full], result: call.errno ?? "0" }];
}

/** A local address for a socket. A unix socket with a name is a new file. */
export function bound(call: Call, model: TreeModel): readonly Mapped[] {
  const to = printedAddress(call.args[1]);
  if (to?.family !== "unix") return inet("net.bind", call, to);
  if (call.errno !== undefined || to.path.startsWith("@")) return [];
  return [{ type: "file.mknod", paths: [resolveParent(absolute(model.cwd(call.tid), to.path))], result: "0" }];
}

/** A socket that takes connections, by the address that it has then. */
export function listening(call: Call): readonly Mapped[] {
  const protocol = protocolOf(call);
  const [, address, port] = /^\[?(.*?)\]?:(\d+)$/.exec(printedFd(call.args[0])?.endpoint ?? "") ?? [];
  if (protocol === undefined || address === undefined) return [];
  return [{
    type: "net.listen",
    protocol,
    address: withoutMapping(address),
    port: Number(port),
    result: call.errno ?? "0",
  }];
}

/** A datagram with an address. TCP ignores the address, and a unix socket is none of the network's. */
export function sentTo(call: Call): readonly Mapped[] {
  return protocolOf(call) === "udp" ? inet("net.send", call, printedAddress(call.args[4]) ?? mappedPeer(call)) : [];
}

/**
 * The peer of a connected IPv6 socket, if that is an IPv4 address: the kernel gives every datagram of such a socket its
 * address again on the way to IPv4 (udpv6_sendmsg, net/ipv6/udp.c), so that each is an addressed one.
 */
function mappedPeer(call: Call): PrintedAddress | undefined {
  const endpoint = printedFd(call.args[0])?.endpoint ?? "";
  const [, address, port] = /->\[::ffff:(\d+\.\d+\.\d+\.\d+)\]:(\d+)$/.exec(endpoint) ?? [];
  return address === undefined ? undefined : { family: "inet", address, port: Number(port) };
}

/** The same by sendmsg. */
export function sentMessage(call: Call): readonly Mapped[] {
  if (protocolOf(call) !== "udp") return [];
  return inet("net.send", call, printedAddress(printedField(call.args[1] ?? "", "msg_name")) ?? mappedPeer(call));
}

/** The same by sendmmsg: one action for each message that went out. */
export function sentMany(call: Call): readonly Mapped[] {
  if (protocolOf(call) !== "udp") return [];
  const messages = splitArguments((call.args[1] ?? "").slice(1, -1)).slice(0, call.value ?? 0);
  return messages.flatMap((message) => {
    const header = printedField(message, "msg_hdr") ?? "";
    return inet("net.send", call, printedAddress(printedField(header, "msg_name")) ?? mappedPeer(call));
  });
}
