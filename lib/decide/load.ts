/** Loading: parse, check, run inline tests, compile. All or nothing. */
import { err, errorMessage, LIMITS, type Mode, ok, type Result } from "../core/mod.ts";
import type { PolicyFile } from "./ast.ts";
import { checkLayers } from "./check.ts";
import { type Diagnostic, Diagnostics } from "./diagnostic.ts";
import { numberLayers } from "./layers.ts";
import { parsePolicy } from "./parse.ts";
import { PolicySnapshot } from "./snapshot.ts";
import type { PolicySource } from "./toml.ts";

/** How to load. */
export interface LoadOptions {
  /** Counts reloads, from 1. */
  readonly generation: number;
  /** Replaces the mode of every layer that is not disabled (`--mode`). */
  readonly mode?: Mode;
  /** `check`: the findings; the rules are compiled when something is decided after all. */
  readonly only?: "check";
}

/** Layers of one policy. */
const LAYERS_MAX = 64;

/**
 * Makes a snapshot of the files, the first being the base and each later one only able to tighten. Without a file it
 * fails: the caller chooses `BUILTIN_POLICY`. On failure all findings are returned, warnings included. Never throws.
 */
export function loadPolicy(
  sources: readonly PolicySource[],
  options: LoadOptions,
): Result<PolicySnapshot, readonly Diagnostic[]> {
  const diagnostics = new Diagnostics();
  try {
    const snapshot = load(sources, options, { diagnostics });
    return snapshot === undefined ? err(diagnostics.list()) : ok(snapshot);
  } catch (thrown) {
    const file = sources[0]?.file ?? "<none>";
    diagnostics.error({ file, line: 1, column: 1 }, `load policy: ${errorMessage(thrown)}`);
    return err(diagnostics.list());
  }
}

function load(
  sources: readonly PolicySource[],
  options: LoadOptions,
  { diagnostics }: { readonly diagnostics: Diagnostics },
): PolicySnapshot | undefined {
  const start = { file: sources[0]?.file ?? "<none>", line: 1, column: 1 };
  if (sources.length === 0 || sources.length > LAYERS_MAX) {
    diagnostics.error(start, `load policy: ${sources.length} files, between 1 and ${LAYERS_MAX} are possible`);
    return undefined;
  }
  const files: PolicyFile[] = [];
  for (const source of sources) {
    const file = parsePolicy(source, diagnostics);
    if (file !== undefined) files.push(withMode(file, options.mode));
  }
  const rules = files.reduce((sum, file) => sum + file.rules.length, 0);
  if (rules > LIMITS.policy_rules_max) {
    const limit = LIMITS.policy_rules_max;
    diagnostics.error(start, `the layers have ${rules} rules together, the limit (policy_rules_max) is ${limit}`);
  }
  if (diagnostics.failed || files.length < sources.length) return undefined;
  const layers = numberLayers(files);
  checkLayers(layers, diagnostics);
  if (diagnostics.failed) return undefined;
  const ref = {
    name: files.map((file) => file.name).join("+"),
    digest: digestOf(files),
    generation: options.generation,
  };
  const snapshot = new PolicySnapshot({ ref, layers, warnings: diagnostics.list() });
  if (options.only !== "check") snapshot.compile();
  return snapshot;
}

function withMode(file: PolicyFile, mode: Mode | undefined): PolicyFile {
  return mode === undefined || file.mode === "disabled" ? file : { ...file, mode };
}

/** SHA-256 of the one file; of several, SHA-256 of their digests (hex, each with a line feed). */
function digestOf(files: readonly PolicyFile[]): string {
  const [first] = files;
  if (first !== undefined && files.length === 1) return first.digest;
  const hasher = new Bun.CryptoHasher("sha256");
  for (const file of files) hasher.update(`${file.digest}\n`);
  return hasher.digest("hex");
}
