/** From the `[record]` table of the policy to what the recorder thread is told. */
import type { PolicySnapshot } from "../decide/mod.ts";
import type { RecorderSettings } from "./recorder_protocol.ts";

/** How often checkpoints are anchored where the policy does not say, milliseconds. */
const ANCHOR_EVERY_MS = 60_000;

/** The settings. */
export function recordSettings({ record }: PolicySnapshot): RecorderSettings {
  const { origin, on_tamper, sinks, keep_ms, max_bytes, keep_sessions, anchors, anchor_every_ms } = record;
  const keep = { keep_ms, max_bytes, keep_sessions };
  return { origin, on_tamper, sinks, keep, anchors, anchor_every_ms: anchor_every_ms ?? ANCHOR_EVERY_MS };
}

/** True where entries go to the guard's own stdout or stderr: a guarded command writes there, too. */
export function usesStreams({ record }: PolicySnapshot): boolean {
  return record.sinks.some(({ path, fallback }) => path.startsWith("/dev/std") || fallback?.startsWith("/dev/std"));
}
