/** Short ways to policies and events for the tests of the policy language. */
import type { Action, Event, ProcessInfo, SessionInfo } from "../../../lib/core/mod.ts";
import { formatDiagnostic, loadPolicy, type PolicySnapshot } from "../../../lib/decide/mod.ts";

const encoder = new TextEncoder();

/** The snapshot of the layers, which are named `a.toml`, `b.toml`, ...; throws with the findings. */
export function load(...layers: readonly string[]): PolicySnapshot {
  const loaded = loadPolicy(sources(layers), { generation: 3 });
  if (loaded.ok) return loaded.value;
  throw new Error(loaded.error.map((finding) => formatDiagnostic(finding)).join("\n"));
}

/** What is said of layers that cannot be used, formatted; throws if they can. */
export function findings(...layers: readonly string[]): readonly string[] {
  const loaded = loadPolicy(sources(layers), { generation: 3 });
  if (loaded.ok) throw new Error("the policy loads");
  return loaded.error.map((finding) => formatDiagnostic(finding));
}

function sources(layers: readonly string[]): readonly { readonly file: string; readonly bytes: Uint8Array }[] {
  return layers.map((text, i) => ({ file: `${"abcdef".charAt(i)}.toml`, bytes: encoder.encode(text) }));
}

/** An enforcing file with these lines after its head. */
export function enforcing(...lines: readonly string[]): string {
  return ["version = 1", ...lines].join("\n");
}

/** A rule in TOML, on one line. */
export function rule(name: string, body: string): string {
  return `[[rules]]\nname = "${name}"\n${body}`;
}

/** A session whose user has this home. */
export function session(fields: Partial<SessionInfo> = {}): SessionInfo {
  return {
    session_id: "01J" as SessionInfo["session_id"],
    agent: "claude",
    principal: "alice",
    root: { pid: 1, start: "1" },
    home: "/home/u",
    ...fields,
  };
}

/** An event of the usual session and process. */
export function event(
  action: Action,
  parts: { readonly session?: SessionInfo; readonly process?: ProcessInfo } = {},
): Event {
  return {
    time_us: 0,
    session: session(),
    process: { pid: 7, start: "7", uid: 1000, exe: "/usr/bin/node", cwd: "/work" },
    action,
    ...parts,
  };
}

/** An event without session and process. */
export function bare(action: Action): Event {
  return { time_us: 0, action };
}

/** A read of a file. */
export function read(path: string, requested_path?: string): Action {
  return { type: "file.read", path, result: "0", ...(requested_path === undefined ? {} : { requested_path }) };
}

/** A program start. */
export function exec(path: string, ...args: readonly string[]): Action {
  return { type: "exec", path, argv: [path, ...args] };
}

/** A TCP connection. */
export function connect(address: string, port = 443): Action {
  return { type: "net.connect", address, port, protocol: "tcp" };
}
