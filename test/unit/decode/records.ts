/** Writes kernel records byte by byte, by the offsets that are generated from the C header. */
import {
  AgAbi,
  AgClose,
  AgCoverage,
  AgDns,
  AgDnsAnswer,
  AgExec,
  AgExecArgs,
  AgExecFailed,
  AgExit,
  AgFork,
  AgMove,
  AgNet,
  AgOp,
  AgOpen,
  AgPath,
  AgRecord,
  AgScopeChange,
  AgUnix,
} from "../../../probes/abi.gen.ts";

/** Header fields; what is not given has the value of {@link HEADER}. */
export interface Header {
  readonly flags?: number;
  readonly cpu?: number;
  readonly scope?: number;
  readonly seq?: number;
  readonly time_ns?: bigint;
  readonly pid?: number;
  readonly tid?: number;
  readonly start_ns?: bigint;
}

/** The header that records have unless told otherwise. */
export const HEADER = {
  flags: 0,
  cpu: 1,
  scope: 7,
  seq: 3,
  time_ns: 5_000_001_500n,
  pid: 4242,
  tid: 4243,
  start_ns: 0x1_0000_0005n,
} as const;

/** Text as UTF-8, or bytes as they are. */
export type Bytes = string | Uint8Array;

/** The bytes of a text. */
export function bytesOf(text: Bytes): Uint8Array {
  return typeof text === "string" ? new TextEncoder().encode(text) : text;
}

