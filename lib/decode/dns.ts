/** Answers of resolvers. */
import { AgDns, AgDnsAnswer, AgLimit, AgRecord } from "../../probes/abi.gen.ts";
import type { Action, Facts } from "../core/mod.ts";
import type { Frame } from "./frame.ts";
import { addressAt } from "./network.ts";

/** An answer that the kernel took in; `undefined` where the record holds no name, or more than can be. */
export function decodeDns(frame: Frame): { readonly action: Action; readonly facts: Facts } | undefined {
  const count = frame.u8(AgDns.count);
  const length = frame.u8(AgDns.name_length);
  if (length === 0 || length > AgLimit.DNS_NAME_MAX || count > AgLimit.DNS_ANSWERS_MAX) return undefined;
  const answers: string[] = [];
  for (let i = 0; i < count; i++) {
    const at = AgDns.answer + i * AgDnsAnswer.SIZE;
    answers.push(addressAt(frame, at + AgDnsAnswer.address, frame.u8(at + AgDnsAnswer.family)));
  }
  const ttl_s = frame.u32(AgDns.ttl_s);
  const holds_s = Math.min(Math.max(ttl_s, AgLimit.DNS_TTL_S_MIN), AgLimit.DNS_TTL_S_MAX);
  return {
    action: {
      type: "net.dns",
      name: frame.text(AgDns.name, length),
      answers,
      ttl_s,
      ...(frame.u8(AgDns.cut) === 0 ? undefined : { missing: ["answers"] }),
    },
    facts: {
      kind: "dns",
      generation: frame.u32(AgDns.generation),
      expires_us: frame.u64(AgRecord.time_ns) / 1000 + holds_s * 1_000_000,
    },
  };
}
