/**
 * test/escape/harness: runs attempts to get around the guard and compares what became of them with what the record
 * says. A case is added to a file of test/escape/cases/, its C program to test/escape/programs/.
 */
export * from "./effects.ts";
export { expectationOf, judge, ruleNames, shownOf } from "./judge.ts";
export { buildPrograms } from "./programs.ts";
export { casesFor, hostChecks, runCases } from "./run.ts";
export { runGuests } from "./guests.ts";
export { escapeTable, type KernelResult } from "./table.ts";
export { type EscapeCase, type EscapeResult, type Expectation, type Place, refusedBy, type Seen } from "./types.ts";
