/** Open Cybersecurity Schema Framework, 1.8; with profile `1.9` also the agent and a chain of fingerprints. */
import { type Entry, parseTime } from "../../core/mod.ts";
import {
  baseName,
  commandLine,
  integerAt,
  messageOf,
  type Severity,
  severityOf,
  textAt,
  textsAt,
  typeOf,
  valueAt,
} from "./fields.ts";
import {
  OCSF_CLASSES,
  type OcsfActivity,
  ocsfActivity,
  type OcsfClassName,
  otherActivity,
  standsInTheWay,
} from "./ocsf_classes.ts";
import {
  actorObject,
  connectionObject,
  controlMembers,
  endpointObject,
  fileObject,
  objectOf,
  type OcsfObject,
  present,
  processObject,
  processUid,
} from "./ocsf_objects.ts";

/** What every event names. */
export interface OcsfOptions {
  readonly product_version: string;
  readonly host: string;
}

const SEVERITIES: Readonly<Record<Severity, readonly [number, string]>> = {
  info: [1, "Informational"],
  low: [2, "Low"],
  medium: [3, "Medium"],
  high: [4, "High"],
  critical: [5, "Critical"],
};

/** Members of an action that the members of each class say already; the others go to `unmapped`. */
const MAPPED: Readonly<Record<OcsfClassName, readonly string[]>> = {
  base: [],
  file: ["type", "path", "result"],
  process: ["type", "path", "argv", "cwd", "exit_code", "child", "errno"],
  finding: ["type"],
  network: ["type", "address", "port", "host", "protocol", "result"],
  lifecycle: ["type", "agent", "detail"],
  api: ["type", "tool", "server"],
};

/** One entry as one event. */
export function ocsfEvent(entry: Entry, options: OcsfOptions): OcsfObject {
  const wanted = ocsfActivity(entry);
  const members = classMembers(entry, wanted.class_name, options);
  // What lacks a member that its class requires is no event of that class.
  const activity = members === undefined ? otherActivity(entry) : wanted;
  return eventOf(entry, activity, { members: members ?? { actor: actorObject(entry) }, options });
}

function eventOf(
  entry: Entry,
  activity: OcsfActivity,
  { members, options }: { readonly members: OcsfObject; readonly options: OcsfOptions },
): OcsfObject {
  const { uid, name, category_uid, category_name } = OCSF_CLASSES[activity.class_name];
  const [severity_id, severity] = SEVERITIES[severityOf(entry)];
  const control = activity.class_name === "lifecycle" ? undefined : controlMembers(entry);
  const profiles = ["host", ...(control === undefined ? [] : ["security_control"])];
  if (textAt(entry, "process", "container_id") !== undefined) profiles.push("container");
  return present({
    activity_id: activity.activity_id,
    activity_name: activity.activity_name,
    category_uid,
    category_name,
    class_uid: uid,
    class_name: name,
    type_uid: uid * 100 + activity.activity_id,
    type_name: `${name}: ${activity.activity_name}`,
    time: millisecondsOf(entry.time),
    severity_id,
    severity,
    ...(activity.class_name === "finding" ? { status_id: 1, status: "New" } : statusOf(entry)),
    message: messageOf(entry),
    metadata: present({
      version: "1.8.0",
      product: { name: "agentguard", vendor_name: "agentguard", version: options.product_version },
      profiles,
      uid: entry.entry_id,
      sequence: entry.seq,
      event_code: typeOf(entry),
      original_time: entry.time,
      correlation_uid: decisionId(entry),
    }),
    device: { hostname: options.host, type_id: 0, type: "Unknown" },
    ...control,
    ...(control === undefined || !standsInTheWay(entry) ? {} : { is_alert: true }),
    ...members,
    unmapped: unmapped(entry, activity.class_name),
  });
}

function millisecondsOf(time: string): number {
  return Math.floor((parseTime(time) ?? 0) / 1_000);
}

function decisionId(entry: Entry): string | undefined {
  return textAt(entry, "decision", "decision_id") ?? textAt(entry, "outcome", "decision_id");
}

/** Whether the activity itself succeeded; not known where it was never tried or nobody saw its end. */
function statusOf(entry: Entry): OcsfObject {
  const result = textAt(entry, "action", "result") ?? textAt(entry, "action", "errno");
  if (textAt(entry, "outcome", "label") === "prevented") return { status_id: 2, status: "Failure" };
  if (result === undefined) return {};
  if (result === "0") return { status_id: 1, status: "Success" };
  return { status_id: 2, status: "Failure", status_code: result };
}

/** Members of the class; `undefined` where one that the class requires cannot be had. */
function classMembers(entry: Entry, class_name: OcsfClassName, options: OcsfOptions): OcsfObject | undefined {
  switch (class_name) {
    case "file":
      return fileMembers(entry);
    case "process":
      return processMembers(entry);
    case "network":
      return networkMembers(entry);
    case "finding":
      return findingMembers(entry);
    case "lifecycle":
      return { app: appOf(entry), actor: actorObject(entry) };
    case "api":
      return apiMembers(entry, options);
    case "base":
      return { actor: actorObject(entry) };
  }
}

