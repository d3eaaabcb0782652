/** `policy learn`: a minimal policy from what a recording did. */
import { type ActionType, type Entry, err, type Mode, ok, type Result } from "../core/mod.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { tomlString } from "./explain_snippet.ts";
import { LEARN_CLASSES, type LearnClass, type LeftOutReason, Lessons } from "./learn_collect.ts";
import { type Evidence, evidenceText } from "./learn_evidence.ts";
import { learnRules, type LearntRule, type LearntValue } from "./learn_rules.ts";
import { SECRET_EXCEPTIONS, SECRET_PATHS } from "./learn_secrets.ts";
import { loadPolicy } from "./load.ts";
import { EventRebuilder } from "./replay_events.ts";

/** What kind of policy is wanted. */
export interface LearnOptions {
  /** `name` of the policy; default `learnt`. */
  readonly name?: string;
  /** What happens to everything that the recording did not do; default `ask`. */
  readonly fallback?: "ask" | "deny";
  /** Families of actions to learn; the others are allowed. Default: all. */
  readonly classes?: readonly LearnClass[];
  readonly mode?: Mode;
  /** Home directory of the sessions' user. */
  readonly home?: string;
}

/** A rule that was proposed. */
export interface ProposedRule {
  readonly rule: string;
  readonly actions: readonly ActionType[];
  readonly values: number;
  readonly evidence: Evidence;
}

/** A proposal. */
export interface LearntPolicy {
  /** The policy file; `loadPolicy` accepts it. */
  readonly text: string;
  readonly rules: readonly ProposedRule[];
  /** Actions of the learnt families, and those that the rules rest on. */
  readonly actions: number;
  readonly learnt: number;
  readonly sessions: number;
  /** What was not learnt from, and why. */
  readonly left_out: Readonly<Partial<Record<LeftOutReason, Evidence>>>;
}

const REASONS: Readonly<Record<LeftOutReason, string>> = {
  denied: "denied or asked, or would have been",
  refused: "refused by the kernel",
  secret: "on paths that hold secrets",
  unknown: "with names that cannot be made absolute or written",
};

/** How long an unknown action waits where nobody watches: a run without a person must not seem to hang. */
const UNATTENDED = "30s";

/** Behind a value that no attempt reached. */
const VAIN = "found nothing";

/** Learns from recordings, entry by entry. Pure: the same entries give the same policy. */
export class PolicyLearner {
  readonly #options: LearnOptions;
  readonly #classes: readonly LearnClass[];
  readonly #lessons: Lessons = new Lessons();
  #rebuilder: EventRebuilder;

  constructor(options: LearnOptions = {}) {
    this.#options = options;
    this.#classes = options.classes ?? LEARN_CLASSES;
    this.#rebuilder = this.#newRebuilder();
  }

  /** The entries that follow are those of another recording. */
  beginRecording(): void {
    this.#rebuilder = this.#newRebuilder();
  }

  /** Takes the next entry. */
  add(entry: Entry): void {
    const recorded = this.#rebuilder.next(entry);
    if (recorded !== undefined) this.#lessons.add(recorded, this.#classes);
  }

  /** The proposal; the findings where it cannot be used (it would be too large). */
  finish(): Result<LearntPolicy, readonly Diagnostic[]> {
    const { home } = this.#options;
    const rules = learnRules(this.#lessons, home === undefined ? {} : { home });
    const text = this.#write(rules);
    const loaded = loadPolicy([{ file: "<learnt>", bytes: new TextEncoder().encode(text) }], { generation: 1 });
    if (!loaded.ok) return err(loaded.error);
    const { actions, learnt } = this.#lessons.counts;
    return ok({
      text,
      rules: rules.map(({ name, actions, predicates, evidence }) => ({
        rule: name,
        actions,
        values: predicates[0]?.[1].length ?? 0,
        evidence,
      })),
      actions,
      learnt,
      sessions: this.#lessons.sessions.size,
      left_out: Object.fromEntries(this.#lessons.left_out),
    });
  }

  #newRebuilder(): EventRebuilder {
    const { home } = this.#options;
    return new EventRebuilder(home === undefined ? {} : { home });
  }

  #write(rules: readonly LearntRule[]): string {
    const { name = "learnt", fallback = "ask", mode = "enforce" } = this.#options;
    const { counts: { actions, learnt }, sessions } = this.#lessons;
    const lines = [
      "# Proposed by agentguard policy learn: it allows what the recording did and little else. Read it before use.",
      `# ${learnt} of ${actions} actions, ${sessions.size} sessions. Behind each value: what it rests on.`,
      ...[...this.#lessons.left_out].map(([reason, evidence]) =>
        `# Not learnt from: ${REASONS[reason]}: ${evidenceText(evidence)}`
      ),
      ...(this.#lessons.full ? ["# The recording has too many different names: what came last is missing here."] : []),
      "",
      "version = 1",
      `name = ${tomlString(name)}`,
      `mode = "${mode}"`,
      "",
      "[default]",
      ...this.#defaults(fallback),
      ...(fallback === "ask"
        ? ["", "[approval]", `unattended = "${UNATTENDED}" # nobody watches: denied after this`]
        : []),
      "",
      "[guard]",
      'on_failure = "deny"',
      'on_loss = "record"',
      ...(this.#classes.includes("file") ? secretRule() : []),
      ...rules.flatMap((rule) => ruleLines(rule)),
    ];
    return `${lines.join("\n")}\n`;
  }

  #defaults(fallback: "ask" | "deny"): readonly string[] {
    const left = LEARN_CLASSES.filter((each) => !this.#classes.includes(each));
    return [`"*" = "${fallback}"`, ...left.map((each) => `${each} = "allow"             # not learnt`)];
  }
}

/** Holds whatever the patterns below cover. */
function secretRule(): readonly string[] {
  return [
    "",
    "# Whatever is allowed below: never these.",
    "[[rules]]",
    'name = "secrets"',
    'action = "file.*"',
    "path = [",
    ...SECRET_PATHS.map((pattern) => `  ${tomlString(pattern)},`),
    "]",
    `except = { path = [${SECRET_EXCEPTIONS.map((pattern) => tomlString(pattern)).join(", ")}] }`,
    'verdict = "deny"',
    'enforce = "best"             # hosts that cannot refuse a file action end the process after it',
    'reason = "This path may hold a secret. Ask the owner for access to what you need."',
  ];
}

function ruleLines({ name, comment, actions, predicates, evidence }: LearntRule): readonly string[] {
  const types = actions.map((type) => tomlString(type));
  return [
    "",
    `# ${comment}`,
    `# ${evidenceText(evidence)}`,
    "[[rules]]",
    `name = ${tomlString(name)}`,
    `action = ${types.length === 1 ? types[0] : `[${types.join(", ")}]`}`,
    ...predicates.flatMap(([key, values]) => {
      const [only] = values;
      if (only !== undefined && values.length === 1) {
        return [`${key} = ${only.toml}${only.vain === true ? ` # ${VAIN}` : ""}`];
      }
      return [`${key} = [`, ...values.map((value) => `  ${value.toml}, # ${valueText(value)}`), "]"];
    }),
    'verdict = "allow"',
  ];
}

function valueText({ evidence, vain }: LearntValue): string {
  return vain === true ? `${VAIN}: ${evidenceText(evidence)}` : evidenceText(evidence);
}
