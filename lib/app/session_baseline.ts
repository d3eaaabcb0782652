/** The baseline of a session: planned from policy and configuration, and told as the launcher reported it. */
import { existsSync } from "node:fs";
import { type BaselineContext, type OwnPlaces, planBaseline, type PlannedBaseline } from "../act/mod.ts";
import type { Config } from "../config/mod.ts";
import { type BaselinePart, errnoName, type StartedBaseline } from "../core/mod.ts";
import { allowedPlaces, closedPlaces, type PolicySnapshot, wantsNames } from "../decide/mod.ts";
import { approverSocketDir } from "../publish/mod.ts";
import type { SessionLimits } from "./baseline_refusals.ts";
import { splitStrings, type StartState } from "../../ffi/mod.ts";

/** What a session's baseline depends on beside the policy. */
export interface BaselineParts {
  readonly config: Config;
  readonly policies: readonly string[];
  readonly home: string | undefined;
  readonly state: StartState;
}

/** What the command is to give up: nothing where the policy only observes. Throws `usage` as `planBaseline` does. */
export function sessionBaseline(snapshot: PolicySnapshot, parts: BaselineParts): PlannedBaseline | undefined {
  if (snapshot.mode !== "enforce") return undefined;
  const context: BaselineContext = {
    own: ownPlaces(parts.config, parts.policies),
    cwd: process.cwd(),
    home: parts.home,
    env: environment(parts.state.environment),
    closed: closedPlaces(snapshot, parts.home),
    allowed: allowedPlaces(snapshot, parts.home),
    names: wantsNames(snapshot),
  };
  return planBaseline(snapshot.guard.baseline, context);
}

/** The guard's own files and directories. */
export function ownPlaces({ state_dir, runtime_dir }: Config, policies: readonly string[]): OwnPlaces {
  const approvers_dir = approverSocketDir(runtime_dir.value);
  return {
    state_dir: state_dir.value,
    runtime_dir: runtime_dir.value,
    ...(existsSync(approvers_dir) ? { approvers_dir } : {}),
    policies,
    program: process.execPath,
  };
}

/** What the command was begun with, as far as this host has it. */
export function sessionLimits(
  planned: PlannedBaseline | undefined,
  reported: ReadonlyMap<BaselinePart, number>,
): SessionLimits {
  const { connect, bind } = reported.get("ports") === 0 ? planned?.ports ?? {} : {};
  return {
    masks: reported.get("mounts") === 0 ? planned?.masks ?? [] : [],
    ...(connect === undefined ? undefined : { connect_ports: connect }),
    ...(bind === undefined ? undefined : { bind_ports: bind }),
  };
}

/** What came of it, for the record and the user. Parts that come from rules are no lack where a host has none. */
export function startedBaseline(
  planned: PlannedBaseline | undefined,
  reported: ReadonlyMap<BaselinePart, number>,
): StartedBaseline {
  const parts = [...reported].filter(([, errno]) => errno === 0).map(([part]) => part);
  const lacking = [...reported].filter(([part, errno]) => errno !== 0 && planned?.derived.includes(part) !== true)
    .map(([part, errno]) => `${part}: ${errnoName(errno)}`);
  const masked = sessionLimits(planned, reported).masks.map(({ path }) => path);
  return {
    parts,
    ...(masked.length === 0 ? undefined : { masked }),
    ...(lacking.length === 0 ? undefined : { lacking }),
  };
}

function environment(strings: Uint8Array<ArrayBuffer>): Readonly<Record<string, string>> {
  const decoder = new TextDecoder();
  const pairs = splitStrings(strings).map((bytes) => decoder.decode(bytes)).filter((text) => text.includes("="));
  return Object.fromEntries(pairs.map((text) => [text.slice(0, text.indexOf("=")), text.slice(text.indexOf("=") + 1)]));
}
