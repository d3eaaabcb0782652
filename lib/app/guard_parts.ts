/** Small parts of a guard that need none of its state. */
import { existsSync, mkdirSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import type { OwnPlaces } from "../act/mod.ts";
import {
  AgentguardError,
  type Approver,
  type Clock,
  type EntryDraft,
  err,
  errorMessage,
  type Result,
} from "../core/mod.ts";
import type { Config } from "../config/mod.ts";
import { formatDiagnostic, type PolicySnapshot } from "../decide/mod.ts";
import { approverSocketDir, type LossStatus, type PolicyStatus } from "../publish/mod.ts";
import { type LoadedPolicy, loadPolicySources } from "./policy_files.ts";
import { recordPending } from "./record_settings.ts";
import type { PolicyLoad } from "./reader_protocol.ts";
import { ownPlaces } from "./session_baseline.ts";

/** Adds a loss to those of its kind. */
export function countLoss(losses: Map<string, LossStatus>, source: string, type: string, count: number): void {
  const key = `${source}/${type}`;
  losses.set(key, { source, type, count: (losses.get(key)?.count ?? 0) + count });
}

/** Makes the state directory with mode 0700. Throws `io` with the fix. */
export function makePrivate(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new AgentguardError(
      "io",
      `make state directory ${directory}: ${errorMessage(error)}; choose another with --state or AGENTGUARD_STATE`,
      { cause: error },
    );
  }
}

/** Reads the policy files again, as the next generation; the error names every finding. */
export function loadAgain(
  parts: { readonly policies: readonly string[]; readonly config: Config },
  generation: number,
): Result<LoadedPolicy, string> {
  const mode = parts.config.mode.value;
  const loaded = loadPolicySources(parts.policies, {
    generation,
    only: "check",
    ...(mode === null ? undefined : { mode }),
  });
  return loaded.ok ? loaded : err(loaded.error.map(formatDiagnostic).join("; "));
}

/** The policy in force, given the one that the guard started with. */
export function policyStatus(
  { policy, policies }: { readonly policy: LoadedPolicy; readonly policies: readonly string[] },
  now: PolicySnapshot,
  weaker: readonly string[],
): PolicyStatus {
  const pending = recordPending(policy.snapshot, now);
  return {
    ref: now.ref,
    files: policies,
    rules: now.rules.length,
    ...(weaker.length === 0 ? undefined : { weaker }),
    ...(pending.length === 0 ? undefined : { pending }),
  };
}

/** The policy in force, for the record. */
export function policyEntry(policy: PolicyStatus, mode: PolicySnapshot["mode"], clock: Clock): EntryDraft {
  const { ref, files, rules, pending = [] } = policy;
  const parts = [
    `${ref.name}, generation ${ref.generation}, sha256 ${ref.digest}, ${mode}, ${rules} rules`,
    `from ${files.join(", ") || "built in"}`,
  ];
  const action = { type: "guard.policy.loaded", detail: [parts.join(", "), ...pending].join("; ") } as const;
  return { time_us: clock.wallUs(), kind: "policy", action };
}

/** The policy as the threads load it. */
export function policyLoad(
  policy: LoadedPolicy,
  parts: { readonly config: Config; readonly policies: readonly string[]; readonly home: string | undefined },
): PolicyLoad {
  return {
    carried: policy.carried(),
    ...(parts.home === undefined ? undefined : { home: parts.home }),
    own: namedPlaces(parts.config, parts.policies),
  };
}

/** The guard's own places by the names that the kernel gives them; what is not there yet is looked for later, too. */
function namedPlaces(config: Config, policies: readonly string[]): OwnPlaces {
  const { state_dir, runtime_dir, program } = ownPlaces(config, policies);
  return {
    state_dir: named(state_dir),
    runtime_dir: named(runtime_dir),
    approvers_dir: named(approverSocketDir(runtime_dir)),
    policies: policies.map(named),
    program: named(program),
  };
}

function named(path: string): string {
  return existsSync(path) ? realpathSync(path) : resolve(path);
}

/** An operator wants the policy read again. */
export function reloadEntry(who: Approver, clock: Clock): EntryDraft {
  return {
    time_us: clock.wallUs(),
    kind: "operator",
    action: {
      type: "operator.policy.reload",
      target: "policy",
      by: who.id,
      verified: who.verified,
      ...(who.inside === undefined ? {} : { refused: who.inside }),
    },
  };
}
