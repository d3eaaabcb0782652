/** A held connection or message as an event, in the form that the probes' record of it will have. */
import {
  addressText,
  type Event,
  type NetAction,
  type ProcessInfo,
  protocolName,
  type SessionInfo,
  type WallUs,
} from "../../core/mod.ts";
import type { HeldCall, HeldSocket } from "../../../ffi/mod.ts";

/** What an event is made of. */
export interface HeldNet {
  readonly time_us: WallUs;
  readonly session: SessionInfo;
  readonly call: HeldCall;
  /** Start of the caller's process, boot-time nanoseconds, decimal. */
  readonly start: string;
  readonly socket: HeldSocket;
}

/** The event that the policy is asked about. */
export function heldNetEvent({ time_us, session, call, start, socket }: HeldNet): Event {
  const process: ProcessInfo = {
    pid: call.tgid,
    start,
    ppid: call.ppid,
    uid: call.uid,
    ...(socket.caller === "" ? undefined : { exe: socket.caller }),
    ...(socket.cwd === "" ? undefined : { cwd: socket.cwd }),
  };
  return { time_us, session, process, action: netAction(socket), held: true };
}

function netAction({ action, address, port, protocol }: HeldSocket): NetAction {
  return {
    type: `net.${action}`,
    protocol: protocolName(protocol),
    address: addressText(address),
    port,
  };
}
