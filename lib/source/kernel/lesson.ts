/** Names that user space asks the kernel to learn: the layout of `struct ag_teach`, probes/names.h. */
import { AgAddressKey, AgLimit, AgTeach } from "../../../probes/abi.gen.ts";
import { invariant } from "../../core/mod.ts";

/** A name of an address, for the rules of one policy slot, which must be filled already. */
export interface Lesson {
  /** 0 or 1. */
  readonly slot: number;
  /** 0: no name; the programs only note whose answers they may believe. */
  readonly family: 0 | 4 | 6;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  /** Lower case, without the final dot, 246 bytes at most; a longer one is not learned. */
  readonly name: string;
  /** Boot-time nanoseconds; all bits set: as long as the policy. */
  readonly expires_ns: bigint;
}

/** What a packet begins with before its program sees it. */
const ETHERNET_BYTES = 14;

/** The packet that teaches a name; absent where the programs cannot hold the name. */
export function lessonPacket({ slot, family, address, name, expires_ns }: Lesson): Uint8Array | undefined {
  const text = new TextEncoder().encode(name);
  if (text.length > AgLimit.DNS_NAME_MAX) return undefined;
  invariant(address.length === 4 || address.length === 16, "teach a name: an address has 4 or 16 bytes");
  const packet = new Uint8Array(ETHERNET_BYTES + AgTeach.SIZE);
  const view = new DataView(packet.buffer, ETHERNET_BYTES);
  view.setBigUint64(AgTeach.expires_ns, expires_ns, true);
  view.setUint32(AgTeach.address + AgAddressKey.slot, slot, true);
  view.setUint32(AgTeach.address + AgAddressKey.family, family, true);
  packet.set(address, ETHERNET_BYTES + AgTeach.address + AgAddressKey.address);
  view.setUint32(AgTeach.name_length, text.length, true);
  packet.set(text, ETHERNET_BYTES + AgTeach.name);
  return packet;
}
