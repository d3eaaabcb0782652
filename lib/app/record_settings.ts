/** From the `[record]` table of the policy to what the recorder thread is told. */
import { AgentguardError } from "../core/mod.ts";
import type { PolicySnapshot } from "../decide/mod.ts";
import type { RecorderSettings } from "./recorder_protocol.ts";

/** The settings. Throws `config` for what this version does not do yet. */
export function recordSettings({ record }: PolicySnapshot): RecorderSettings {
  const { origin, on_tamper, sinks, keep_ms, max_bytes, keep_sessions, anchors, witness_for } = record;
  if (anchors.length > 0 || witness_for.length > 0) {
    throw new AgentguardError("config", "[record]: this version does not anchor; remove those keys");
  }
  return { origin, on_tamper, sinks, keep: { keep_ms, max_bytes, keep_sessions } };
}

/** True where entries go to the guard's own stdout or stderr: a guarded command writes there, too. */
export function usesStreams({ record }: PolicySnapshot): boolean {
  return record.sinks.some(({ path, fallback }) => path.startsWith("/dev/std") || fallback?.startsWith("/dev/std"));
}
