/** Where to a held call about a socket goes, as the native code read it (`struct ag_hold_socket`). */
import { CHANGE, HOLD, SOCKET, SOCKET_ACTION } from "./held_layout.ts";

/** What a held call would connect to, or send to. */
export interface HeldSocket {
  readonly action: "connect" | "send";
  /** 4 or 16 bytes; a mapped IPv4 address has 4. */
  readonly address: Uint8Array;
  readonly port: number;
  /** IPPROTO_*. */
  readonly protocol: number;
  /** The image that the caller runs, and its directory; empty where there is none. */
  readonly caller: string;
  readonly cwd: string;
}

// A byte order mark is a character of a name like any other.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** `socket`: the struct. Who calls stands in the thread's memory (`bytes`, `hold`), which the next call overwrites. */
export function readSocket(socket: Uint8Array, bytes: Uint8Array, hold: DataView): HeldSocket {
  const view = new DataView(socket.buffer, socket.byteOffset);
  const text = (field: number): string => {
    const at = HOLD.change + field;
    const from = HOLD.text + hold.getUint32(at, true);
    return decoder.decode(bytes.subarray(from, from + hold.getUint32(at + 4, true)));
  };
  const four = view.getUint8(SOCKET.family) === 4;
  return {
    action: view.getUint8(SOCKET.action) === SOCKET_ACTION.connect ? "connect" : "send",
    address: socket.slice(SOCKET.address, SOCKET.address + (four ? 4 : 16)),
    port: view.getUint16(SOCKET.port, true),
    protocol: view.getUint32(SOCKET.protocol, true),
    caller: text(CHANGE.caller),
    cwd: text(CHANGE.cwd),
  };
}
