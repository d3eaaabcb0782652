/** What held calls are compared with before anybody is asked: names that rules and the guard's own files need. */
import type { OwnPlaces } from "../act/mod.ts";
import { FILE_ACTION_TYPES } from "../core/mod.ts";
import { neededNames, type PolicySnapshot } from "../decide/mod.ts";
import type { NeededEntry, NeededTable } from "../../ffi/mod.ts";

/** Its own policies and executable may be read, see `isOwnPlace`. */
const NOT_READ = FILE_ACTION_TYPES.filter((action) => action !== "file.read");

/** The table for one policy. `home`: what `~` stands for. */
export function holderNames(snapshot: PolicySnapshot, home: string | undefined, own: OwnPlaces): NeededTable {
  const { all, floating, texts } = neededNames(snapshot, home, FILE_ACTION_TYPES);
  const closed = [own.state_dir, own.runtime_dir, ...own.approvers_dir === undefined ? [] : [own.approvers_dir]];
  const own_texts: readonly NeededEntry[] = [
    ...closed.map((text) => ({ kind: "tree", text, actions: FILE_ACTION_TYPES } as const)),
    ...[own.program, ...own.policies].map((text) => ({ kind: "exact", text, actions: NOT_READ } as const)),
  ];
  return { all, floating, linked: false, texts: [...texts, ...own_texts], objects: [] };
}
