/** How the kernel numbers the guard: in a container it has another number than the one it knows itself by. */
import { statSync } from "node:fs";
import { AgSelfNumber } from "../../../probes/abi.gen.ts";
import { BpfObject, type Libbpf, type Shim } from "../../../ffi/mod.ts";
import { err, ok, type Result } from "../../core/mod.ts";

/** include/linux/proc_ns.h: the initial pid namespace has this inode on every kernel. */
const PROC_PID_INIT_INO = 0xeffffffc;

/** The guard's number in the initial pid namespace, and how deep its own one is; level 0 is the initial one. */
export interface OwnNumber {
  readonly tgid: number;
  readonly level: number;
}

/** The object's rings are made with it, though nobody uses them here: a page each. */
const RING_BYTES_MIN = 4096;

/**
 * Asks nobody in the initial namespace; elsewhere a program that runs once looks, since no file tells it. The error
 * begins with the errno.
 */
export function ownNumber(
  parts: { readonly bpf: Libbpf; readonly shim: Shim; readonly image: Uint8Array; readonly self_pid: number },
): Result<OwnNumber, string> {
  if (statSync("/proc/self/ns/pid").ino === PROC_PID_INIT_INO) return ok({ tgid: parts.self_pid, level: 0 });
  const loaded = BpfObject.load(parts.bpf, parts.shim, parts.image, {
    programs: ["ag_whoami"],
    sizes: { decisions: RING_BYTES_MIN, telemetry: RING_BYTES_MIN },
  });
  if (!loaded.ok) return err(`${loaded.error.errno}: ask for the guard's own number: ${loaded.error.log}`);
  using object = loaded.value;
  const context = new Uint8Array(AgSelfNumber.SIZE);
  const ran = object.run("ag_whoami", context);
  if (!ran.ok) return err(ran.error);
  const view = new DataView(context.buffer);
  return ok({ tgid: view.getUint32(AgSelfNumber.tgid, true), level: view.getUint32(AgSelfNumber.level, true) });
}
