/**
 * lib/enrich: who did it, for which session. Owns the process table, the session table and the late resolution of
 * names. It never decides and does no I/O on the hot path: only names of changes (delete, rename, ...) ask the file
 * system, through a port, behind a cache. It throws only where a bound is broken by its caller.
 */
export { Enricher, type EnricherParts } from "./enricher.ts";
export { type DirectoryResolver, NameResolver } from "./names.ts";
export { type KnownProcess, ProcessTable, shownProcess } from "./process_table.ts";
export { SessionTable } from "./session_table.ts";
