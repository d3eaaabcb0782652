/**
 * Who is at the other end of a connection to the control socket. Everything comes from the kernel; what the client says
 * of itself counts nothing. A process of a guarded session is told from all others in three independent ways: by the
 * mark that the kernel programs keep on each task of a session and its descendants, by its cgroup, by its ancestors.
 */
import { closeSync } from "node:fs";
import type { Approver, SessionInfo } from "../core/mod.ts";
import { hasTaskStorage, type SocketPeer, socketPeer, type SystemCalls } from "../../ffi/mod.ts";
import type { Peer, PeerPort } from "../publish/mod.ts";
import { groupNames, userName } from "./account_names.ts";
import { type ProcessFacts, processFacts } from "./process_facts.ts";

/** What the guard knows of its sessions. */
export interface PeerIdentityParts {
  readonly system: SystemCalls;
  /** The guard itself: whatever descends from it is its command. */
  readonly self_pid: number;
  /** Descriptor of the map of task storage that marks the tasks of sessions. */
  readonly scopes_fd: () => number;
  /** Sessions that have not ended. */
  readonly sessions: () => readonly SessionInfo[];
}

/** Ancestors that are looked at; a longer line is taken for one of a session. */
const ANCESTORS_MAX = 256;

/** Asks the kernel about peers. */
export class PeerIdentity implements PeerPort {
  readonly #parts: PeerIdentityParts;

  constructor(parts: PeerIdentityParts) {
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
    const { pid, uid, gids } = peer;
    const user = userName(uid);
    const facts = processFacts(pid);
    const inside = this.#whyInside(peer, pidfd, facts);
    return {
      id: `uid:${uid}`,
      uid,
      gids,
      groups: groupNames(gids),
      ...(user === undefined ? {} : { user }),
      terminal: facts?.terminal !== undefined,
      verified: verifiedText(peer, facts, inside),
      ...(inside === undefined ? {} : { inside }),
    };
  }

  /** Why the process counts as one of a session; `undefined` where it is proven to be of none. */
  #whyInside(peer: SocketPeer, pidfd: number, facts: ProcessFacts | undefined): string | undefined {
    const ended = `process ${peer.pid} has ended: nobody can tell who it was`;
    if (facts === undefined || pidfd < 0) return ended;
    const { system, scopes_fd, sessions } = this.#parts;
    const of_session = `process ${peer.pid} belongs to a guarded session: what it asks for is answered from outside`;
    try {
      if (hasTaskStorage(system, scopes_fd(), pidfd)) return of_session;
    } catch {
      return `nobody can tell whether process ${peer.pid} is outside of every session`;
    }
    const { cgroup } = facts;
    const leaves = sessions().flatMap((session) => session.cgroup ?? []);
    if (cgroup === undefined) return `the cgroup of process ${peer.pid} cannot be read`;
    if (leaves.some((leaf) => cgroup === leaf || cgroup.startsWith(`${leaf}/`))) return of_session;
    if (this.#descends(facts)) return of_session;
    // All of this was about the process that connected only if it is still there: its pid was not used again.
    return system.pidfdSignal(pidfd, 0) === 0 ? undefined : ended;
  }

  /** True if an ancestor is the guard itself or the root of a session. */
  #descends(facts: ProcessFacts): boolean {
    const roots = new Set([this.#parts.self_pid, ...this.#parts.sessions().map(({ root }) => root.pid)]);
    let at: ProcessFacts | undefined = facts;
    for (let count = 0; at !== undefined && at.ppid !== 0; count++) {
      if (roots.has(at.ppid) || count > ANCESTORS_MAX) return true;
      at = processFacts(at.ppid);
    }
    return false;
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
