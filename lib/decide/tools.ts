/**
 * What people do with policies and recordings: explain, test, show, compare, replay, learn. Pure functions and
 * collectors over snapshots and entries; who reads files and prints is `lib/app`.
 */
export { type ChangedDefault, type ChangedRule, compareDiff, diffRules, type PolicyDiff } from "./diff.ts";
export {
  type Candidate,
  type CandidateOutcome,
  type DecidedBy,
  explain,
  type Explanation,
  type RulePlace,
} from "./explain.ts";
export { type Change } from "./explain_change.ts";
export { type Past } from "./explain_views.ts";
export { LEARN_CLASSES, type LearnClass, type LeftOutReason } from "./learn_collect.ts";
export { type Evidence } from "./learn_evidence.ts";
export { type LearnOptions, type LearntPolicy, PolicyLearner, type ProposedRule } from "./learn.ts";
export {
  type Answer,
  compareReplay,
  Comparison,
  type ComparisonSummary,
  type Difference,
  recordedAnswer,
  wordsOf,
} from "./replay.ts";
export { EventRebuilder, type RebuildOptions, type RecordedAction } from "./replay_events.ts";
export { RISK, RiskEstimate } from "./risk.ts";
export { type ShownDefault, type ShownLayer, type ShownPolicy, type ShownRule, showPolicy } from "./show.ts";
export { checkResolvers } from "./check_resolvers.ts";
export { checkSources, type MissingSources } from "./sources.ts";
export {
  type CaseResult,
  NO_RULE,
  parseSuite,
  type RuleCoverage,
  runSuite,
  type Suite,
  type SuiteCase,
  type SuiteReport,
} from "./suite.ts";
export { type AssumedPast, EVENT_FIELDS, eventOfFields, type SaidAction } from "./said_event.ts";
export { type GivenAction, givenActions, pastAfter } from "./said_past.ts";
export { type FieldProblem } from "./said_values.ts";
