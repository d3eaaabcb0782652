/** Network records. */
import { AgCoverage, AgCoverageKind, AgNet, AgNetAction, AgNetFlag, AgUnix, AgVerdict } from "../../probes/abi.gen.ts";
import {
  type Action,
  addressText,
  type Facts,
  type GrantFailure,
  type KernelVerdict,
  protocolName,
  resultName,
} from "../core/mod.ts";
import type { Frame } from "./frame.ts";
import { joinPath } from "./path_text.ts";

const TYPES: Readonly<Record<number, "net.connect" | "net.send" | "net.bind" | "net.listen" | undefined>> = {
  [AgNetAction.CONNECT]: "net.connect",
  [AgNetAction.SEND]: "net.send",
  [AgNetAction.BIND]: "net.bind",
  [AgNetAction.LISTEN]: "net.listen",
};

const PLAIN: Facts = Object.freeze({ kind: "plain" });

/** An IPv4 or IPv6 action with the verdict that the cgroup program gave, if one ran. */
export function decodeNet(frame: Frame):
  | { readonly action: Action; readonly kernel?: KernelVerdict; readonly facts: Facts }
  | undefined {
  const type = TYPES[frame.u8(AgNet.action)];
  if (type === undefined) return undefined;
  const action: Action = {
    type,
    protocol: protocolName(frame.u8(AgNet.protocol)),
    address: addressAt(frame, AgNet.address, frame.u8(AgNet.family)),
    port: frame.u16(AgNet.port),
    ...(frame.u8(AgNet.has_result) !== 0 ? { result: resultName(frame.i32(AgNet.result)) } : undefined),
  };
  const verdict = frame.u8(AgNet.verdict);
  const named = (frame.u32(AgNet.flags) & AgNetFlag.NAMED) !== 0;
  const facts: Facts = named ? { kind: "named", decided_us: frame.u64(AgNet.decided_ns) / 1000 } : PLAIN;
  if (verdict === AgVerdict.NONE) return { action, facts };
  const denied = verdict === AgVerdict.DENY;
  const failure = grantFailure(frame.u32(AgNet.flags));
  const kernel: KernelVerdict = {
    verdict: denied ? "deny" : "allow",
    rule_index: frame.i32(AgNet.rule_index),
    generation: frame.u32(AgNet.generation),
    effect: denied ? "refused" : "none",
    ...(failure === undefined ? undefined : { grant: failure }),
  };
  return { action, kernel, facts };
}

/** Why a call that must be let go first was refused: nobody let it go, or something else was. */
function grantFailure(flags: number): GrantFailure | undefined {
  if ((flags & AgNetFlag.UNGRANTED) !== 0) return "missing";
  return (flags & AgNetFlag.OTHER) === 0 ? undefined : "different";
}

/** The address at `offset`: 4 of the 16 bytes for family 4. */
export function addressAt(frame: Frame, offset: number, family: number): string {
  const from = frame.at + offset;
  return addressText(frame.bytes.subarray(from, from + (family === 4 ? 4 : 16)));
}

/**
 * A connection to a unix socket, or a message to one. An abstract name begins with a NUL (shown as `@`), a path ends at
 * one. The path is that of the socket that was reached where the kernel showed it.
 */
export function decodeUnix(
  frame: Frame,
): { readonly action: Action; readonly kernel?: KernelVerdict; readonly facts: Facts } {
  const path_bytes = Math.min(frame.u16(AgUnix.path_bytes), frame.size - AgUnix.SIZE);
  const base_bytes = frame.u16(AgUnix.base_bytes);
  const abstract = path_bytes > 0 && frame.u8(AgUnix.SIZE) === 0;
  const raw = frame.text(AgUnix.SIZE + (abstract ? 1 : 0), path_bytes - (abstract ? 1 : 0));
  const end = abstract ? -1 : raw.indexOf("\0");
  const given = abstract ? `@${raw}` : end < 0 ? raw : raw.slice(0, end);
  const base = frame.text(AgUnix.SIZE + path_bytes, base_bytes);
  const named = abstract || given === "" ? given : joinPath(base, given);
  const peer = frame.text(AgUnix.SIZE + path_bytes + base_bytes, frame.u16(AgUnix.peer_bytes));
  const path = peer === "" ? named : peer;
  const action: Action = {
    type: "unix.connect",
    path,
    ...(path === given ? undefined : { requested_path: named === path ? given : named }),
    result: resultName(frame.i32(AgUnix.result)),
  };
  return { action, ...unixVerdict(frame), facts: { kind: "plain" } };
}

function unixVerdict(frame: Frame): { readonly kernel?: KernelVerdict } {
  const verdict = frame.u32(AgUnix.verdict);
  if (verdict === AgVerdict.NONE || verdict === AgVerdict.ALLOW) return {};
  const ended = frame.u32(AgUnix.ended) !== 0;
  return {
    kernel: {
      verdict: "deny",
      rule_index: frame.i32(AgUnix.rule_index),
      generation: frame.u32(AgUnix.generation),
      effect: verdict === AgVerdict.DENY_FAILED ? "none" : ended ? "ended" : "refused",
    },
  };
}

const COVERAGE: Readonly<Record<number, string | undefined>> = {
  [AgCoverageKind.I386]: "i386",
  [AgCoverageKind.X32]: "x32",
  [AgCoverageKind.IO_URING]: "io_uring",
};

/** The first use by a process of an interface that the probes cannot see through: a gap that is known. */
export function decodeCoverage(frame: Frame): { readonly facts: Facts } | undefined {
  const type = COVERAGE[frame.u32(AgCoverage.kind)];
  if (type === undefined) return undefined;
  return { facts: { kind: "gap", gap: { source: "coverage", type, count: 1 } } };
}
