/** From the `[record]` table of the policy to what the recorder thread is told. */
import { AgentguardError } from "../core/mod.ts";
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

/** The same at a reload; throws as `requireFiles` where a command has the streams. */
export function reloadedSettings(snapshot: PolicySnapshot, is_daemon: boolean): RecorderSettings {
  if (!is_daemon) requireFiles(snapshot);
  return recordSettings(snapshot);
}

/** Keys of `[record]` that a reload cannot put in force. */
const FIXED = ["origin", "on_tamper", "witness_for"] as const;

/** What differs from the policy that the guard started with, and counts from the next start: a sentence for each. */
export function recordPending(started: PolicySnapshot, now: PolicySnapshot): readonly string[] {
  return FIXED.filter((key) => JSON.stringify(started.record[key]) !== JSON.stringify(now.record[key]))
    .map((key) => `[record] ${key} counts from the next start`);
}

/** Throws `config` where entries would go to streams that belong to the guarded command. */
export function requireFiles(snapshot: PolicySnapshot): void {
  if (!usesStreams(snapshot)) return;
  const fix = "name a file: the guarded command has stdout and stderr to itself";
  throw new AgentguardError("config", `[[record.sink]] goes to a stream; ${fix}`);
}

/** True where entries go to the guard's own stdout or stderr: a guarded command writes there, too. */
function usesStreams({ record }: PolicySnapshot): boolean {
  return record.sinks.some(({ path, fallback }) => path.startsWith("/dev/std") || fallback?.startsWith("/dev/std"));
}
