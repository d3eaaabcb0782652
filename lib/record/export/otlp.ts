/**
 * OpenTelemetry logs as OTLP/JSON. Source: opentelemetry-proto `logs.proto` and the OTLP specification's JSON mapping
 * (64-bit numbers are decimal texts); names of attributes by the semantic conventions, those of our own begin with
 * `agentguard.`.
 */
import { type Entry, parseTime } from "../../core/mod.ts";
import { integerAt, messageOf, type Place, type Severity, severityOf, textAt, textsAt, typeOf } from "./fields.ts";
import { safeJson } from "./safe_text.ts";

/** What every batch names. */
export interface OtlpOptions {
  readonly product_version: string;
  readonly host: string;
}

/** An entry with its text as stored. */
export interface OtlpItem {
  readonly entry: Entry;
  readonly line: string;
}

/** Numbers and names of severities. Source: the logs data model, "Severity Fields". */
const SEVERITIES: Readonly<Record<Severity, readonly [number, string]>> = {
  info: [9, "INFO"],
  low: [10, "INFO2"],
  medium: [13, "WARN"],
  high: [17, "ERROR"],
  critical: [21, "FATAL"],
};

/** An attribute, its type and its place. */
type Row = readonly [name: string, type: "text" | "integer" | "texts", place: Place];

/** Attributes in the order in which they are written. */
const ATTRIBUTES: readonly Row[] = [
  ["log.record.uid", "text", ["entry", "entry_id"]],
  ["agentguard.seq", "integer", ["entry", "seq"]],
  ["agentguard.kind", "text", ["entry", "kind"]],
  ["agentguard.prev", "text", ["entry", "prev"]],
  ["host.boot.id", "text", ["entry", "boot_id"]],
  ["session.id", "text", ["entry", "session_id"]],
  ["agentguard.principal", "text", ["entry", "principal"]],
  ["process.pid", "integer", ["process", "pid"]],
  ["process.parent_pid", "integer", ["process", "ppid"]],
  ["process.executable.path", "text", ["process", "exe"]],
  ["process.command_args", "texts", ["process", "argv"]],
  ["process.working_directory", "text", ["process", "cwd"]],
  ["process.real_user.id", "integer", ["process", "uid"]],
  ["agentguard.process.start", "text", ["process", "start"]],
  ["container.id", "text", ["process", "container_id"]],
  ["file.path", "text", ["action", "path"]],
  ["agentguard.file.requested_path", "text", ["action", "requested_path"]],
  ["agentguard.file.new_path", "text", ["action", "new_path"]],
  ["file.mode", "text", ["action", "mode"]],
  ["agentguard.argv", "texts", ["action", "argv"]],
  ["agentguard.flags", "texts", ["action", "flags"]],
  ["process.exit.code", "integer", ["action", "exit_code"]],
  ["agentguard.process.signal", "integer", ["action", "signal"]],
  ["network.transport", "text", ["action", "protocol"]],
  ["network.peer.address", "text", ["action", "address"]],
  ["network.peer.port", "integer", ["action", "port"]],
  ["server.address", "text", ["action", "host"]],
  ["dns.question.name", "text", ["action", "name"]],
  ["dns.answers", "texts", ["action", "answers"]],
  ["error.type", "text", ["action", "errno"]],
  ["agentguard.result", "text", ["action", "result"]],
  ["gen_ai.tool.name", "text", ["action", "tool"]],
  ["gen_ai.agent.name", "text", ["action", "agent"]],
  ["agentguard.tool.source", "text", ["action", "source"]],
  ["agentguard.tool.server", "text", ["action", "server"]],
  ["agentguard.detail", "text", ["action", "detail"]],
  ["agentguard.operator.target", "text", ["action", "target"]],
  ["agentguard.operator.by", "text", ["action", "by"]],
  ["agentguard.approval.id", "text", ["action", "approval_id"]],
  ["agentguard.approval.digest", "text", ["action", "digest"]],
  ["agentguard.approval.verdict", "text", ["action", "verdict"]],
  ["agentguard.approval.scope", "text", ["action", "scope"]],
  ["agentguard.decision.id", "text", ["decision", "decision_id"]],
  ["agentguard.decision.verdict", "text", ["decision", "verdict"]],
  ["agentguard.decision.would", "text", ["decision", "would"]],
  ["agentguard.decision.rule", "text", ["decision", "rule"]],
  ["agentguard.decision.reason", "text", ["decision", "reason"]],
  ["agentguard.decision.mode", "text", ["decision", "mode"]],
  ["agentguard.policy.name", "text", ["decision", "policy", "name"]],
  ["agentguard.policy.digest", "text", ["decision", "policy", "digest"]],
  ["agentguard.policy.generation", "integer", ["decision", "policy", "generation"]],
  ["agentguard.outcome.decision_id", "text", ["outcome", "decision_id"]],
  ["agentguard.outcome.label", "text", ["outcome", "label"]],
  ["agentguard.outcome.mechanism", "text", ["outcome", "mechanism"]],
  ["agentguard.outcome.error", "text", ["outcome", "error"]],
  ["agentguard.outcome.bytes_read", "integer", ["outcome", "bytes_read"]],
  ["agentguard.outcome.bytes_written", "integer", ["outcome", "bytes_written"]],
  ["agentguard.gap.source", "text", ["gap", "source"]],
  ["agentguard.gap.type", "text", ["gap", "type"]],
  ["agentguard.gap.count", "integer", ["gap", "count"]],
  ["agentguard.gap.from", "text", ["gap", "from"]],
  ["agentguard.gap.to", "text", ["gap", "to"]],
];

