/** Archives that the kernel unpacks at boot (Documentation/driver-api/early-userspace/buffer-format.rst). */

/** One member; folders have no bytes. */
export interface CpioEntry {
  readonly path: string;
  /** Type and permissions, as in `st_mode`. */
  readonly mode: number;
  readonly bytes?: Uint8Array;
}

const encoder = new TextEncoder();

/** The archive of the entries, in their order; a folder must come before what is in it. */
export function cpio(entries: readonly CpioEntry[]): Uint8Array {
  const parts: Uint8Array[] = [];
  [...entries, { path: "TRAILER!!!", mode: 0 }].forEach(({ path, mode, bytes = new Uint8Array() }, index) => {
    const name = encoder.encode(`${path}\0`);
    const numbers = [index + 1, mode, 0, 0, 1, 0, bytes.length, 0, 0, 0, 0, name.length, 0];
    const head = encoder.encode(`070701${numbers.map((number) => number.toString(16).padStart(8, "0")).join("")}`);
    parts.push(head, name, zeros(head.length + name.length), bytes, zeros(bytes.length));
  });
  return Buffer.concat(parts);
}

/** What is missing to the next multiple of 4. */
function zeros(length: number): Uint8Array {
  return new Uint8Array((4 - (length % 4)) % 4);
}