function fileMembers(entry: Entry): OcsfObject | undefined {
  const path = textAt(entry, "action", "path");
  if (path === undefined) return undefined;
  const type = typeOf(entry);
  const new_path = textAt(entry, "action", "new_path");
  // A symbolic link's `path` is what it points at: the file that the activity makes is the link.
  const [file, result] = type === "file.symlink" && new_path !== undefined ? [new_path, undefined] : [path, new_path];
  return present({
    actor: actorObject(entry),
    file: fileObject(file, type),
    file_result: result === undefined ? undefined : fileObject(result, type),
  });
}

function processMembers(entry: Entry): OcsfObject | undefined {
  const actor = actorObject(entry);
  const process = processObject(entry);
  const type = typeOf(entry);
  if (type === "process.fork") {
    const [pid, start] = [valueAt(entry, ["action", "child", "pid"]), valueAt(entry, ["action", "child", "start"])];
    if (typeof pid !== "number") return undefined;
    const child = { pid, uid: processUid(entry, pid, start) };
    return { actor, process: child, launch_type_id: 2, launch_type: "Fork" };
  }
  if (!type.startsWith("exec")) {
    if (process === undefined) return undefined;
    return present({ actor, process, exit_code: integerAt(entry, "action", "exit_code") });
  }
  const path = textAt(entry, "action", "path") ?? textAt(entry, "action", "requested_path");
  if (path === undefined && process === undefined) return undefined;
  const argv = textsAt(entry, "action", "argv");
  const started = {
    ...process,
    ...objectOf({
      name: path === undefined ? undefined : baseName(path),
      file: path === undefined ? undefined : { name: baseName(path), path, type_id: 1, type: "Regular File" },
      cmd_line: argv === undefined ? undefined : commandLine(argv),
      working_directory: textAt(entry, "action", "cwd"),
    }),
  };
  return { actor, process: started, launch_type_id: 3, launch_type: "Exec" };
}

function networkMembers(entry: Entry): OcsfObject | undefined {
  const endpoint = endpointObject(entry);
  if (endpoint === undefined) return undefined;
  const type = typeOf(entry);
  const own = type === "net.bind" || type === "net.listen";
  return {
    actor: actorObject(entry),
    connection_info: connectionObject(entry, type),
    [own ? "src_endpoint" : "dst_endpoint"]: endpoint,
  };
}

function findingMembers(entry: Entry): OcsfObject {
  const rule = textAt(entry, "decision", "rule");
  const type = textAt(entry, "action", "type");
  const path = textAt(entry, "action", "path");
  const is_network = type?.startsWith("net.") === true || type?.startsWith("unix.") === true;
  return present({
    finding_info: present({
      uid: decisionId(entry) ?? entry.entry_id,
      title: messageOf(entry),
      desc: textAt(entry, "decision", "reason") ?? textAt(entry, "action", "detail"),
      types: type === undefined ? undefined : [type],
      created_time: millisecondsOf(entry.time),
      analytic: rule === undefined ? undefined : { name: rule, type_id: 1, type: "Rule" },
    }),
    evidences: [present({
      name: typeOf(entry),
      actor: actorObject(entry),
      process: processObject(entry),
      file: path === undefined || is_network ? undefined : fileObject(path, typeOf(entry)),
      connection_info: is_network ? connectionObject(entry, typeOf(entry)) : undefined,
      dst_endpoint: is_network ? endpointObject(entry) : undefined,
    })],
    is_alert: true,
  });
}

/** The guard itself, or the agent whose session it is. */
function appOf(entry: Entry): OcsfObject {
  const agent = textAt(entry, "action", "agent");
  return { name: agent ?? "agentguard", vendor_name: agent === undefined ? "agentguard" : "unknown" };
}

function apiMembers(entry: Entry, options: OcsfOptions): OcsfObject {
  const server = textAt(entry, "action", "server");
  return {
    actor: actorObject(entry),
    api: present({
      operation: textAt(entry, "action", "tool") ?? typeOf(entry),
      service: server === undefined ? undefined : { name: server },
    }),
    src_endpoint: { hostname: options.host },
  };
}

/** What the schema has no place for; with `prev` the entry can be found in the record's own chain. */
function unmapped(entry: Entry, class_name: OcsfClassName): OcsfObject {
  const mapped = MAPPED[class_name];
  const action = Object.entries(entry.action ?? {}).filter(([member]) => !mapped.includes(member));
  return present({
    kind: entry.kind,
    prev: entry.prev,
    boot_id: entry.boot_id,
    action: action.length === 0 ? undefined : Object.fromEntries(action),
    decision: entry.decision,
    outcome: entry.outcome,
    gap: entry.gap,
  });
}