/** One batch of entries as one line: an `ExportLogsServiceRequest`. */
export function otlpLine(items: readonly OtlpItem[], options: OtlpOptions): string {
  const resource = [
    attribute("service.name", { stringValue: "agentguard" }),
    attribute("service.version", { stringValue: options.product_version }),
    attribute("host.name", { stringValue: options.host }),
  ];
  const scope = { name: "agentguard.record", version: options.product_version };
  const scopeLogs = [{ scope, logRecords: items.map(logRecord) }];
  return safeJson({ resourceLogs: [{ resource: { attributes: resource }, scopeLogs }] });
}

function logRecord({ entry, line }: OtlpItem): object {
  const [severityNumber, severityText] = SEVERITIES[severityOf(entry)];
  const attributes: object[] = [];
  for (const [name, type, place] of ATTRIBUTES) {
    const value = anyValue(entry, type, place);
    if (value !== undefined) attributes.push(attribute(name, value));
  }
  // The text that was hashed: what has no attribute is in it, and it can be checked.
  attributes.push(attribute("log.record.original", { stringValue: line }));
  return {
    timeUnixNano: nanosecondsOf(entry.time),
    severityNumber,
    severityText,
    eventName: `agentguard.${typeOf(entry)}`,
    body: { stringValue: messageOf(entry) },
    attributes,
  };
}

function attribute(key: string, value: object): object {
  return { key, value };
}

function anyValue(entry: Entry, type: Row[1], place: Place): object | undefined {
  switch (type) {
    case "text": {
      const text = textAt(entry, ...place);
      return text === undefined ? undefined : { stringValue: text };
    }
    case "integer": {
      const integer = integerAt(entry, ...place);
      return integer === undefined ? undefined : { intValue: `${integer}` };
    }
    case "texts": {
      const texts = textsAt(entry, ...place);
      return texts === undefined ? undefined : { arrayValue: { values: texts.map((text) => ({ stringValue: text })) } };
    }
  }
}

/** `0` says in OTLP that the time is not known. */
function nanosecondsOf(time: string): string {
  const time_us = parseTime(time);
  return time_us === undefined ? "0" : `${time_us}000`;
}