/** A record of `size` fixed bytes and what follows them; `fill` writes the fields behind the header. */
export function record(
  op: number,
  size: number,
  options: Header & { readonly tail?: readonly Bytes[]; readonly fill?: (view: DataView) => void },
): Uint8Array {
  const tail = (options.tail ?? []).map(bytesOf);
  const length = size + tail.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  const header = { ...HEADER, ...options };
  view.setUint32(AgRecord.size, length, true);
  view.setUint16(AgRecord.op, op, true);
  view.setUint8(AgRecord.abi, AgAbi.VERSION);
  view.setUint8(AgRecord.flags, header.flags);
  view.setUint32(AgRecord.cpu, header.cpu, true);
  view.setUint32(AgRecord.scope, header.scope, true);
  view.setBigUint64(AgRecord.seq, BigInt(header.seq), true);
  view.setBigUint64(AgRecord.time_ns, header.time_ns, true);
  view.setUint32(AgRecord.pid, header.pid, true);
  view.setUint32(AgRecord.tid, header.tid, true);
  view.setBigUint64(AgRecord.start_ns, header.start_ns, true);
  options.fill?.(view);
  let at = size;
  for (const part of tail) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** argv as the kernel holds it: every argument ends with a NUL. */
export function argvBytes(argv: readonly string[]): Uint8Array {
  return bytesOf(argv.map((argument) => `${argument}\0`).join(""));
}

/** Fields of a program start. */
export interface ExecFields extends Header {
  readonly path?: Bytes;
  readonly cwd?: Bytes;
  readonly requested?: Bytes;
  readonly cgroup?: Bytes;
  /** argv bytes of this record. */
  readonly argv?: Uint8Array;
  /** All argv bytes of the program; default those of this record. */
  readonly argv_total?: number;
  readonly parent_start_ns?: bigint;
  readonly ppid?: number;
  readonly uid?: number;
  readonly exec_flags?: number;
  readonly exec_id?: bigint;
  readonly rule_index?: number;
  readonly generation?: number;
  readonly verdict?: number;
  readonly agent_index?: number;
}

/** EXEC. */
export function execRecord(fields: ExecFields = {}): Uint8Array {
  const path = bytesOf(fields.path ?? "/usr/bin/true");
  const cwd = bytesOf(fields.cwd ?? "/w");
  const requested = bytesOf(fields.requested ?? "/usr/bin/true");
  const cgroup = bytesOf(fields.cgroup ?? "agentguard/s1");
  const argv = fields.argv ?? argvBytes(["true"]);
  return record(AgOp.EXEC, AgExec.SIZE, {
    ...fields,
    tail: [path, cwd, requested, cgroup, argv],
    fill: (view) => {
      view.setBigUint64(AgExec.parent_start_ns, fields.parent_start_ns ?? 77n, true);
      view.setUint32(AgExec.ppid, fields.ppid ?? 1, true);
      view.setUint32(AgExec.uid, fields.uid ?? 1000, true);
      view.setUint32(AgExec.exec_flags, fields.exec_flags ?? 0, true);
      view.setBigUint64(AgExec.exec_id, fields.exec_id ?? 9n, true);
      view.setUint32(AgExec.argv_bytes_total, fields.argv_total ?? argv.length, true);
      view.setUint32(AgExec.argv_bytes, argv.length, true);
      view.setUint16(AgExec.path_bytes, path.length, true);
      view.setUint16(AgExec.cwd_bytes, cwd.length, true);
      view.setUint16(AgExec.requested_bytes, requested.length, true);
      view.setUint16(AgExec.cgroup_bytes, cgroup.length, true);
      view.setInt32(AgExec.rule_index, fields.rule_index ?? -1, true);
      view.setUint32(AgExec.generation, fields.generation ?? 0, true);
      view.setUint32(AgExec.verdict, fields.verdict ?? 0, true);
      view.setInt32(AgExec.agent_index, fields.agent_index ?? -1, true);
    },
  });
}

/** EXEC_ARGS. */
export function execArgsRecord(
  fields: Header & {
    readonly exec_id?: bigint;
    readonly offset: number;
    readonly argv: Uint8Array;
    readonly last: boolean;
  },
): Uint8Array {
  return record(AgOp.EXEC_ARGS, AgExecArgs.SIZE, {
    ...fields,
    tail: [fields.argv],
    fill: (view) => {
      view.setBigUint64(AgExecArgs.exec_id, fields.exec_id ?? 9n, true);
      view.setUint32(AgExecArgs.offset, fields.offset, true);
      view.setUint32(AgExecArgs.bytes, fields.argv.length, true);
      view.setUint32(AgExecArgs.last, fields.last ? 1 : 0, true);
    },
  });
}

/** EXEC_FAILED. */
export function execFailedRecord(
  fields: Header & { readonly result: number; readonly base?: Bytes; readonly requested: Bytes },
): Uint8Array {
  const base = bytesOf(fields.base ?? "");
  const requested = bytesOf(fields.requested);
  return record(AgOp.EXEC_FAILED, AgExecFailed.SIZE, {
    ...fields,
    tail: [base, requested],
    fill: (view) => {
      view.setInt32(AgExecFailed.result, fields.result, true);
      view.setUint16(AgExecFailed.path_bytes, base.length, true);
      view.setUint16(AgExecFailed.requested_bytes, requested.length, true);
    },
  });
}

/** FORK. */
export function forkRecord(
  fields: Header & { readonly child_pid: number; readonly child_start_ns: bigint; readonly uid?: number },
): Uint8Array {
  return record(AgOp.FORK, AgFork.SIZE, {
    ...fields,
    fill: (view) => {
      view.setBigUint64(AgFork.child_start_ns, fields.child_start_ns, true);
      view.setUint32(AgFork.child_pid, fields.child_pid, true);
      view.setUint32(AgFork.uid, fields.uid ?? 1000, true);
    },
  });
}

/** EXIT. */
export function exitRecord(fields: Header & { readonly wait_status: number }): Uint8Array {
  return record(AgOp.EXIT, AgExit.SIZE, {
    ...fields,
    fill: (view) => view.setUint32(AgExit.wait_status, fields.wait_status, true),
  });
}

/** Fields of an open. */
export interface OpenFields extends Header {
  readonly ino?: bigint;
  readonly dev?: number;
  readonly result?: number;
  readonly open_flags?: number;
  readonly created?: boolean;
  readonly path?: Bytes;
  readonly requested?: Bytes;
  /** Where a relative request of a success begins from. */
  readonly base?: Bytes;
}

/** OPEN. */
export function openRecord(fields: OpenFields = {}): Uint8Array {
  const path = bytesOf(fields.path ?? "/etc/hosts");
  const requested = bytesOf(fields.requested ?? "/etc/hosts");
  const base = bytesOf(fields.base ?? "");
  return record(AgOp.OPEN, AgOpen.SIZE, {
    ...fields,
    tail: [path, requested, base],
    fill: (view) => {
      view.setBigUint64(AgOpen.ino, fields.ino ?? 11n, true);
      view.setUint32(AgOpen.dev, fields.dev ?? 22, true);
      view.setInt32(AgOpen.result, fields.result ?? 3, true);
      view.setUint32(AgOpen.open_flags, fields.open_flags ?? 0, true);
      view.setUint32(AgOpen.created, fields.created === true ? 1 : 0, true);
      view.setUint16(AgOpen.path_bytes, path.length, true);
      view.setUint16(AgOpen.requested_bytes, requested.length, true);
      view.setUint16(AgOpen.base_bytes, base.length, true);
    },
  });
}

/** CLOSE. */
export function closeRecord(
  fields: Header & {
    readonly ino?: bigint;
    readonly dev?: number;
    readonly fd?: number;
    readonly read_bytes?: bigint;
    readonly written_bytes?: bigint;
  } = {},
): Uint8Array {
  return record(AgOp.CLOSE, AgClose.SIZE, {
    ...fields,
    fill: (view) => {
      view.setBigUint64(AgClose.ino, fields.ino ?? 11n, true);
      view.setUint32(AgClose.dev, fields.dev ?? 22, true);
      view.setUint32(AgClose.fd, fields.fd ?? 3, true);
      view.setBigUint64(AgClose.read_bytes, fields.read_bytes ?? 0n, true);
      view.setBigUint64(AgClose.written_bytes, fields.written_bytes ?? 0n, true);
    },
  });
}

/** PATH. */
export function pathRecord(
  fields: Header & {
    readonly action: number;
    readonly result?: number;
    readonly mode?: number;
    readonly uid?: number;
    readonly gid?: number;
    readonly path?: Bytes;
    readonly requested?: Bytes;
  },
): Uint8Array {
  const path = bytesOf(fields.path ?? "");
  const requested = bytesOf(fields.requested ?? "");
  return record(AgOp.PATH, AgPath.SIZE, {
    ...fields,
    tail: [path, requested],
    fill: (view) => {
      view.setUint32(AgPath.action, fields.action, true);
      view.setInt32(AgPath.result, fields.result ?? 0, true);
      view.setUint32(AgPath.mode, fields.mode ?? 0, true);
      view.setInt32(AgPath.uid, fields.uid ?? -1, true);
      view.setInt32(AgPath.gid, fields.gid ?? -1, true);
      view.setUint16(AgPath.path_bytes, path.length, true);
      view.setUint16(AgPath.requested_bytes, requested.length, true);
    },
  });
}

/** MOVE. */
export function moveRecord(
  fields: Header & {
    readonly action: number;
    readonly result?: number;
    readonly path?: Bytes;
    readonly requested?: Bytes;
    readonly new_path?: Bytes;
    readonly new_requested?: Bytes;
  },
): Uint8Array {
  const parts = [fields.path, fields.requested, fields.new_path, fields.new_requested].map((part) =>
    bytesOf(part ?? "")
  );
  const lengths = [AgMove.path_bytes, AgMove.requested_bytes, AgMove.new_path_bytes, AgMove.new_requested_bytes];
  return record(AgOp.MOVE, AgMove.SIZE, {
    ...fields,
    tail: parts,
    fill: (view) => {
      view.setUint32(AgMove.action, fields.action, true);
      view.setInt32(AgMove.result, fields.result ?? 0, true);
      lengths.forEach((offset, i) => view.setUint16(offset, parts[i]?.length ?? 0, true));
    },
  });
}

/** Fields of a network action. */
export interface NetFields extends Header {
  readonly address: readonly number[];
  readonly port?: number;
  readonly family?: 4 | 6;
  readonly action?: number;
  readonly protocol?: number;
  readonly verdict?: number;
  readonly result?: number;
  readonly rule_index?: number;
  readonly generation?: number;
  readonly net_flags?: number;
  readonly decided_ns?: bigint;
}

/** NET. */
export function netRecord(fields: NetFields): Uint8Array {
  return record(AgOp.NET, AgNet.SIZE, {
    ...fields,
    fill: (view) => {
      fields.address.forEach((byte, i) => view.setUint8(AgNet.address + i, byte));
      view.setUint16(AgNet.port, fields.port ?? 443, true);
      view.setUint8(AgNet.family, fields.family ?? 4);
      view.setUint8(AgNet.action, fields.action ?? 0);
      view.setUint8(AgNet.protocol, fields.protocol ?? 6);
      view.setUint8(AgNet.verdict, fields.verdict ?? 0);
      view.setUint8(AgNet.has_result, fields.result === undefined ? 0 : 1);
      view.setInt32(AgNet.result, fields.result ?? 0, true);
      view.setUint32(AgNet.flags, fields.net_flags ?? 0, true);
      view.setBigUint64(AgNet.decided_ns, fields.decided_ns ?? 0n, true);
      view.setInt32(AgNet.rule_index, fields.rule_index ?? -1, true);
      view.setUint32(AgNet.generation, fields.generation ?? 0, true);
    },
  });
}

/** DNS. */
export function dnsRecord(
  fields: Header & {
    readonly name: Bytes;
    readonly answers: readonly (readonly number[])[];
    readonly name_length?: number;
    readonly count?: number;
    readonly ttl_s?: number;
    readonly cut?: boolean;
    readonly generation?: number;
  },
): Uint8Array {
  const name = bytesOf(fields.name);
  return record(AgOp.DNS, AgDns.SIZE, {
    pid: 0,
    tid: 0,
    start_ns: 0n,
    ...fields,
    fill: (view) => {
      view.setUint32(AgDns.generation, fields.generation ?? 1, true);
      view.setUint32(AgDns.ttl_s, fields.ttl_s ?? 300, true);
      view.setUint8(AgDns.name_length, fields.name_length ?? name.length);
      view.setUint8(AgDns.count, fields.count ?? fields.answers.length);
      view.setUint8(AgDns.cut, fields.cut === true ? 1 : 0);
      fields.answers.forEach((address, i) => {
        const at = AgDns.answer + i * AgDnsAnswer.SIZE;
        view.setUint8(at + AgDnsAnswer.family, address.length === 4 ? 4 : 6);
        address.forEach((byte, j) => view.setUint8(at + AgDnsAnswer.address + j, byte));
      });
      name.forEach((byte, i) => view.setUint8(AgDns.name + i, byte));
    },
  });
}

/** UNIX. */
export function unixRecord(
  fields: Header & {
    readonly path: Bytes;
    readonly base?: Bytes;
    readonly peer?: Bytes;
    readonly result?: number;
    readonly verdict?: number;
    readonly ended?: number;
    readonly rule_index?: number;
    readonly generation?: number;
  },
): Uint8Array {
  const path = bytesOf(fields.path);
  const base = bytesOf(fields.base ?? "");
  const peer = bytesOf(fields.peer ?? "");
  return record(AgOp.UNIX, AgUnix.SIZE, {
    ...fields,
    tail: [path, base, peer],
    fill: (view) => {
      view.setUint16(AgUnix.base_bytes, base.length, true);
      view.setUint16(AgUnix.peer_bytes, peer.length, true);
      view.setUint32(AgUnix.verdict, fields.verdict ?? 0, true);
      view.setUint32(AgUnix.ended, fields.ended ?? 0, true);
      view.setInt32(AgUnix.rule_index, fields.rule_index ?? -1, true);
      view.setUint32(AgUnix.generation, fields.generation ?? 0, true);
      view.setInt32(AgUnix.result, fields.result ?? 0, true);
      view.setUint16(AgUnix.path_bytes, path.length, true);
    },
  });
}

/** COVERAGE. */
export function coverageRecord(fields: Header & { readonly kind: number; readonly syscall?: number }): Uint8Array {
  return record(AgOp.COVERAGE, AgCoverage.SIZE, {
    ...fields,
    fill: (view) => {
      view.setUint32(AgCoverage.kind, fields.kind, true);
      view.setUint32(AgCoverage.syscall, fields.syscall ?? 0, true);
    },
  });
}

/** SCOPE. */
export function scopeRecord(fields: Header & { readonly kind: number; readonly path: Bytes }): Uint8Array {
  const path = bytesOf(fields.path);
  return record(AgOp.SCOPE, AgScopeChange.SIZE, {
    ...fields,
    tail: [path],
    fill: (view) => {
      view.setUint32(AgScopeChange.kind, fields.kind, true);
      view.setUint32(AgScopeChange.path_bytes, path.length, true);
    },
  });
}
