/** Names that the kernel is told, where no answer tells it: those of the host's own file, and of before a reload. */
import { type AddressName, invariant, parseAddress } from "../core/mod.ts";

/** What a program of the probes notes for a policy slot. */
export interface NameLesson {
  readonly slot: number;
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly name: string;
  /** Boot clock, nanoseconds; absent: it always holds. */
  readonly expires_ns?: bigint;
}

/**
 * Runs the program; without a lesson it only notes where the guard is, since answers in other network namespaces are
 * not believed. Throws where it cannot.
 */
export type Teach = (lesson?: NameLesson) => void;

/** The lesson for a name. */
export function nameLesson(slot: number, { address, name, expires_us }: AddressName): NameLesson {
  const bytes = parseAddress(address);
  invariant(bytes !== undefined, "teach the kernel a name: its address is none");
  const lesson = { slot, address: bytes, name };
  return expires_us === Infinity ? lesson : { ...lesson, expires_ns: BigInt(Math.round(expires_us)) * 1_000n };
}
