/** Events and entries that the kernel reader makes itself, of what no kernel record tells. */
import type {
  Clock,
  EntryDraft,
  Event,
  ProcessInfo,
  SessionAction,
  SessionInfo,
  StartedBaseline,
  WallUs,
} from "../core/mod.ts";
import { inheritedFiles } from "./inherited_files.ts";

/** Begin or end of a session, as its entry. */
export function sessionEntry(time_us: WallUs, session: SessionInfo, action: SessionAction): EntryDraft {
  return {
    time_us,
    kind: "session",
    session_id: session.session_id,
    principal: session.principal,
    process: session.root,
    action,
  };
}

/** The action of a session that begins. */
export function sessionStart(session: SessionInfo, baseline: StartedBaseline | undefined): SessionAction {
  return { type: "session.start", agent: session.agent, ...(baseline === undefined ? undefined : { baseline }) };
}

/** What the command holds open already, so that bytes through it have a decision to belong to. */
export function inheritedEvents(clock: Clock, session: SessionInfo, pid: number): Event[] {
  const { root } = session;
  return inheritedFiles(pid).map(({ action, file }) => ({
    time_us: clock.wallUs(),
    session,
    process: root,
    shown: root,
    action,
    file,
  }));
}

/** A process that was found running: an exec that nobody saw. */
export function snapshotEvent(time_us: WallUs, session: SessionInfo, process: ProcessInfo): Event {
  return {
    time_us,
    session,
    process,
    shown: process,
    action: {
      type: "exec",
      path: process.exe ?? "",
      argv: process.argv ?? [],
      ...(process.cwd === undefined ? undefined : { cwd: process.cwd }),
      flags: ["snapshot"],
    },
  };
}
