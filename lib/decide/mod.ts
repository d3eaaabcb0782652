export { type AgentPattern, type AgentProcess } from "./agents.ts";
export { BUILTIN_POLICY } from "./builtin.ts";
export { type Diagnostic, formatDiagnostic, type Position } from "./diagnostic.ts";
export { loadPolicy, type LoadOptions } from "./load.ts";
export { type GuardSettings, PolicySnapshot, type RuleInfo } from "./snapshot.ts";
export { type PolicySource } from "./toml.ts";
export { type Lowering, lower, type LowerOptions } from "./lower.ts";
export { type EnforcementMechanism, type RuleEnforcement } from "./report.ts";
