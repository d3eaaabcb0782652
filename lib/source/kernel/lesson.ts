/** Names that user space asks the kernel to learn: the layout of `struct ag_teach`, probes/names.h. */
import { AgAddressKey, AgLimit, AgTeach } from "../../../probes/abi.gen.ts";
import { invariant } from "../../core/mod.ts";

/** A name of an address, for the rules of one policy slot. */
export interface Lesson {
  /** 0 or 1; the slot must hold its policy already. */
  readonly slot: number;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** Lower case, without the final dot, 246 bytes at most. */
  readonly name: string;
  /** Boot-time nanoseconds; absent: it holds as long as the policy. */
  readonly expires_ns?: bigint;
}

/** Never: later than every clock. */
const FOREVER_NS = 0xffff_ffff_ffff_ffffn;
/** What a packet begins with before its program sees it. */
const ETHERNET_BYTES = 14;

/** The packet that teaches a name; without one it only tells the programs whose answers they may believe. */
export function lessonPacket(lesson: Lesson | undefined): Uint8Array {
  const packet = new Uint8Array(ETHERNET_BYTES + AgTeach.SIZE);
  if (lesson === undefined) return packet;
  const { slot, address, name, expires_ns = FOREVER_NS } = lesson;
  const text = new TextEncoder().encode(name);
  invariant(address.length === 4 || address.length === 16, "teach a name: an address has 4 or 16 bytes");
  invariant(text.length <= AgLimit.DNS_NAME_MAX, "teach a name: it is too long");
  const view = new DataView(packet.buffer, ETHERNET_BYTES);
  view.setBigUint64(AgTeach.expires_ns, expires_ns, true);
  view.setUint32(AgTeach.address + AgAddressKey.slot, slot, true);
  view.setUint32(AgTeach.address + AgAddressKey.family, address.length === 4 ? 4 : 6, true);
  packet.set(address, ETHERNET_BYTES + AgTeach.address + AgAddressKey.address);
  view.setUint32(AgTeach.name_length, text.length, true);
  packet.set(text, ETHERNET_BYTES + AgTeach.name);
  return packet;
}
