/** All cases, one file per kind. */
import type { EscapeCase } from "../harness/mod.ts";
import { BASELINE } from "./baseline.ts";
import { DEPUTIES } from "./deputies.ts";
import { FILE_CHANGES } from "./file_changes.ts";
import { FILE_READS } from "./file_reads.ts";
import { GUARD_ATTACKS } from "./guard.ts";
import { HELPERS } from "./helpers.ts";
import { NAMES } from "./names.ts";
import { NETWORK } from "./network.ts";
import { PROGRAMS } from "./programs.ts";
import { SOCKETS } from "./sockets.ts";

/** Every case, in the order of the table. */
export function escapeCases(): readonly EscapeCase[] {
  return [
    ...FILE_READS,
    ...FILE_CHANGES,
    ...PROGRAMS,
    ...NETWORK,
    ...NAMES,
    ...SOCKETS,
    ...HELPERS,
    ...DEPUTIES,
    ...BASELINE,
    ...GUARD_ATTACKS,
  ];
}
