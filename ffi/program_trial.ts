/** One tiny program, tried before an object of many: where the kernel takes none of its type, it costs microseconds. */
import { ptr } from "bun:ffi";
import { errnoName } from "../lib/core/mod.ts";
import type { Shim } from "./native_library.ts";
import { SystemCalls } from "./system_call.ts";

/** include/uapi/linux/bpf.h */
const BPF_PROG_LOAD = 5, BPF_PROG_TYPE_LSM = 29, BPF_LSM_MAC = 27;
/** Offsets in union bpf_attr of BPF_PROG_LOAD. */
const INSN_CNT = 4, INSNS = 8, LICENSE = 16, EXPECTED_ATTACH_TYPE = 68, ATTACH_BTF_ID = 108, ATTRIBUTE_BYTES = 120;
const EPERM = 1;

/**
 * The errno with which this kernel refuses every program at a security hook, or `undefined` where it may take some. The
 * program is made for a hook that does not exist, so a kernel that takes such programs refuses it otherwise.
 */
export function hooksRefused(shim: Shim): string | undefined {
  // r0 = 0; exit
  const program = new BigUint64Array([0x00000000000000b7n, 0x0000000000000095n]);
  const license = Buffer.from("GPL\0");
  const attributes = new DataView(new ArrayBuffer(ATTRIBUTE_BYTES));
  attributes.setUint32(0, BPF_PROG_TYPE_LSM, true);
  attributes.setUint32(INSN_CNT, program.length, true);
  attributes.setBigUint64(INSNS, BigInt(ptr(program)), true);
  attributes.setBigUint64(LICENSE, BigInt(ptr(license)), true);
  attributes.setUint32(EXPECTED_ATTACH_TYPE, BPF_LSM_MAC, true);
  attributes.setUint32(ATTACH_BTF_ID, 1, true);
  const system = new SystemCalls(shim);
  // SAFETY: the three buffers outlive the call.
  const result = system.call("bpf", BPF_PROG_LOAD, Number(ptr(attributes)), ATTRIBUTE_BYTES);
  if (result >= 0) system.close(result);
  return result === -EPERM ? errnoName(EPERM) : undefined;
}
