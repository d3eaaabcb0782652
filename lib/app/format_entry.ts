/** One readable line per entry. Everything that a guarded program could choose is escaped. */
import {
  type Action,
  ACTION_TYPES,
  type ApprovalAction,
  assertNever,
  type Decision,
  type DnsAction,
  type Entry,
  type Gap,
  type Outcome,
  type StartedBaseline,
  type Verdict,
} from "../core/mod.ts";
import { escapeText, formatArgv, formatDuration, formatWord, type Paint } from "./format_text.ts";

/** How a line is made. */
export interface EntryFormat {
  readonly paint: Paint;
  /** Width of the terminal; 0 if there is none. Only command lines are cut to it, paths never. */
  readonly columns: number;
}

/** What a line has beside a command line, columns: time, pid, mark, `exec `, and the count of words left out. */
const OTHER_COLUMNS = 23 + 2 + 7 + 2 + 1 + 2 + "exec ".length + " (+99999 more)".length;
/** Width of command lines where there is no terminal, and the least on a narrow one. */
const ARGV_CHARS_DEFAULT = 200;
const ARGV_CHARS_MIN = 40;
/** Longest free text (details, tool arguments), characters. */
const DETAIL_CHARS_MAX = 300;

/** `2026-01-02 03:04:05.000     1234  x  connect 192.0.2.1:443 tcp  DENIED by no-test-net (prevented, cgroup)` */
export function formatEntry(entry: Entry, format: EntryFormat): string {
  const { paint } = format;
  const time = escapeText(entry.time.slice(0, 23).replace("T", " "), 23).padEnd(23);
  const pid = String(entry.process?.pid ?? "-").padStart(7);
  const argv_chars = format.columns === 0
    ? ARGV_CHARS_DEFAULT
    : Math.max(ARGV_CHARS_MIN, format.columns - OTHER_COLUMNS);
  const parts: string[] = [];
  if (entry.action !== undefined) parts.push(formatKnown(entry.action, argv_chars));
  if (entry.gap !== undefined) parts.push(paint("yellow", formatGap(entry.gap)));
  const ruling = [
    ...(entry.decision === undefined ? [] : [formatDecision(entry.decision, paint)]),
    ...(entry.outcome === undefined ? [] : [formatOutcome(entry.outcome, { standsAlone: parts.length === 0, paint })]),
  ].join(" ");
  if (ruling !== "") parts.push(ruling);
  if (parts.length === 0) parts.push(escapeText(entry.kind, DETAIL_CHARS_MAX));
  return `${paint("dim", time)}  ${pid}  ${formatMark(entry, paint)}  ${parts.join("  ")}`;
}

/**
 * A record or a guard of a newer version may hold actions that this program does not know: they are shown as they are.
 */
function formatKnown(action: Action, argv_chars: number): string {
  if (ACTION_TYPES.includes(action.type)) return formatAction(action, argv_chars);
  return escapeText(JSON.stringify(action), DETAIL_CHARS_MAX);
}

/** One character: `x` denied, `?` asked, `~` redacted, `*` logged, `+` allowed, `!` loss or alarm, else a space. */
function formatMark(entry: Entry, paint: Paint): string {
  if (entry.gap !== undefined) return paint("yellow", "!");
  const type = entry.action?.type;
  if (type === "guard.tamper" || type === "guard.mismatch" || type === "guard.lost") return paint("red", "!");
  const label = entry.outcome?.label;
  if (label === "prevented" || label === "killed_before_effect" || label === "killed_after_effect") {
    return paint("red", "x");
  }
  const verdict = entry.decision?.verdict;
  return verdict === undefined ? " " : markOf(verdict, paint);
}

function markOf(verdict: Verdict, paint: Paint): string {
  switch (verdict) {
    case "allow":
      return paint("green", "+");
    case "deny":
      return paint("red", "x");
    case "ask":
      return paint("yellow", "?");
    case "redact":
      return "~";
    case "log":
      return "*";
    default:
      return assertNever(verdict);
  }
}

function formatDecision(decision: Decision, paint: Paint): string {
  const by = decision.rule === undefined ? "by default" : `by ${formatWord(decision.rule, 80)}`;
  const would = decision.would;
  if (would !== undefined && would !== decision.verdict) {
    return `${verdictWord(decision.verdict, paint)}, would be ${verdictWord(would, paint)} ${by} (${decision.mode})`;
  }
  return `${verdictWord(decision.verdict, paint)} ${by}`;
}

