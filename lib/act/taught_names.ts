/** Names that the kernel is told, where no answer tells it: those of the host's own file, and of before a reload. */
import { type AddressName, invariant, parseAddress } from "../core/mod.ts";

/** What a program of the probes notes for a policy slot. */
export interface NameLesson {
  readonly slot: number;
  /** 4 or 6; 0: nothing but where the guard is. */
  readonly family: 0 | 4 | 6;
  readonly address: Uint8Array;
  readonly name: string;
  /** Boot clock, nanoseconds; all bits set: always. */
  readonly expires_ns: bigint;
}

/** Runs the program; throws where it cannot. */
export type Teach = (lesson: NameLesson) => void;

const ALWAYS_NS = 0xffff_ffff_ffff_ffffn;

/** The lesson that only says where the guard is: answers in other network namespaces are not believed. */
export function placeLesson(slot: number): NameLesson {
  return { slot, family: 0, address: new Uint8Array(16), name: "", expires_ns: 0n };
}

/** The lesson for a name. */
export function nameLesson(slot: number, { address, name, expires_us }: AddressName): NameLesson {
  const bytes = parseAddress(address);
  invariant(bytes !== undefined, "teach the kernel a name: its address is none");
  const expires_ns = expires_us === Infinity ? ALWAYS_NS : BigInt(Math.round(expires_us)) * 1_000n;
  return { slot, family: bytes.length === 4 ? 4 : 6, address: bytes, name, expires_ns };
}
