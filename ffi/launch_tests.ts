/** Which system calls of a command wait for the guard, as the launcher is told (`struct ag_launch_test`). */
import { LITTLE_ENDIAN } from "./endian.ts";

/** `AG_LAUNCH_TESTS_MAX`: tests of held system calls. */
export const TESTS_MAX = 128;
/** `AG_LAUNCH_ANY_ARGUMENT`. */
export const ANY_ARGUMENT = 0xffff_ffff;
/** `AG_LAUNCH_UNLIKE`. */
export const UNLIKE = 0x100;

/** `struct ag_launch_test`: byte offsets and size. */
export const TEST = { nr: 0, arg: 4, mask: 8, value: 16, bytes: 24 } as const;

/** A system call that waits for the guard. */
export interface NotifyRule {
  /** Its number in the ABI of this machine. */
  readonly nr: number;
  /** It waits where any of these holds; always when absent. At least one. */
  readonly when?: readonly ArgumentTest[];
}

/**
 * Holds where `(argument & mask) === value`, or with `unlike` where that is not so. Registers only: what an argument
 * points to can change.
 */
export interface ArgumentTest {
  /** 0-5. */
  readonly arg: number;
  /** Up to 64 bits. */
  readonly mask: bigint;
  /** A part of the mask. */
  readonly value: bigint;
  /** Not with an empty mask. */
  readonly unlike?: true;
}

/** One row for each test. Throws `RangeError` for what the launcher would refuse. */
export function encodeTests(rules: readonly NotifyRule[]): Uint8Array {
  const rows = rules.flatMap(({ nr, when }) => {
    if (when?.length === 0) throw new RangeError(`leave out the empty list of tests of system call ${nr}`);
    return (when ?? [{ arg: ANY_ARGUMENT, mask: 0n, value: 0n }]).map((test: ArgumentTest) => ({ nr, ...test }));
  });
  if (rows.length > TESTS_MAX) throw new RangeError(`hold system calls by at most ${TESTS_MAX} tests`);
  const bytes = new Uint8Array(TEST.bytes * rows.length);
  const view = new DataView(bytes.buffer);
  rows.forEach(({ nr, arg, mask, value, unlike = false }, index) => {
    const empty = unlike && mask === 0n;
    if ((value & ~mask) !== 0n || mask !== BigInt.asUintN(64, mask) || (arg > 5 && arg !== ANY_ARGUMENT) || empty) {
      throw new RangeError(`correct the test of argument ${arg} of system call ${nr}`);
    }
    const at = TEST.bytes * index;
    view.setUint32(at + TEST.nr, nr, LITTLE_ENDIAN);
    view.setUint32(at + TEST.arg, arg | (unlike ? UNLIKE : 0), LITTLE_ENDIAN);
    view.setBigUint64(at + TEST.mask, mask, LITTLE_ENDIAN);
    view.setBigUint64(at + TEST.value, value, LITTLE_ENDIAN);
  });
  return bytes;
}