function verdictWord(verdict: Verdict, paint: Paint): string {
  switch (verdict) {
    case "allow":
      return paint("green", "allowed");
    case "deny":
      return paint("red", "DENIED");
    case "ask":
      return paint("yellow", "ASKED");
    case "redact":
      return paint("yellow", "REDACTED");
    case "log":
      return "logged";
    default:
      return assertNever(verdict);
  }
}

function formatOutcome(outcome: Outcome, how: { readonly standsAlone: boolean; readonly paint: Paint }): string {
  const facts: string[] = [outcome.label];
  if (outcome.mechanism !== "none") facts.push(outcome.mechanism);
  if (outcome.held_ms !== undefined) facts.push(`held ${outcome.held_ms} ms`);
  if (outcome.bytes_read !== undefined) facts.push(`${outcome.bytes_read} bytes read`);
  if (outcome.bytes_written !== undefined) facts.push(`${outcome.bytes_written} bytes written`);
  if (outcome.by !== undefined) facts.push(`by ${formatWord(outcome.by, 80)}`);
  if (outcome.error !== undefined) facts.push(how.paint("red", escapeText(outcome.error, DETAIL_CHARS_MAX)));
  const text = `(${facts.join(", ")})`;
  return how.standsAlone ? `outcome of ${escapeText(outcome.decision_id, 26)} ${text}` : text;
}

function formatGap(gap: Gap): string {
  const place: string[] = [];
  if (gap.cpu !== undefined) place.push(`cpu ${gap.cpu}`);
  if (gap.from !== undefined) place.push(`${escapeText(gap.from, 40)} to ${escapeText(gap.to ?? "?", 40)}`);
  const where = place.length === 0 ? "" : ` (${place.join(", ")})`;
  return `GAP in ${escapeText(gap.source, 40)}: ${gap.count} ${escapeText(gap.type, 40)}${where}`;
}

/** What an action does, in a few words. Command lines are cut to `argv_chars`. */
export function formatAction(action: Action, argv_chars: number): string {
  switch (action.type) {
    case "exec": {
      const flags = action.flags === undefined || action.flags.length === 0 ? "" : ` [${action.flags.join(" ")}]`;
      const by = action.interpreter === undefined ? "" : ` (by ${formatWord(action.interpreter)})`;
      return `exec ${formatArgv([action.path, ...action.argv.slice(1)], argv_chars)}${by}${flags}`;
    }
    case "exec.failed":
      return `exec failed ${formatWord(action.requested_path ?? "?")} ${escapeText(action.errno, 40)}`;
    case "process.fork":
      return `fork ${action.child.pid}`;
    case "process.exit":
      return action.signal === undefined ? `exit ${action.exit_code ?? "?"}` : `exit by signal ${action.signal}`;
    case "file.read":
    case "file.write":
    case "file.create":
    case "file.truncate": {
      const count = action.count === undefined ? "" : ` (${action.count} times)`;
      return `${verbOf(action.type)} ${formatWord(action.path)}${failure(action.result)}${count}`;
    }
    case "file.delete":
    case "file.mkdir":
    case "file.rmdir":
    case "file.chmod":
    case "file.chown":
    case "file.mknod": {
      const what = action.mode ?? action.owner;
      const detail = what === undefined ? "" : ` ${escapeText(what, 40)}`;
      return `${verbOf(action.type)} ${formatWord(action.path)}${detail}${failure(action.result)}`;
    }
    case "file.rename":
    case "file.link":
    case "file.symlink":
      return `${verbOf(action.type)} ${formatWord(action.path)} -> ${formatWord(action.new_path)}${
        failure(action.result)
      }`;
    default:
      return formatOther(action);
  }
}

/** Answers shown of one look-up. */
const ANSWERS_SHOWN = 4;

function formatDns({ name, answers }: DnsAction): string {
  const shown = answers.slice(0, ANSWERS_SHOWN).map((each) => escapeText(each, 64)).join(", ");
  const more = answers.length - ANSWERS_SHOWN;
  return `resolve ${formatWord(name, 253)} -> ${answers.length === 0 ? "nothing" : shown}${
    more > 0 ? ` and ${more} more` : ""
  }`;
}

type FileOrProcess = Extract<
  Action,
  { readonly type: `file.${string}` | `process.${string}` | "exec" | "exec.failed" }
