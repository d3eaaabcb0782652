/** Grants: what the kernel must see come true when a held program start or connection is let go. */
import { AgGrant, AgGrantFlag, AgNetAction } from "../../../probes/abi.gen.ts";
import type { HeldProgram, HeldSocket } from "../../../ffi/mod.ts";
import { type DecisionId, ulidBytes } from "../../core/mod.ts";

/** What beside the program a grant says. */
export interface GrantTerms {
  /** System call number. */
  readonly nr: number;
  /** CLOCK_BOOTTIME, microseconds. */
  readonly expires_us: number;
  /** The decision that let it go, where it will be looked for by its id. */
  readonly decided: DecisionId | undefined;
  /** Somebody answered: the kernel's own rules are not asked again. */
  readonly approved: boolean;
}

/**
 * Tells the probes whose decision a held call is that changes files, or with `net` one about an address: its record
 * will say so.
 */
export function callMark(
  nr: number,
  decided: DecisionId,
  { refused, net = false }: { readonly refused: boolean; readonly net?: boolean },
): Uint8Array {
  const bytes = new Uint8Array(AgGrant.SIZE);
  const view = new DataView(bytes.buffer);
  const flags = AgGrantFlag.DECIDED | (refused ? AgGrantFlag.REFUSED : 0) | (net ? AgGrantFlag.NET : 0);
  bytes.set(ulidBytes(decided), AgGrant.decision);
  view.setUint32(AgGrant.flags, flags, true);
  view.setUint32(AgGrant.nr, nr, true);
  return bytes;
}

/** The grant of a program start, as `struct ag_grant`. */
export function execGrant(program: HeldProgram, { nr, expires_us, decided, approved }: GrantTerms): Uint8Array {
  const bytes = new Uint8Array(AgGrant.SIZE);
  const view = new DataView(bytes.buffer);
  if (decided !== undefined) bytes.set(ulidBytes(decided), AgGrant.decision);
  bytes.set(program.ino, AgGrant.ino);
  bytes.set(program.hash, AgGrant.hash);
  bytes.set(program.name_hash, AgGrant.name_hash);
  bytes.set(program.script_ino, AgGrant.script_ino);
  view.setBigUint64(AgGrant.expires_ns, BigInt(Math.round(expires_us)) * 1000n, true);
  view.setUint32(AgGrant.dev, program.dev, true);
  view.setUint32(AgGrant.script_dev, program.script_dev, true);
  view.setUint32(AgGrant.hashed_bytes, program.hashed_bytes, true);
  const flags = (program.args_truncated ? 0 : AgGrantFlag.WHOLE) | (program.script ? AgGrantFlag.SCRIPT : 0) |
    (approved ? AgGrantFlag.APPROVED : 0) | (decided === undefined ? 0 : AgGrantFlag.DECIDED);
  view.setUint32(AgGrant.flags, flags, true);
  view.setUint32(AgGrant.nr, nr, true);
  return bytes;
}

/** The grant of a connection, or of messages to one address, as `struct ag_grant`. */
export function netGrant(socket: HeldSocket, { nr, expires_us, decided, approved }: GrantTerms): Uint8Array {
  const bytes = new Uint8Array(AgGrant.SIZE);
  const view = new DataView(bytes.buffer);
  if (decided !== undefined) bytes.set(ulidBytes(decided), AgGrant.decision);
  bytes.set(socket.address, AgGrant.address);
  view.setBigUint64(AgGrant.expires_ns, BigInt(Math.round(expires_us)) * 1000n, true);
  view.setUint16(AgGrant.port, socket.port, true);
  view.setUint8(AgGrant.family, socket.address.byteLength === 4 ? 4 : 6);
  view.setUint8(AgGrant.protocol, socket.protocol & 0xff); // what the programs see of it
  view.setUint32(AgGrant.action, socket.action === "connect" ? AgNetAction.CONNECT : AgNetAction.SEND, true);
  const flags = AgGrantFlag.NET | (approved ? AgGrantFlag.APPROVED : 0) |
    (decided === undefined ? 0 : AgGrantFlag.DECIDED);
  view.setUint32(AgGrant.flags, flags, true);
  view.setUint32(AgGrant.nr, nr, true);
  return bytes;
}
