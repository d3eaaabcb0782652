/** The guard's own files as entries of the map that the programs at security hooks protect them by. */
import { AgLimit, AgOwnKind } from "../../probes/abi.gen.ts";
import { AgentguardError } from "../core/mod.ts";
import type { OwnPlaces } from "./baseline.ts";
import type { ObjectFinder } from "./file_objects.ts";
import { objectKey } from "./file_rules.ts";

/** One object of the guard's own. */
export interface OwnEntry {
  readonly key: Uint8Array;
  /** `AgOwnKind`. */
  readonly value: Uint8Array;
}

/** A policy may come from standard input, which may be a terminal: that belongs to everybody. */
const SHARED = /^\/(dev(?!\/shm\/)|proc)\//;

/** What exists now: nothing can be done to state and runtime directory, policies and executable can be read. */
export function ownEntries(own: OwnPlaces, finder: ObjectFinder): readonly OwnEntry[] {
  const kinds = [
    ...[own.program, ...own.policies].map((path) => [path, AgOwnKind.KEPT] as const),
    ...[own.state_dir, own.runtime_dir, ...own.approvers_dir === undefined ? [] : [own.approvers_dir]]
      .map((path) => [path, AgOwnKind.CLOSED] as const),
  ];
  const found = new Map<string, OwnEntry>();
  for (const [path, kind] of kinds) {
    const object = finder.find(path);
    if (object === undefined || SHARED.test(path)) continue;
    const key = objectKey(0, object);
    const value = new Uint8Array(4);
    new DataView(value.buffer).setUint32(0, kind, true);
    found.set(key.toHex(), { key, value });
  }
  if (found.size <= AgLimit.OWN_MAX) return [...found.values()];
  throw new AgentguardError(
    "overflow",
    `protect the guard's files: ${found.size}, the kernel holds ${AgLimit.OWN_MAX}`,
  );
}
