/** What rules may ask about and nothing in this version reports. Whoever adds a source takes its line away. */
import type { MissingSources } from "../decide/mod.ts";

/** Declared intents, tags of sessions and model calls come with the sources for agents and tools, tool calls too. */
export const MISSING_SOURCES: MissingSources = {
  predicates: new Set(["declared", "tag", "model", "tokens"]),
  actions: new Set(["tool.call"]),
};
