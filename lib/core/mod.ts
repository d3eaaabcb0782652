/**
 * lib/core: the vocabulary. Ids, time, results, errors, actions, decisions, outcomes, entries, limits and ports.
 * It imports nothing, does nothing and has no state; every other folder may import it.
 */
export * from "./action.ts";
export * from "./address.ts";
export * from "./guard_action.ts";
export * from "./approval.ts";
export * from "./approval_digest.ts";
export * from "./approval_settings.ts";
export * from "./approval_view.ts";
export * from "./baseline.ts";
export * from "./brand.ts";
export * from "./bytes.ts";
export * from "./canonical.ts";
export * from "./decision.ts";
export * from "./entry.ts";
export * from "./errno.ts";
export * from "./errors.ts";
export * from "./event.ts";
export * from "./grant_term.ts";
export * from "./ids.ts";
export * from "./limits.ts";
export * from "./log.ts";
export * from "./lowered.ts";
export * from "./metric.ts";
export * from "./net_action.ts";
export * from "./observed.ts";
export * from "./outcome.ts";
export * from "./paths.ts";
export * from "./port.ts";
export * from "./process.ts";
export * from "./result.ts";
export * from "./special_addresses.ts";
export * from "./time.ts";
export * from "./writable.ts";
