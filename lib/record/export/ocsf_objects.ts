/** Objects of OCSF. Source: ocsf-schema 1.8, `objects/`. A member that is not known is absent. */
import type { Entry } from "../../core/mod.ts";
import { baseName, commandLine, integerAt, textAt, textsAt } from "./fields.ts";

/** Part of an event. */
export type OcsfObject = Readonly<Record<string, unknown>>;

/** An object without its absent members; `undefined` if none is left. */
export function objectOf(members: OcsfObject): OcsfObject | undefined {
  const present = Object.entries(members).filter(([, value]) => value !== undefined);
  return present.length === 0 ? undefined : Object.fromEntries(present);
}

/** An object with a member that is always there. */
export function present(members: OcsfObject): OcsfObject {
  return objectOf(members) ?? {};
}

/** Kinds of files. Source: `objects/file.json`, `type_id`. */
const FILE_TYPES: Readonly<Record<string, readonly [number, string]>> = {
  "file.mkdir": [2, "Folder"],
  "file.rmdir": [2, "Folder"],
  "file.symlink": [7, "Symbolic Link"],
};

/** The file at `path`; its kind is not known unless the action says it. */
export function fileObject(path: string, type: string): OcsfObject {
  const [type_id, name] = FILE_TYPES[type] ?? [0, "Unknown"];
  return { name: baseName(path), path, type_id, type: name };
}

/** The process that acted; `undefined` where the entry names none. */
export function processObject(entry: Entry): OcsfObject | undefined {
  const { process } = entry;
  if (process === undefined) return undefined;
  const exe = textAt(entry, "process", "exe");
  const argv = textsAt(entry, "process", "argv");
  const uid = integerAt(entry, "process", "uid");
  const ppid = integerAt(entry, "process", "ppid");
  const container = textAt(entry, "process", "container_id");
  return present({
    pid: integerAt(entry, "process", "pid"),
    uid: processUid(entry, process.pid, process.start),
    name: exe === undefined ? undefined : baseName(exe),
    file: exe === undefined ? undefined : { name: baseName(exe), path: exe, type_id: 1, type: "Regular File" },
    cmd_line: argv === undefined ? undefined : commandLine(argv),
    working_directory: textAt(entry, "process", "cwd"),
    user: uid === undefined ? undefined : { uid: `${uid}` },
    parent_process: ppid === undefined ? undefined : { pid: ppid },
    container: container === undefined ? undefined : { uid: container },
  });
}

/** A process is its boot, its pid and its start: pids are used again. */
export function processUid(entry: Entry, pid: unknown, start: unknown): string {
  return `${entry.boot_id}/${String(pid)}/${String(start)}`;
}

/** Who acted: the process, the principal, the session. */
export function actorObject(entry: Entry): OcsfObject {
  const principal = textAt(entry, "entry", "principal");
  const session = textAt(entry, "entry", "session_id");
  return objectOf({
    process: processObject(entry),
    user: principal === undefined ? undefined : { name: principal, uid: principal },
    session: session === undefined ? undefined : { uid: session },
  }) ?? { app_name: "agentguard" };
}

/** Numbers of protocols. Source: IANA, "Assigned Internet Protocol Numbers". */
const PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, sctp: 132 };

/** The connection of a network action. */
export function connectionObject(entry: Entry, type: string): OcsfObject {
  const protocol = textAt(entry, "action", "protocol");
  const address = textAt(entry, "action", "address");
  const local = type.startsWith("unix.") || address?.startsWith("127.") === true || address === "::1";
  const inbound = type === "net.bind" || type === "net.listen";
  const [direction_id, direction] = local ? [4, "Local"] : inbound ? [1, "Inbound"] : [2, "Outbound"];
  return present({
    direction_id,
    direction,
    protocol_name: type.startsWith("unix.") ? "unix" : protocol,
    protocol_num: protocol === undefined ? undefined : PROTOCOLS[protocol],
    protocol_ver_id: address === undefined ? undefined : address.includes(":") ? 6 : 4,
  });
}

/** The other end of a connection, or the own end that waits for connections. */
export function endpointObject(entry: Entry): OcsfObject | undefined {
  return objectOf({
    ip: textAt(entry, "action", "address"),
    port: integerAt(entry, "action", "port"),
    hostname: textAt(entry, "action", "host"),
    name: textAt(entry, "action", "address") === undefined ? textAt(entry, "action", "path") : undefined,
  });
}

/** What a control did: identifiers and names of action and disposition. Source: `dictionary.json`. */
type Control = readonly [action_id: number, action: string, disposition_id: number, disposition: string];

const BY_LABEL: Readonly<Record<string, Control>> = {
  prevented: [2, "Denied", 2, "Blocked"],
  killed_before_effect: [2, "Denied", 2, "Blocked"],
  killed_after_effect: [2, "Denied", 99, "Killed After Effect"],
  held: [4, "Modified", 14, "Delayed"],
  allowed: [1, "Allowed", 1, "Allowed"],
  observed: [3, "Observed", 17, "Logged"],
  unenforceable: [1, "Allowed", 16, "No Action"],
  replied: [99, "Replied", 99, "Replied"],
  failed: [0, "Unknown", 27, "Error"],
};

const BY_VERDICT: Readonly<Record<string, Control>> = {
  allow: [1, "Allowed", 1, "Allowed"],
  deny: [2, "Denied", 2, "Blocked"],
  ask: [4, "Modified", 14, "Delayed"],
  redact: [4, "Modified", 11, "Corrected"],
  log: [3, "Observed", 17, "Logged"],
};

/** In observe mode what would have been stopped goes on. */
const DETECTED: Control = [3, "Observed", 15, "Detected"];

/** Members of the security control profile; `undefined` where nothing was decided. */
export function controlMembers(entry: Entry): OcsfObject | undefined {
  const label = textAt(entry, "outcome", "label");
  const verdict = textAt(entry, "decision", "verdict");
  const decided = textAt(entry, "decision", "would") === undefined ? BY_VERDICT[verdict ?? ""] : DETECTED;
  const control = label === undefined ? decided : BY_LABEL[label] ?? decided;
  if (control === undefined) return undefined;
  const [action_id, action, disposition_id, disposition] = control;
  const generation = integerAt(entry, "decision", "policy", "generation");
  const policy = objectOf({
    name: textAt(entry, "decision", "policy", "name"),
    uid: textAt(entry, "decision", "policy", "digest"),
    version: generation === undefined ? undefined : `${generation}`,
  });
  return present({ action_id, action, disposition_id, disposition, policy });
}
