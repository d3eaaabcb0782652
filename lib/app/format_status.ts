/** The status of a guard and its sessions, for people. */
import type { GuardStatus, LayerStatus, SessionView } from "../publish/mod.ts";
import { escapeText, formatDuration, formatTable, formatWord, type Paint } from "./format_text.ts";

/** How a status is shown. */
export interface StatusFormat {
  readonly paint: Paint;
  /** Also the configuration with its origins. */
  readonly show_config: boolean;
}

/** The lines of `agentguard status`. */
export function formatStatus(status: GuardStatus, format: StatusFormat): readonly string[] {
  const { paint } = format;
  const ready = status.ready ? paint("green", "ready") : paint("yellow", "not ready");
  const lines = [
    `agentguard ${escapeText(status.version)}, pid ${status.pid}, ${ready}, up ${formatDuration(status.uptime_ms)}`,
    "",
    ...formatTable([
      ["mode", escapeText(status.mode)],
      ["policy", formatPolicy(status)],
      ["sessions", formatSessionCounts(status)],
    ]),
    ...(status.policy.weaker ?? []).map((text) => `  ${paint("yellow", "in what runs already:")} ${escapeText(text)}`),
    ...section("layers", status.layers.map((layer) => layerRow(layer))),
    ...section("queues", status.queues.map((queue) => [escapeText(queue.name), formatQueue(queue)])),
    ...section(
      "losses",
      status.losses.map((loss) => [`${escapeText(loss.source)}: ${escapeText(loss.type)}`, String(loss.count)]),
      "none",
    ),
    ...section("counters", Object.entries(status.counters).map(([name, value]) => [escapeText(name), String(value)])),
  ];
  if (format.show_config) {
    const rows = Object.entries(status.config).map(([name, { value, origin, from }]) => {
      const shown = value === null ? "-" : formatWord(String(value));
      return [escapeText(name), shown, `${escapeText(origin)}: ${escapeText(from)}`];
    });
    lines.push(...section("configuration", rows));
  }
  return lines;
}

function formatPolicy(status: GuardStatus): string {
  const { ref, files, rules } = status.policy;
  const from = files.length === 0 ? "built in" : files.map((file) => formatWord(file)).join(", ");
  const digest = escapeText(ref.digest.slice(0, 12));
  return `${formatWord(ref.name)} (${from}), ${rules} rules, generation ${ref.generation}, digest ${digest}`;
}

function formatSessionCounts(status: GuardStatus): string {
  const { running, paused, ended } = status.sessions;
  return `${running} running, ${paused} paused, ${ended} ended`;
}

function layerRow(layer: LayerStatus): readonly string[] {
  return [escapeText(layer.name), escapeText(layer.state), escapeText(layer.detail)];
}

function formatQueue(queue: GuardStatus["queues"][number]): string {
  const of = queue.capacity === undefined ? "" : ` of ${queue.capacity}`;
  return `${queue.length}${of} ${escapeText(queue.unit)}`;
}

function section(title: string, rows: readonly (readonly string[])[], empty?: string): readonly string[] {
  if (rows.length === 0) return empty === undefined ? [] : ["", `${title}: ${empty}`];
  return ["", `${title}:`, ...formatTable(rows).map((line) => `  ${line}`)];
}

/** The table of `agentguard sessions list`. */
export function formatSessionList(sessions: readonly SessionView[]): readonly string[] {
  if (sessions.length === 0) return ["no sessions"];
  const rows = sessions.map((session) => [
    session.session_id,
    escapeText(session.state),
    String(session.root.pid),
    String(session.processes),
    escapeText(session.started.slice(0, 19).replace("T", " ")),
    formatWord(session.agent, 40),
  ]);
  return formatTable([["SESSION", "STATE", "PID", "PROCESSES", "STARTED (UTC)", "AGENT"], ...rows]);
}

/** The lines of `agentguard sessions show`. */
export function formatSession(session: SessionView): readonly string[] {
  const end = session.signal !== undefined
    ? `by signal ${session.signal}`
    : session.exit_code === undefined
    ? ""
    : `with ${session.exit_code}`;
  return formatTable([
    ["session", session.session_id],
    ["agent", formatWord(session.agent)],
    ["principal", formatWord(session.principal)],
    ["state", escapeText(session.state)],
    ["root", `pid ${session.root.pid}, start ${escapeText(session.root.start)}`],
    ["cgroup", session.cgroup === undefined ? "-" : formatWord(session.cgroup)],
    ["started", escapeText(session.started)],
    ...(session.ended === undefined ? [] : [["ended", `${escapeText(session.ended)} ${end}`.trim()]]),
    ["processes", String(session.processes)],
    ...Object.entries(session.counters).map(([name, value]) => [escapeText(name), String(value)]),
  ]);
}
