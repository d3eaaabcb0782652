/**
 * Who is at the other end of a connection to the control socket. Everything comes from the kernel; what the client says
 * of itself counts nothing.
 */
import { closeSync } from "node:fs";
import type { Approver } from "../core/mod.ts";
import { type SocketPeer, socketPeer } from "../../ffi/mod.ts";
import type { Peer, PeerPort } from "../publish/mod.ts";
import { groupIdsOf, groupNames, userName } from "./account_names.ts";
import { type ProcessFacts, processFacts } from "./process_facts.ts";
import { type MembershipParts, whyInside } from "./session_membership.ts";

/** Asks the kernel about peers. */
export class PeerIdentity implements PeerPort {
  readonly #parts: MembershipParts;

  constructor(parts: MembershipParts) {
    this.#parts = parts;
  }

  open(fd: number): Peer {
    const { system } = this.#parts;
    const found = fd < 0 ? undefined : socketPeer(system, fd);
    // Without SO_PEERPIDFD the process is taken by its pid at once, while its connection waits to be answered.
    const pidfd = found === undefined ? -1 : found.pidfd ?? system.pidfdOpen(found.pid);
    return {
      identify: () => Promise.resolve(this.#identify(found, pidfd)),
      [Symbol.dispose]: () => {
        if (pidfd >= 0) closeSync(pidfd);
      },
    };
  }

  #identify(peer: SocketPeer | undefined, pidfd: number): Approver {
    if (peer === undefined) return unknownPeer("the kernel does not name the process at the other end");
    const { pid, uid } = peer;
    const facts = processFacts(pid);
    const inside = whyInside(this.#parts, { pid, pidfd, facts });
    // Who became root by sudo is known by the login, which the kernel keeps: as root all would be one.
    const login_uid = uid === 0 ? facts?.login_uid : undefined;
    const user = userName(login_uid ?? uid);
    const gids = login_uid === undefined ? peer.gids : [...new Set([...peer.gids, ...groupIdsOf(login_uid)])];
    return {
      id: login_uid === undefined ? `uid:${uid}` : `uid:${uid}/${user ?? login_uid}`,
      uid,
      gids,
      groups: groupNames(gids),
      ...(user === undefined ? {} : { user }),
      terminal: facts?.terminal !== undefined,
      verified: verifiedText(peer, facts, inside),
      ...(inside === undefined ? {} : { inside }),
    };
  }
}

/** Somebody of whom nothing is known. */
export function unknownPeer(why: string): Approver {
  return { id: "unknown", verified: why, inside: why, terminal: false };
}

/** `SO_PEERCRED pid 42 (/usr/bin/agentguard), login uid 1000, terminal pts/3, in no session` */
function verifiedText(peer: SocketPeer, facts: ProcessFacts | undefined, inside: string | undefined): string {
  const by = peer.pidfd === undefined ? "SO_PEERCRED" : "SO_PEERPIDFD";
  return [
    `${by} pid ${peer.pid}${facts?.exe === undefined ? "" : ` (${facts.exe})`}`,
    ...(facts?.login_uid === undefined ? [] : [`login uid ${facts.login_uid}`]),
    facts?.terminal === undefined ? "no terminal" : `terminal ${facts.terminal}`,
    inside ?? "in no session",
  ].join(", ");
}