>;

function formatOther(action: Exclude<Action, FileOrProcess>): string {
  switch (action.type) {
    case "net.connect":
    case "net.send":
    case "net.bind":
    case "net.listen": {
      const address = action.address.includes(":") ? `[${action.address}]` : action.address;
      const host = action.host === undefined ? "" : ` (${formatWord(action.host, 80)})`;
      const target = `${escapeText(address, 64)}:${action.port}`;
      return `${verbOf(action.type)} ${target} ${action.protocol}${host}${failure(action.result)}`;
    }
    case "net.dns":
      return formatDns(action);
    case "unix.connect":
      return `connect unix:${formatWord(action.path)}${failure(action.result)}`;
    case "tool.call": {
      const server = action.server === undefined ? "" : ` on ${formatWord(action.server, 80)}`;
      const args = action.args === undefined
        ? ""
        : ` ${escapeText(JSON.stringify(action.args) ?? "", DETAIL_CHARS_MAX)}`;
      return `tool ${formatWord(action.tool, 80)}${server}${args}`;
    }
    case "session.start":
      return `session started: ${formatWord(action.agent, 80)}${formatBaseline(action.baseline)}`;
    case "session.end": {
      const signal = action.signal === undefined ? "" : ` by signal ${action.signal}`;
      const code = action.exit_code === undefined ? "" : ` with ${action.exit_code}`;
      return `session ended: ${formatWord(action.agent, 80)}${code}${signal}`;
    }
    case "operator.kill":
    case "operator.pause":
    case "operator.resume":
    case "operator.policy.reload":
    case "operator.shutdown":
    case "operator.approve":
    case "operator.deny":
    case "operator.revoke": {
      const refused = action.refused === undefined ? "" : ` REFUSED: ${escapeText(action.refused, DETAIL_CHARS_MAX)}`;
      return `${action.type} ${formatWord(action.target, 80)} by ${formatWord(action.by, 80)}${refused}`;
    }
    case "approval.asked":
    case "approval.vote":
    case "approval.answered":
    case "approval.granted":
    case "approval.revoked":
    case "approval.undelivered":
      return formatApproval(action);
    case "guard.start":
    case "guard.stop":
    case "guard.ready":
    case "guard.degraded":
    case "guard.restored":
    case "guard.lost":
    case "guard.policy.loaded":
    case "guard.tamper":
    case "guard.recovered":
    case "guard.key.rotated":
    case "guard.mismatch":
    case "guard.scope":
    case "guard.record.pruned":
    case "guard.record.repaired":
    case "guard.hold.added":
    case "guard.hold.released":
      return `${action.type}: ${escapeText(action.detail, DETAIL_CHARS_MAX)}`;
    default:
      return assertNever(action);
  }
}

/** `approval 01J... allowed by uid:0 after 4.2s: exec git push` */
function formatApproval(action: ApprovalAction): string {
  const id = escapeText(action.approval_id ?? action.grant_id ?? "?", 26);
  const by = action.by === undefined ? "" : ` by ${formatWord(action.by, 80)}`;
  const verdict = action.verdict === undefined ? "" : ` ${action.verdict}`;
  const held = action.held_ms === undefined ? "" : ` after ${formatDuration(action.held_ms)}`;
  const scope = action.scope === undefined ? "" : ` (${escapeText(action.scope, 120)})`;
  const said = action.reason ?? "";
  const reason = said === "" ? "" : `: ${escapeText(said, DETAIL_CHARS_MAX)}`;
  const subject = action.subject === undefined ? "" : `: ${formatAction(action.subject, ARGV_CHARS_DEFAULT)}`;
  return `${action.type} ${id}${verdict}${by}${held}${scope}${subject}${reason}`;
}

function verbOf(type: string): string {
  return type.slice(type.indexOf(".") + 1);
}

function failure(result: string | undefined): string {
  return result === undefined || result === "0" ? "" : ` ${escapeText(result, 40)}`;
}

function formatBaseline(baseline: StartedBaseline | undefined): string {
  if (baseline === undefined) return "";
  const lacking = baseline.lacking === undefined ? "" : `, lacking ${baseline.lacking.join(", ")}`;
  const masked = baseline.masked === undefined ? "" : `, masked ${escapeText(baseline.masked.join(", "), 200)}`;
  return `, baseline ${baseline.parts.join(", ") || "none"}${lacking}${masked}`;
}
