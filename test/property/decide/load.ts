/** Loads policies that are valid by construction. */
import { formatDiagnostic, loadPolicy, type PolicySnapshot } from "../../../lib/decide/mod.ts";

/** The snapshot of the layers; throws with the findings if there is none. */
export function load(...layers: readonly string[]): PolicySnapshot {
  const encoder = new TextEncoder();
  const sources = layers.map((text, i) => ({ file: `layer${i}.toml`, bytes: encoder.encode(text) }));
  const loaded = loadPolicy(sources, { generation: 1 });
  if (loaded.ok) return loaded.value;
  throw new Error(`${loaded.error.map((finding) => formatDiagnostic(finding)).join("\n")}\n${layers.join("\n---\n")}`);
}
