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
  trees: 64,
  ports: 128,
};

/** `enum ag_launch_port_access`. */
export const PORT_ACCESS = { bind: 1, connect: 2 } as const;
/** `AG_LAUNCH_PORTS_MAX`, and the bytes of `struct ag_launch_port`. */
export const PORTS_MAX = 128, PORT_BYTES = 4;

/** `enum ag_launch_place`. */
export const PLACE = { pin: 1, read_only: 2, hide: 3, write: 4, write_files: 5, close: 6 } as const;

/** A path in the command's mount namespace. One that does not exist is passed over. */
export interface Place {
  /**
   * `pin`: not renamed nor removed; `read_only`: not changed either; `hide`: empty, closed, or without answer; `close`:
   * the same, but a directory keeps its names, and none of them can be opened. With the part `trees` only what is below
   * `write` can be changed, and existing files below `write_files` written.
   */
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
  /** With the part `ports`: the only TCP ports that it may use; what is absent is not limited. */
  readonly ports?: { readonly bind?: readonly number[]; readonly connect?: readonly number[] };
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

/** `ports` of the configuration, native byte order, and which of the two accesses they limit. Throws `RangeError`. */
export function encodePorts(
  { bind, connect }: NonNullable<Baseline["ports"]>,
): { readonly rows: Uint8Array<ArrayBuffer>; readonly access: number } {
  const rows = [
    ...(bind ?? []).map((port) => [port, PORT_ACCESS.bind] as const),
    ...(connect ?? []).map((port) => [port, PORT_ACCESS.connect] as const),
  ];
  if (rows.length > PORTS_MAX) throw new RangeError(`name at most ${PORTS_MAX} ports`);
  for (const [port] of rows) {
    if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new RangeError(`correct the port ${port}`);
  }
  const access = (bind === undefined ? 0 : PORT_ACCESS.bind) | (connect === undefined ? 0 : PORT_ACCESS.connect);
  return { rows: new Uint8Array(new Uint16Array(rows.flat()).buffer), access };
}
