/**
 * lib/enrich: who did it, for which session, and by which name an address is known. Owns the process table, the session
 * table, the names of addresses and the late resolution of paths. It never decides and does no I/O on the hot path:
 * only names of changes (delete, rename, ...) ask the file system, through a port, behind a cache. It throws only where
 * a bound is broken by its caller.
 */
export { AddressNames, type FoundNames, type PermanentNames } from "./address_names.ts";
export { Enricher, type EnricherParts } from "./enricher.ts";
export { parseHosts } from "./hosts_file.ts";
export { type DirectoryResolver, NameResolver } from "./names.ts";
export { withKnownNames } from "./net_names.ts";
export { type KnownProcess, ProcessTable, shownProcess } from "./process_table.ts";
export { SessionTable } from "./session_table.ts";
