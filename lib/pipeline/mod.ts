/**
 * lib/pipeline: the arrows between the stages. It takes enriched records, asks the decider, lets the actor act and
 * gives entries to the sink, in this order and nowhere else. It never loses anything silently: under pressure opens are
 * merged with counts. One pipeline belongs to one thread; it starts nothing and has nothing to dispose.
 */
export { OpenCoalescer } from "./coalescer.ts";
export { OpenFiles } from "./open_files.ts";
export type { ActivePolicy } from "./active_policy.ts";
export { Pipeline, type PipelineCounters, type PipelineParts } from "./pipeline.ts";
