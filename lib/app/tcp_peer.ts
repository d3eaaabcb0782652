/** Who is at the other end of a connection over a loopback address: the processes that hold the other socket. */
import { closeSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Approver } from "../core/mod.ts";
import type { Peer, PeerPort, RemoteAddress } from "../publish/mod.ts";
import { unknownPeer } from "./peer_identity.ts";
import { processFacts } from "./process_facts.ts";
import { type MembershipParts, whyInside } from "./session_membership.ts";

/** Somebody who has a token, on this host. */
export class TcpPeerIdentity implements PeerPort {
  readonly #parts: MembershipParts;
  /** Who a token stands for: `token:NAME`. */
  readonly #id: string;

  constructor(parts: MembershipParts, id: string) {
    this.#parts = parts;
    this.#id = id;
  }

  open(_fd: number, remote?: RemoteAddress): Peer {
    return { identify: () => Promise.resolve(this.#identify(remote)), [Symbol.dispose]: () => {} };
  }

  /** Every process that holds the socket must be outside of every session. */
  #identify(remote: RemoteAddress | undefined): Approver {
    const inode = remote === undefined ? undefined : socketInode(remote);
    const pids = inode === undefined ? [] : holdersOf(inode);
    if (pids.length === 0) return unknownPeer("nobody can tell which process is at the other end");
    const shown: string[] = [];
    for (const pid of pids) {
      const pidfd = this.#parts.system.pidfdOpen(pid);
      try {
        const facts = processFacts(pid);
        const inside = whyInside(this.#parts, { pid, pidfd, facts });
        if (inside !== undefined) return unknownPeer(inside);
        shown.push(`pid ${pid}${facts?.exe === undefined ? "" : ` (${facts.exe})`}`);
      } finally {
        if (pidfd >= 0) closeSync(pidfd);
      }
    }
    return { id: this.#id, verified: `bearer token, TCP from ${shown.join(", ")}, in no session`, terminal: false };
  }
}

/** The inode of the socket at that end: /proc/net/tcp, proc_net(5). */
function socketInode({ address, port }: RemoteAddress): string | undefined {
  const table = readFileSync(address.includes(":") ? "/proc/net/tcp6" : "/proc/net/tcp", "utf8");
  const local = `${addressHex(address)}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  for (const line of table.split("\n")) {
    const fields = line.trim().split(/ +/);
    if (fields[1] === local && fields[3] === ESTABLISHED) return fields[9];
  }
  return undefined;
}

/** State of a connection in that table. Source: include/net/tcp_states.h. */
const ESTABLISHED = "01";

/** An address as that table has it: 32-bit words in the byte order of the host. Only loopback ones are asked for. */
function addressHex(address: string): string {
  if (address === "::1") return "00000000000000000000000001000000";
  const bytes = address.replace(/^::ffff:/i, "").split(".").map((part) => Number(part));
  const hex = bytes.toReversed().map((byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join("");
  return address.includes(":") ? `0000000000000000FFFF0000${hex}` : hex;
}

/** Pids of the processes with a descriptor of the socket. */
function holdersOf(inode: string): readonly number[] {
  const wanted = `socket:[${inode}]`;
  return list("/proc").map(Number).filter((pid) =>
    Number.isInteger(pid) && list(`/proc/${pid}/fd`).some((fd) => link(`/proc/${pid}/fd/${fd}`) === wanted)
  );
}

function list(path: string): readonly string[] {
  try {
    return readdirSync(path);
  } catch {
    return []; // it has ended
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // it was closed
  }
}
