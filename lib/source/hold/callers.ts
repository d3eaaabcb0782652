/** Who waits: what task storage knows of a process. */
import { AgScope } from "../../../probes/abi.gen.ts";
import type { HeldCall, HeldCalls } from "../../../ffi/mod.ts";

/** Callers whose start is remembered. */
const STARTS_MAX = 256;

/** Reads the scopes that the probes keep. */
export class HeldCallers {
  /** By the caller's serial number. */
  readonly #starts: Map<number, string> = new Map();
  readonly #calls: Pick<HeldCalls, "scope">;
  readonly #map_fd: number;
  readonly #value = new Uint8Array(AgScope.SIZE);
  readonly #view = new DataView(this.#value.buffer);

  /** `map_fd`: the map `scopes` of the loaded probes. */
  constructor(calls: Pick<HeldCalls, "scope">, map_fd: number) {
    this.#calls = calls;
    this.#map_fd = map_fd;
  }

  /** Start of a process as records have it, boot-time nanoseconds; `undefined` where it is not known. */
  start(pid: number): string | undefined {
    if (!this.#calls.scope(this.#map_fd, pid, this.#value)) return undefined;
    const start = this.#view.getBigUint64(AgScope.start_ns, true);
    return start === 0n ? undefined : start.toString();
  }

  /** The same of a caller's process, remembered: it stays what it is for as long as the caller lives. */
  startOf({ serial, tgid }: HeldCall): string | undefined {
    const known = this.#starts.get(serial);
    if (known !== undefined) return known;
    const start = this.start(tgid);
    if (start === undefined) return undefined;
    if (this.#starts.size >= STARTS_MAX) this.#starts.clear();
    this.#starts.set(serial, start);
    return start;
  }
}
