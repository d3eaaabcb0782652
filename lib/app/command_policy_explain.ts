/** `agentguard policy explain` */
import { AgentguardError, formatTime } from "../core/mod.ts";
import {
  type AssumedPast,
  type Candidate,
  type Change,
  eventOfFields,
  EventRebuilder,
  explain,
  type Explanation,
  type GivenAction,
  givenActions,
  pastAfter,
  type PolicySnapshot,
  type SaidAction,
  StatefulDecider,
} from "../decide/mod.ts";
import { entryOf, openRecordReader, type RecordReader } from "../record/mod.ts";
import { EXIT } from "./command.ts";
import { configOf } from "./command_config.ts";
import { type CommandIo, exitCodeOf, LineWriter } from "./command_io.ts";
import { homeOption, loadForCommand } from "./command_policy_load.ts";
import type { PolicyExplainCommand } from "./command_policy_types.ts";
import { formatAction } from "./format_entry.ts";
import { escapeMessage, escapeText, formatArgv, formatTable, formatWord, type Paint, painter } from "./format_text.ts";

/** Longest command line shown, characters. */
const ARGV_CHARS = 200;
/** Values of a predicate that are shown. */
const VALUES_MAX = 4;

/** Prints the explanation. Exit 1 without such an entry, 2 for a bad policy or action. */
export function commandPolicyExplain(command: PolicyExplainCommand, io: CommandIo): Promise<number> {
  return exitCodeOf(io, async () => {
    const config = configOf(io, command.flags);
    const snapshot = await loadForCommand(io, command.policies);
    if (snapshot === undefined) return EXIT.usage;
    const { event, past, assumed } = saidAction(command, { snapshot, io, state_dir: config.state_dir.value });
    const explanation = explain(snapshot, event, past);
    const out = new LineWriter(io.stdout);
    if (config.json.value) await out.line(JSON.stringify({ policy: snapshot.ref, assumed, ...explanation }));
    else {
      for (const line of formatExplanation(explanation, painter(io))) await out.line(line);
      await out.line(assumedText(assumed, snapshot));
    }
    await out.flush();
    return EXIT.ok;
  });
}

interface Where {
  readonly snapshot: PolicySnapshot;
  readonly io: CommandIo;
  readonly state_dir: string;
}

function saidAction({ of, home, given }: PolicyExplainCommand, { snapshot, io, state_dir }: Where): SaidAction {
  if (of.kind === "entry") {
    using reader = openRecordReader(state_dir);
    return recordedAction(reader, of.entry_id, { snapshot, ...homeOption(io, home) });
  }
  const said = eventOfFields(of.fields, { ...homeOption(io, home), texts: true });
  if (!said.ok) {
    const { key, message } = said.error;
    throw new AgentguardError("usage", `${key === undefined ? "action" : `--${key.replaceAll("_", "-")}`}: ${message}`);
  }
  const before = given.map((text) => givenAction(text, homeOption(io, home)));
  const actions = before.reduce((sum, { times }) => sum + times, 0);
  return {
    event: said.value.event,
    past: pastAfter(snapshot, said.value, before),
    assumed: { ...said.value.assumed, actions },
  };
}

function givenAction(text: string, options: { readonly home?: string }): GivenAction {
  const values = parseJson(text);
  if (values === undefined) {
    throw new AgentguardError("usage", '--given: write an object such as {"action":"file.read","path":"/etc/passwd"}');
  }
  const found = givenActions(values, options);
  if (found.ok) return found.value;
  const { key, message } = found.error;
  throw new AgentguardError("usage", `--given: ${key === undefined ? "" : `${key}: `}${message}`);
}

function parseJson(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    return Object.fromEntries(Object.entries(value));
  } catch {
    return undefined; // the caller says what is wanted
  }
}

/** On what of the past the answer rests. */
function assumedText({ at, labels, rules, earlier, actions }: AssumedPast, snapshot: PolicySnapshot): string {
  const parts = [
    ...(labels.length === 0 ? [] : [`label ${labels.map((each) => formatWord(each)).join(", ")} set`]),
    ...(rules.length === 0 ? [] : [`rule ${rules.map((each) => formatWord(each)).join(", ")} held before`]),
    ...(earlier === 0 ? [] : [`${earlier} such actions counted`]),
    ...(actions === 0 ? [] : [`${actions} ${actions === 1 ? "action" : "actions"} of this session before`]),
  ];
  const nothing = snapshot.has_state ? "nothing happened before in this session" : "nothing that came before matters";
  return `assumed: ${parts.length === 0 ? nothing : parts.join(", ")}; at ${at}`;
}

/**
 * The event of an entry, with what the entries of its session before it say of its process, and with what the policy
 * would have remembered of them. An outcome leads to its decision.
 */
