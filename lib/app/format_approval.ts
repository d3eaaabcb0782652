/** Questions and grants for people who answer. Nothing that an agent chose is cut or drawn: it is escaped. */
import { type Action, type ApprovalView, assertNever, type GrantView } from "../core/mod.ts";
import { formatAction } from "./format_entry.ts";
import { escapeText, formatArgv, formatDuration, formatTable, formatWord, type Paint } from "./format_text.ts";

/** How it is shown. */
export interface ApprovalFormat {
  readonly paint: Paint;
  /** Width of the terminal; 0 if there is none. */
  readonly columns: number;
}

/** Widths beside the command in a list, columns. */
const LIST_OTHER_COLUMNS = 26 + 2 + 8 + 2 + 16 + 2;
const WHAT_CHARS_MIN = 30;
const WHAT_CHARS_DEFAULT = 100;
const LABEL_COLUMNS = 11;

/** The table of `approvals list`, and what to do next. */
export function formatApprovalList(views: readonly ApprovalView[], format: ApprovalFormat): readonly string[] {
  if (views.length === 0) return ["nothing waits for an answer"];
  const room = format.columns === 0
    ? WHAT_CHARS_DEFAULT
    : Math.max(WHAT_CHARS_MIN, format.columns - LIST_OTHER_COLUMNS);
  const rows = views.map((view) => [
    view.approval_id,
    leftText(view),
    formatWord(view.session?.agent ?? "-", 16),
    formatAction(view.action, room),
  ]);
  const [head = "", ...lines] = formatTable([["APPROVAL", "LEFT", "AGENT", "WHAT"], ...rows]);
  const { paint } = format;
  return [paint("dim", head), ...lines, "", paint("dim", "agentguard approvals show|approve|deny ID")];
}

/** Everything about one question. */
export function formatApproval(view: ApprovalView, format: ApprovalFormat): readonly string[] {
  const { paint } = format;
  const row = (label: string, text: string): string => `  ${paint("dim", label.padEnd(LABEL_COLUMNS))}${text}`;
  const { session, process, rule, policy } = view;
  const exe = process?.exe === undefined ? "" : ` (${formatWord(process.exe)})`;
  return [
    `${paint("bold", view.approval_id)}  ${stateText(view, paint)}`,
    "",
    `  ${paint("bold", headline(view.action))}`,
    "",
    ...detailsOf(view.action).map(([label, text]) => row(label, text)),
    ...(process === undefined ? [] : [row("asked by", `process ${process.pid}${exe}, ${uidText(process.uid)}`)]),
    ...(session === undefined
      ? []
      : [row("session", `${session.session_id}, ${formatWord(session.agent)}, for ${formatWord(session.principal)}`)]),
    row("because", `${escapeText(view.reason)}${rule === undefined ? " (default)" : ` (rule ${formatWord(rule)})`}`),
    row(
      "policy",
      `${formatWord(policy.name)}, generation ${policy.generation}, ${escapeText(policy.digest.slice(0, 12))}`,
    ),
    ...(view.risk === undefined ? [] : [row("risk", `${view.risk} of 100`)]),
    row("held by", heldText(view)),
    row("digest", escapeText(view.digest)),
    ...votesOf(view).map((text) => row("voted", text)),
    ...answerOf(view, paint).map((text) => row("answer", text)),
    ...(view.state === "pending" ? ["", ...nextSteps(view, paint)] : []),
  ];
}

/** One line about a question whose answer has come. */
export function formatAnswer(view: ApprovalView, paint: Paint): string {
  const { answer } = view;
  if (answer === undefined) return `${view.approval_id} waits for ${view.quorum - view.votes.length} more`;
  const verdict = answer.verdict === "allow" ? paint("green", "allowed") : paint("red", "denied");
  const why = answer.reason === "" ? "" : `: ${escapeText(answer.reason, 300)}`;
  const grant = answer.grant_id === undefined || answer.by.startsWith("grant:")
    ? ""
    : `; standing grant ${escapeText(answer.grant_id, 26)}`;
  const held = `after ${formatDuration(answer.held_ms)}`;
  return `${view.approval_id} ${verdict} by ${escapeText(answer.by, 200)} ${held}${why}${grant}`;
}

