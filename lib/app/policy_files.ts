/** Policy files from the disk: read and loaded. */
import { closeSync, openSync, readSync } from "node:fs";
import { type ConfigTable, resolveConfig } from "../config/mod.ts";
import { err, errorMessage, LIMITS, type Mode, ok, type Result } from "../core/mod.ts";
import {
  BUILTIN_POLICY,
  carrySnapshot,
  type Diagnostic,
  loadPolicy,
  type PolicySnapshot,
  type PolicySource,
} from "../decide/mod.ts";

/** How policy files are loaded. */
export interface PolicyLoadOptions {
  /** Counts reloads, from 1. */
  readonly generation: number;
  /** Replaces the mode of every layer that is not disabled. */
  readonly mode?: Mode;
  /** See `LoadOptions.only`. */
  readonly only?: "check";
}

/** A policy with the bytes that it was made from. */
export interface LoadedPolicy {
  readonly snapshot: PolicySnapshot;
  readonly sources: readonly PolicySource[];
  /** What other threads make their snapshot of; written when it is first asked for. */
  readonly carried: () => string;
}

function loadedPolicy(snapshot: PolicySnapshot, sources: readonly PolicySource[]): LoadedPolicy {
  let text: string | undefined;
  return { snapshot, sources, carried: () => text ??= carrySnapshot(snapshot) };
}

/** As `loadPolicyFiles`, with the sources; without a file the built-in policy is loaded. */
export function loadPolicySources(
  files: readonly string[],
  options: PolicyLoadOptions,
): Result<LoadedPolicy, readonly Diagnostic[]> {
  if (files.length > 0) return readPolicy(files, options);
  const snapshot = loadPolicy([BUILTIN_POLICY], options);
  return snapshot.ok ? ok(loadedPolicy(snapshot.value, [BUILTIN_POLICY])) : snapshot;
}

/**
 * Reads and loads policy files as layers, in order. On failure every finding is returned: a file that cannot be read is
 * one at 1:1. Also checks the `[config]` tables.
 */
export function loadPolicyFiles(
  files: readonly string[],
  options: PolicyLoadOptions,
): Result<PolicySnapshot, readonly Diagnostic[]> {
  const loaded = readPolicy(files, options);
  return loaded.ok ? ok(loaded.value.snapshot) : loaded;
}

function readPolicy(
  files: readonly string[],
  options: PolicyLoadOptions,
): Result<LoadedPolicy, readonly Diagnostic[]> {
  const sources: PolicySource[] = [];
  const unreadable: Diagnostic[] = [];
  for (const file of files) {
    const bytes = readBounded(file, LIMITS.policy_bytes_max + 1);
    if (bytes.ok) sources.push({ file, bytes: bytes.value });
    else unreadable.push({ file, line: 1, column: 1, severity: "error", message: bytes.error });
  }
  if (unreadable.length > 0) return err(unreadable);
  const loaded = loadPolicy(sources, options);
  if (!loaded.ok) return loaded;
  const config = sources.flatMap((source, i) => configFindings(source, loaded.value.layers[i]?.file.config ?? {}));
  if (config.length > 0) return err([...loaded.value.warnings, ...config]);
  return ok(loadedPolicy(loaded.value, sources));
}

/** The `[config]` tables of the layers, for `resolveConfig`. */
export function configTables(snapshot: PolicySnapshot): readonly ConfigTable[] {
  return snapshot.layers.map(({ file }) => ({ file: file.file, values: file.config }));
}

/** Errors of one table alone: flags, environment and user of the run do not matter here. */
function configFindings(source: PolicySource, values: ConfigTable["values"]): readonly Diagnostic[] {
  const { file } = source;
  const result = resolveConfig({ flags: {}, env: {}, tables: [{ file, values }], uid: 0, cwd: "/" });
  if (result.ok) return [];
  const lines = new TextDecoder().decode(source.bytes).split("\n");
  return result.error.map(({ key, message }) => {
    const text = message.startsWith(`${file}: `) ? message.slice(file.length + 2) : message;
    return { file, ...placeOfConfigKey(lines, key), severity: "error", message: text };
  });
}

/** Where a key stands below the `[config]` header; the first line of the file for other ways to write it. */
function placeOfConfigKey(lines: readonly string[], key: string): { readonly line: number; readonly column: number } {
  const header = lines.findIndex((line) => /^\s*\[\s*config\s*\]/.test(line));
  for (const [i, line] of lines.entries()) {
    if (i <= header || header < 0) continue;
    if (/^\s*\[/.test(line)) break;
    const name = line.split("=")[0]?.trim().replace(/^(["'])(.*)\1$/, "$2");
    if (name === key) return { line: i + 1, column: line.length - line.trimStart().length + 1 };
  }
  return { line: 1, column: 1 };
}

/** Up to `bytes_max` bytes of a file, which may be a pipe. */
function readBounded(file: string, bytes_max: number): Result<Uint8Array, string> {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (thrown) {
    return err(`open the policy failed (${errorMessage(thrown)}); check the path`);
  }
  try {
    const chunks: Uint8Array[] = [];
    for (let total = 0; total < bytes_max;) {
      const chunk = new Uint8Array(Math.min(65_536, bytes_max - total));
      const count = readSync(fd, chunk);
      if (count === 0) break;
      chunks.push(chunk.subarray(0, count));
      total += count;
    }
    return ok(Buffer.concat(chunks));
  } catch (thrown) {
    return err(`read the policy failed (${errorMessage(thrown)}); name a readable file`);
  } finally {
    closeSync(fd);
  }
}
