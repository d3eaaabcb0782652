/** What the commands on policies and recordings are asked, as data. */
import type { FlagValues } from "../config/mod.ts";
import type { LearnClass } from "../decide/mod.ts";

/** Flags that several commands share, unchecked; `lib/config` resolves them. */
interface WithFlags {
  readonly flags: FlagValues;
}

/** Says why a policy decides as it does. */
export interface PolicyExplainCommand extends WithFlags {
  readonly kind: "policy.explain";
  /** Layers in order; none: the built-in policy. */
  readonly policies: readonly string[];
  /** An entry of the record, or an action by its values. */
  readonly of:
    | { readonly kind: "entry"; readonly entry_id: string }
    | { readonly kind: "fields"; readonly fields: Readonly<Record<string, string | readonly string[]>> };
  /** Earlier actions as JSON, in order; none for an entry, whose session is in the record. */
  readonly given: readonly string[];
  readonly home: string | undefined;
}

/** Runs suites. */
export interface PolicyTestCommand extends WithFlags {
  readonly kind: "policy.test";
  /** At least one. */
  readonly suites: readonly string[];
}

/** Shows what is in force, or what the kernel would hold. */
export interface PolicyShowCommand extends WithFlags {
  readonly kind: "policy.show" | "policy.lower";
  /** At least one; layers in order. */
  readonly policies: readonly string[];
  readonly home: string | undefined;
}

/** Compares two policies. */
export interface PolicyDiffCommand extends WithFlags {
  readonly kind: "policy.diff";
  readonly before: string;
  readonly after: string;
  readonly recording: string | undefined;
  readonly home: string | undefined;
}

/** Proposes a policy. */
export interface PolicyLearnCommand extends WithFlags {
  readonly kind: "policy.learn";
  /** At least one. */
  readonly recordings: readonly string[];
  readonly name: string | undefined;
  readonly fallback: "ask" | "deny" | undefined;
  /** Empty: all. */
  readonly classes: readonly LearnClass[];
  readonly home: string | undefined;
}

/** Runs a recording against a policy. */
export interface ReplayCommand extends WithFlags {
  readonly kind: "replay";
  readonly recording: string;
  /** At least one; layers in order. */
  readonly policies: readonly string[];
  readonly home: string | undefined;
}

/** Every command of this family but `policy check`. */
export type PolicyToolCommand =
  | PolicyExplainCommand
  | PolicyTestCommand
  | PolicyShowCommand
  | PolicyDiffCommand
  | PolicyLearnCommand
  | ReplayCommand;