function recordedAction(
  reader: RecordReader,
  entry_id: string,
  { snapshot, ...options }: { readonly snapshot: PolicySnapshot; readonly home?: string },
): SaidAction {
  const stored = reader.get(entry_id);
  if (stored === undefined) throw new AgentguardError("not_found", `find entry ${entry_id}: the record has none`);
  let wanted = entryOf(stored);
  if (wanted.kind === "outcome" && wanted.outcome !== undefined) {
    const { decision_id } = wanted.outcome;
    for (const each of reader.query({ decision_id })) {
      const entry = entryOf(each);
      if (entry.kind !== "outcome") wanted = entry;
    }
  }
  const { seq, session_id } = wanted;
  const rebuilder = new EventRebuilder(options);
  let actions = 0;
  const decider = new StatefulDecider(snapshot);
  for (const each of reader.query(session_id === undefined ? { after_seq: seq - 1, limit: 1 } : { session_id })) {
    if (each.seq > seq) break;
    const event = rebuilder.next(entryOf(each))?.event;
    if (event === undefined) continue;
    if (each.seq === seq) {
      const assumed = { at: formatTime(event.time_us), labels: [], rules: [], earlier: 0, actions };
      return { event, past: { state: decider.state, now_us: event.time_us }, assumed };
    }
    decider.evaluate(event);
    actions++;
  }
  throw new AgentguardError("not_found", `explain entry ${entry_id}: it is a ${wanted.kind}, not an action`);
}

/** The explanation for people. */
function formatExplanation(explanation: Explanation, paint: Paint): readonly string[] {
  const { action, ruling, says, candidates, other_rules, changes } = explanation;
  const mode = ruling.would === undefined ? "" : ` (observe only: what happens is ${ruling.verdict})`;
  const colour = says === "deny" ? "red" : says === "ask" ? "yellow" : "green";
  const others = candidates.filter(({ outcome }) => outcome !== "decided");
  const rows = others.map((candidate) => [
    `  ${formatWord(candidate.file)}:${candidate.line}`,
    formatWord(candidate.rule),
    candidate.verdict,
    whyNot(candidate),
  ]);
  return [
    `${paint(colour, says)} by ${deciderText(explanation)}${mode}`,
    `  ${formatAction(action, ARGV_CHARS)}`,
    `  ${escapeMessage(ruling.reason)}`,
    ...(rows.length === 0 ? [] : [`other rules about ${action.type}:`, ...formatTable(rows)]),
    ...(other_rules === 0 ? [] : [`${other_rules} ${other_rules === 1 ? "rule is" : "rules are"} about other actions`]),
    ...formatChanges(changes),
  ];
}

function deciderText({ decided_by }: Explanation): string {
  if (decided_by.kind === "rule") {
    return `rule ${formatWord(decided_by.rule)}, ${formatWord(decided_by.file)}:${decided_by.line}`;
  }
  return decided_by.file === undefined
    ? "default: no file says anything about such actions"
    : `[default] of ${formatWord(decided_by.file)}`;
}

function whyNot({ outcome, predicate, wanted, got, except, inside }: Candidate): string {
  const where = inside === undefined ? "" : ` (inside: ${formatArgv(inside, 80)})`;
  switch (outcome) {
    case "decided":
      return "decided";
    case "holds":
      return `covers it too, and is not stricter${where}`;
    case "shadow":
      return `covers it, and only observes${where}`;
    case "disabled":
      return "its file is disabled";
    case "excepted":
      return `excepted by ${escapeText(JSON.stringify(except ?? {}))}`;
    case "fails": {
      const has = got === undefined || got.length === 0 ? "the action has none" : `it is ${values(got)}`;
      return `${predicate ?? "a predicate"} does not match ${values(wanted ?? [])}: ${has}`;
    }
  }
}

function values(list: readonly string[]): string {
  const shown = list.slice(0, VALUES_MAX).map((text) => formatWord(text, 80)).join(", ");
  return list.length > VALUES_MAX ? `${shown} (+${list.length - VALUES_MAX} more)` : shown;
}

function formatChanges(changes: readonly Change[] | undefined): readonly string[] {
  if (changes === undefined) return [];
  if (changes.length === 0) {
    return [
      "no small change allows it: a name of the action is not known for certain, so nothing can be allowed by it",
    ];
  }
  return ["to allow it:", ...changes.flatMap((change) => changeLines(change))];
}

function changeLines(change: Change): readonly string[] {
  const toml = change.toml.split("\n").map((line) => `    ${escapeMessage(line)}`);
  switch (change.kind) {
    case "except":
      return [
        `  in rule ${formatWord(change.rule)}, ${formatWord(change.file)}:${change.line}, add${
          change.listed ? " to except, which is then a list" : ""
        }`,
        ...toml,
      ];
    case "extend":
      return [
        `  in rule ${formatWord(change.rule)}, ${formatWord(change.file)}:${change.line}, add to ${change.predicate}`,
        ...toml,
      ];
    case "rule":
      return [`  in ${formatWord(change.file)}, add`, ...toml];
  }
}
