/** Who is at the other end of a connected unix socket, as the kernel knows it. */
import { ptr } from "bun:ffi";
import type { SystemCalls } from "./system_call.ts";

/** include/uapi/asm-generic/socket.h */
const SOL_SOCKET = 1, SO_PEERCRED = 17, SO_PEERGROUPS = 59, SO_PEERPIDFD = 77;
/** struct ucred (include/linux/socket.h): pid, uid, gid. */
const UCRED_BYTES = 12;
/** include/uapi/linux/limits.h: NGROUPS_MAX. */
const GROUPS_MAX = 65_536;
const ERANGE = 34;

/** The process that connected, as it was then. */
export interface SocketPeer {
  readonly pid: number;
  readonly uid: number;
  /** Its group, then its supplementary groups. */
  readonly gids: readonly number[];
  /** Names the process without the danger that its pid is used again; the caller closes it. Absent before Linux 6.5. */
  readonly pidfd?: number;
}

/** The peer of a connected unix socket; `undefined` where the kernel names none. */
export function socketPeer(system: SystemCalls, fd: number): SocketPeer | undefined {
  const credentials = option(system, fd, SO_PEERCRED, UCRED_BYTES);
  if (credentials === undefined || credentials.byteLength !== UCRED_BYTES) return undefined;
  const [pid, uid, gid] = [0, 4, 8].map((at) => credentials.getUint32(at, true));
  if (pid === undefined || uid === undefined || gid === undefined || pid === 0) return undefined;
  const groups = peerGroups(system, fd);
  if (groups === undefined) return undefined;
  const handle = option(system, fd, SO_PEERPIDFD, 4);
  return { pid, uid, gids: [gid, ...groups], ...(handle === undefined ? {} : { pidfd: handle.getInt32(0, true) }) };
}

function peerGroups(system: SystemCalls, fd: number): readonly number[] | undefined {
  for (let room = 64; room <= GROUPS_MAX; room *= 2) {
    const length = new Uint32Array([room * 4]);
    const value = new Uint32Array(room);
    // SAFETY: both buffers outlive the call; the kernel writes at most `length` bytes.
    const result = system.call("getsockopt", fd, SOL_SOCKET, SO_PEERGROUPS, Number(ptr(value)), Number(ptr(length)));
    if (result === 0) return [...value.subarray(0, (length[0] ?? 0) / 4)];
    if (result !== -ERANGE) return undefined;
  }
  return undefined;
}

function option(system: SystemCalls, fd: number, name: number, bytes: number): DataView | undefined {
  const value = new Uint8Array(bytes);
  const length = new Uint32Array([bytes]);
  // SAFETY: both buffers outlive the call; the kernel writes at most `length` bytes.
  const result = system.call("getsockopt", fd, SOL_SOCKET, name, Number(ptr(value)), Number(ptr(length)));
  return result === 0 ? new DataView(value.buffer, 0, length[0] ?? 0) : undefined;
}
