/**
 * The kernel's copy of a snapshot. Sound in one direction always: the kernel never refuses what user space would let
 * pass. Where it would have to (an allow that it cannot express, two defaults that must both be lifted), its default
 * becomes `allow`, user space decides alone, and the report says so.
 */
import type { LoweredExecRule, LoweredPolicy, LoweredUnixRule } from "../core/mod.ts";
import { BASE_MECHANISMS, type HostMechanisms } from "./enforcement.ts";
import { forbids, lifter } from "./lifters.ts";
import { lowerExecRule } from "./lower_exec.ts";
import { loweredFileRules } from "./lower_file.ts";
import { asksForNames } from "./lower_hosts.ts";
import { lowerNet } from "./lower_nets.ts";
import { lowerUnixRule } from "./lower_unix.ts";
import { type DefaultEnforcement, EnforcementReport, ONE_NAME, type RuleEnforcement } from "./report.ts";
import type { PolicySnapshot } from "./snapshot.ts";
import { type TypedLayer, typedLayers } from "./typed_rules.ts";

/** How to lower. */
export interface LowerOptions {
  /** What `~` stands for; without it such patterns are left to user space. */
  readonly home?: string;
  /** What the host has, for the report; without it what every start loads. */
  readonly host?: HostMechanisms;
}

/** A policy for the kernel, and what becomes of each rule. */
export interface Lowering {
  readonly policy: LoweredPolicy;
  /** Indexes of the rules that the kernel's copy holds as a whole: its verdicts must be those of user space. */
  readonly in_kernel: ReadonlySet<number>;
  /** One element per rule, in the order of `PolicySnapshot.rules`; made when it is asked for. */
  readonly report: readonly RuleEnforcement[];
  /** The same for what is refused where no rule decides. */
  readonly defaults: readonly DefaultEnforcement[];
}

/** Lowers a snapshot. Layers that only observe, and rules that only observe, put nothing into the kernel. */
export function lower(snapshot: PolicySnapshot, options: LowerOptions): Lowering {
  const report = new EnforcementReport(typedLayers(snapshot.layers), {
    host: options.host ?? { available: BASE_MECHANISMS },
    ...(options.home === undefined ? {} : { home: options.home }),
  });
  const layers = report.layers.filter((layer) => layer.file.mode === "enforce");
  const names = options.host?.names === true;
  const net = lowerNet(layers, { report, names });
  const exec = lowerExec(layers, options, { report });
  const unix = options.host?.unix_names === true ? lowerUnix(layers, options.home) : [];
  const hooks = options.host?.available.has("lsm") === true;
  const forbidding = layers.flatMap(({ rules }) => rules).filter(forbids);
  const files = hooks ? loweredFileRules(forbidding, report.finish(), options.home) : [];
  const policy: LoweredPolicy = {
    generation: snapshot.ref.generation,
    ...net,
    ...exec,
    ...(names && asksForNames(report.layers) ? { names } : undefined),
    ...(unix.length === 0 ? undefined : { unix }),
    ...(files.length === 0 ? undefined : { files }),
  };
  return {
    policy,
    in_kernel: report.inKernel(),
    get report(): readonly RuleEnforcement[] {
      return report.finish();
    },
    get defaults(): readonly DefaultEnforcement[] {
      return report.defaults(policy);
    },
  };
}

/** What has no form there is decided in user space; there is no default of the kernel for these. */
function lowerUnix(layers: readonly TypedLayer[], home: string | undefined): readonly LoweredUnixRule[] {
  return layers.flatMap(({ rules }) => rules).filter((rule) => forbids(rule) && rule.types.includes("unix.connect"))
    .flatMap((rule) => {
      const lowered = lowerUnixRule(rule, home);
      return typeof lowered === "string" ? [] : [lowered.rule];
    });
}

type ExecPart = Pick<LoweredPolicy, "exec" | "exec_default">;

function lowerExec(
  layers: readonly TypedLayer[],
  { home }: LowerOptions,
  { report }: { readonly report: EnforcementReport },
): ExecPart {
  const rules: LoweredExecRule[] = [];
  for (const rule of layers.flatMap((layer) => layer.rules)) {
    if (!forbids(rule) || !rule.types.includes("exec")) continue;
    const lowered = lowerExecRule(rule, home);
    report.form(rule, "exec", lowered);
    if (typeof lowered !== "string") rules.push(lowered.rule);
  }
  const found = lifter(layers, "exec");
  if (found.kind === "none") return { exec: rules, exec_default: "allow" };
  if (found.kind === "nobody") return { exec: rules, exec_default: "deny" };
  if (found.kind === "undecidable") {
    report.defaultLeft(layers, "exec", "several layers refuse exec by default, so user space decides it");
    return { exec: rules, exec_default: "allow" };
  }
  const lifting: LoweredExecRule[] = [];
  for (const rule of found.rules) {
    const lowered = lowerExecRule(rule, home);
    if (typeof lowered === "string") {
      report.blocksDefault(rule, "exec", lowered);
      return { exec: rules, exec_default: "allow" };
    }
    lifting.push(lowered.rule);
  }
  for (const rule of found.rules) {
    report.form(rule, "exec", { complete: false, note: ONE_NAME });
  }
  return { exec: [...rules, ...lifting], exec_default: "deny" };
}
