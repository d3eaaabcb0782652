/**
 * The baseline: what a guarded command gives up before its first instruction (`ffi/native/launch_confine.h`). The
 * numbers are those of `ffi/native/launch_protocol.h`; a kernel test compares them.
 */
import type { BaselinePart } from "../lib/core/mod.ts";

/** `AG_LAUNCH_PATH_BYTES`: a path with its NUL. */
export const PATH_BYTES = 4096;
/** `AG_LAUNCH_PLACES_BYTES`. */
export const PLACES_BYTES = 32_768;

/** `enum ag_launch_part`. */
export const PART: Readonly<Record<BaselinePart, number>> = {
  privileges: 1,
  namespaces: 2,
  syscalls: 4,
  trace: 8,
  mounts: 16,
  scope: 32,
};

/** `enum ag_launch_place`. */
export const PLACE = { pin: 1, read_only: 2, hide: 3 } as const;

/** A path in the command's mount namespace. One that does not exist is passed over. */
export interface Place {
  /** `pin`: not renamed nor removed; `read_only`: not changed either; `hide`: empty, closed, or without answer. */
  readonly kind: keyof typeof PLACE;
  /** Absolute. */
  readonly path: string;
}

/** What the command gives up before its first instruction; it holds without the guard. */
export interface Baseline {
  readonly parts: readonly BaselinePart[];
  /** Capabilities that it keeps: bit n for capability n (include/uapi/linux/capability.h). */
  readonly capabilities: bigint;
  /** In the order in which they are mounted. The first hidden directory holds the others' stand-ins. */
  readonly places: readonly Place[];
}

/** `places` of the configuration: one byte for the kind and the path with its NUL, each. Throws `RangeError`. */
export function encodePlaces(places: readonly Place[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(PLACES_BYTES);
  let used = 0;
  for (const { kind, path } of places) {
    const encoded = new TextEncoder().encode(path);
    if (!path.startsWith("/") || encoded.includes(0) || encoded.byteLength >= PATH_BYTES) {
      throw new RangeError(`name an absolute path of at most ${PATH_BYTES - 1} bytes: ${path.slice(0, 64)}`);
    }
    if (used + encoded.byteLength + 2 > PLACES_BYTES) {
      throw new RangeError(`name fewer places: at most ${PLACES_BYTES} bytes together`);
    }
    bytes[used] = PLACE[kind];
    bytes.set(encoded, used + 1);
    used += encoded.byteLength + 2;
  }
  return bytes.slice(0, used);
}