/** The table of `approvals grants list`. */
export function formatGrantList(grants: readonly GrantView[], format: ApprovalFormat): readonly string[] {
  if (grants.length === 0) return ["no standing grants"];
  const rows = grants.map((grant) => [
    grant.grant_id,
    grant.session_id === undefined ? formatWord(grant.principal, 20) : "one session",
    grant.expires === undefined ? "revoked" : timeText(grant.expires),
    String(grant.uses),
    escapeText(grant.by.join(", "), 40),
    escapeText(grant.covers),
  ]);
  const [head = "", ...lines] = formatTable([["GRANT", "FOR", "UNTIL", "USES", "BY", "COVERS"], ...rows]);
  return [format.paint("dim", head), ...lines];
}

/** What will be done, whole: no argument is left out. */
function headline(action: Action): string {
  return action.type === "exec" ? formatArgv(action.argv, Number.POSITIVE_INFINITY) : formatAction(action, 4_096);
}

function detailsOf(action: Action): readonly (readonly [string, string])[] {
  switch (action.type) {
    case "exec":
      return [
        ["program", formatWord(action.path)],
        ...(action.interpreter === undefined ? [] : [["run by", formatWord(action.interpreter)] as const]),
        ...(action.requested_path === undefined || action.requested_path === action.path
          ? []
          : [["called as", formatWord(action.requested_path)] as const]),
        ...(action.cwd === undefined ? [] : [["directory", formatWord(action.cwd)] as const]),
        ...(action.flags === undefined || action.flags.length === 0
          ? []
          : [["note", escapeText(action.flags.join(", "))] as const]),
      ];
    case "tool.call":
      return action.args === undefined ? [] : [["arguments", escapeText(JSON.stringify(action.args) ?? "")]];
    default:
      return "requested_path" in action && action.requested_path !== undefined
        ? [["called as", formatWord(action.requested_path)]]
        : [];
  }
}

function uidText(uid: number | undefined): string {
  return uid === undefined ? "uid unknown" : `uid ${uid}`;
}

function heldText(view: ApprovalView): string {
  switch (view.held_by) {
    case "seccomp":
      return "the kernel (seccomp): the call waits, nothing has happened yet";
    case "fanotify":
      return "the kernel (fanotify): the open waits, nothing has happened yet";
    case "reply":
      return "its reply: the agent waits for an answer";
    default:
      return assertNever(view.held_by);
  }
}

function stateText(view: ApprovalView, paint: Paint): string {
  switch (view.state) {
    case "pending":
      return paint("yellow", `waits, ${leftText(view)} left; denied by itself at ${timeText(view.expires)} UTC`);
    case "allowed":
      return paint("green", "allowed");
    case "denied":
      return paint("red", "denied");
    default:
      return assertNever(view.state);
  }
}

function leftText({ left_ms }: ApprovalView): string {
  return formatDuration(Math.max(1_000, left_ms));
}

function timeText(time: string): string {
  return escapeText(time.slice(0, 19).replace("T", " "), 19);
}

function votesOf(view: ApprovalView): readonly string[] {
  if (view.quorum === 1 && view.votes.length === 0) return [];
  const said = view.votes.map(({ by, verdict, verified }) =>
    `${verdict === "allow" ? "yes" : "no"} by ${escapeText(by, 80)} (${escapeText(verified, 300)})`
  );
  const missing = view.quorum - view.votes.length;
  return view.state === "pending" && missing > 0 ? [...said, `${missing} of ${view.quorum} must still say yes`] : said;
}

function answerOf(view: ApprovalView, paint: Paint): readonly string[] {
  return view.answer === undefined ? [] : [formatAnswer(view, paint).slice(view.approval_id.length + 1)];
}

function nextSteps(view: ApprovalView, paint: Paint): readonly string[] {
  const code = view.code_needed ? " --code CODE" : "";
  const wider = view.match_hint === undefined ? ["A yes allows exactly this, once; no standing grant can cover it."] : [
    "A yes allows exactly this, once. To be asked less: --for session, --for 15m, --for always,",
    `and wider with, for example, --match ${formatWord(view.match_hint)}`,
  ];
  return [
    ...wider.map((line) => `  ${line}`),
    "",
    `  ${paint("green", `agentguard approvals approve ${view.approval_id}${code}`)}`,
    `  ${paint("red", `agentguard approvals deny ${view.approval_id}`)}`,
  ];
}
