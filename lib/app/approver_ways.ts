/** The ways to answer that a policy opens beside the control socket: a port of this host, and a socket of approvers. */
import { AgentguardError, type ApprovalSettings, type Approver, type Log } from "../core/mod.ts";
import { readSecret } from "../approve/mod.ts";
import {
  type ApprovalDesk,
  ApproverServer,
  ApproverSocket,
  approverSocketPath,
  type PeerPort,
  type SocketAccess,
} from "../publish/mod.ts";
import { accountId } from "./account_names.ts";
import { PeerIdentity } from "./peer_identity.ts";
import type { MembershipParts } from "./session_membership.ts";
import { TcpPeerIdentity } from "./tcp_peer.ts";

/** Shortest token, characters. */
const TOKEN_CHARS_MIN = 16;

/** What they need. */
export interface ApproverWaysParts {
  readonly desk: ApprovalDesk;
  readonly runtime_dir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  readonly membership: MembershipParts;
}

/** At most one of each; dispose it. */
export class ApproverWays implements Disposable {
  readonly #parts: ApproverWaysParts;
  #open: Disposable[] = [];

  constructor(parts: ApproverWaysParts) {
    this.#parts = parts;
  }

  /**
   * Reads what the settings name. The result closes what is open and opens what they say; it rejects with the first
   * way that could not be opened. Throws `config`, and then nothing changed.
   */
  prepare(settings: ApprovalSettings): (options: { readonly sockets: boolean }) => Promise<void> {
    const [port, socket] = [this.#port(settings), this.#socket(settings)];
    return async ({ sockets }) => {
      this[Symbol.dispose]();
      for (const make of [port, sockets ? socket : undefined]) {
        const way = make?.();
        if (way === undefined) continue;
        this.#open.push(way);
        await way.start();
      }
    };
  }

  /** Closes them. Doing it twice is harmless. */
  [Symbol.dispose](): void {
    for (const way of this.#open.splice(0)) way[Symbol.dispose]();
  }

  #port({ listen }: ApprovalSettings): (() => ApproverServer) | undefined {
    if (listen === undefined) return undefined;
    const { env, log, membership, desk } = this.#parts;
    const token = readSecret(listen.token, env, { what: "token", chars_min: TOKEN_CHARS_MIN });
    const { address: hostname, port, name } = listen;
    return () => {
      const peers = new TcpPeerIdentity(membership, `token:${name}`);
      return new ApproverServer(desk, { hostname, port, token, log, peers });
    };
  }

  #socket({ socket }: ApprovalSettings): (() => ApproverSocket) | undefined {
    if (socket === undefined) return undefined;
    const { runtime_dir, log, membership, desk } = this.#parts;
    const access = accessOf(socket);
    const path = approverSocketPath(runtime_dir);
    const peers = apartPeers(new PeerIdentity(membership), access);
    const uid = process.geteuid?.() ?? 0;
    return () => new ApproverSocket(desk, { path, access, uid, log, peers });
  }
}

function accessOf(socket: NonNullable<ApprovalSettings["socket"]>): SocketAccess {
  const [kind, name] = "group" in socket ? ["group", socket.group] as const : ["user", socket.user] as const;
  const id = accountId(kind, name);
  if (id === undefined) {
    throw new AgentguardError("config", `make the ${kind} ${name} of [approval.socket]: this host has none`);
  }
  return kind === "group" ? { gid: id } : { uid: id };
}

/**
 * Peers of the approvers' socket. That somebody could connect proves little: a socket can be handed on, and its modes
 * be changed by its owner. So the kernel's word on the peer is compared with the policy's.
 */
function apartPeers(inner: PeerPort, access: SocketAccess): PeerPort {
  return {
    open: (fd) => {
      const peer = inner.open(fd);
      return {
        identify: async () => {
          const who = { ...await peer.identify(), apart: true as const };
          const why = who.inside ?? whyNotAdmitted(who, access);
          return why === undefined ? who : { ...who, inside: why };
        },
        [Symbol.dispose]: () => peer[Symbol.dispose](),
      };
    },
  };
}

function whyNotAdmitted({ id, uid, gids }: Approver, access: SocketAccess): string | undefined {
  if ("uid" in access) return uid === access.uid ? undefined : `${id} is not the user of [approval.socket]`;
  return gids?.includes(access.gid) === true ? undefined : `${id} is not in the group of [approval.socket]`;
}
