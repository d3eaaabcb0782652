/** The `[record]` table of the policy. */
import { AgentguardError } from "../core/mod.ts";
import type { PolicySnapshot } from "../decide/mod.ts";
import type { RecorderSettings } from "./recorder_protocol.ts";

/** Keys that this version knows. */
const KEYS: readonly string[] = ["origin", "on_tamper"];

/** Reads it; throws `config` for anything that it does not know. */
export function recordSettings(snapshot: PolicySnapshot): RecorderSettings {
  const { origin, on_tamper, ...other } = snapshot.record;
  const unknown = Object.keys(other)[0];
  if (unknown !== undefined) {
    throw new AgentguardError("config", `[record] ${unknown}: unknown key, known are ${KEYS.join(", ")}`);
  }
  if (origin !== undefined && typeof origin !== "string") {
    throw new AgentguardError("config", "[record] origin: give a text");
  }
  if (on_tamper !== undefined && on_tamper !== "refuse" && on_tamper !== "alarm") {
    throw new AgentguardError("config", '[record] on_tamper: give "refuse" or "alarm"');
  }
  return {
    ...(origin === undefined ? undefined : { origin }),
    ...(on_tamper === undefined ? undefined : { on_tamper }),
  };
}
