/** `agentguard` without a command: guards the agents that it finds, in the foreground. */
import { readFileSync } from "node:fs";
import { findCgroup2, SessionCgroup } from "../act/mod.ts";
import type { Config } from "../config/mod.ts";
import { type Clock, errorMessage, type Log, type SessionInfo } from "../core/mod.ts";
import { notifySupervisor } from "../../ffi/mod.ts";
import { systemTimers } from "../task/mod.ts";
import type { DaemonCommand } from "./command.ts";
import { requireEnforceable } from "./enforceable.ts";
import { Guard } from "./guard.ts";
import type { ReaderThread } from "./reader_thread.ts";
import type { LoadedPolicy } from "./policy_files.ts";
import { PolicyWatch } from "./policy_watch.ts";
import type { SessionEvent } from "./reader_protocol.ts";

/** What the daemon needs beside its command line. */
export interface DaemonParts {
  readonly config: Config;
  readonly policy: LoadedPolicy;
  readonly log: Log;
  readonly clock: Clock;
  readonly version: string;
  /** Spawned, not open yet. */
  readonly reader: ReaderThread;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** How long a process that has ended may take to leave its cgroup, milliseconds. */
const EMPTY_MS_MAX = 5_000;

/** An agent in its cgroup. */
interface Guarded {
  readonly session: SessionInfo;
  readonly cgroup: SessionCgroup | undefined;
  /** Where its root was before, below the mount point. */
  readonly came_from: string;
}

/** Guards until SIGTERM or SIGINT; returns the exit code. Throws what kept it from starting. */
export async function commandDaemon(command: DaemonCommand, parts: DaemonParts): Promise<number> {
  const daemon = new Daemon(parts);
  const guard = await Guard.start({
    ...parts,
    policies: command.policies,
    home: undefined,
    found_running: true,
    onReader: (event) => daemon.receive(event),
  });
  try {
    return await daemon.run(guard, command.policies);
  } finally {
    daemon.release();
    await guard.close();
  }
}

class Daemon {
  readonly #parts: DaemonParts;
  readonly #by_scope: Map<number, Guarded> = new Map();
  /** Events are handled one after the other: a session ends after it began. */
  #work: Promise<void> = Promise.resolve();
  #guard: Guard | undefined;

  constructor(parts: DaemonParts) {
    this.#parts = parts;
  }

  async run(guard: Guard, policies: readonly string[]): Promise<number> {
    this.#guard = guard;
    const { log } = this.#parts;
    requireEnforceable(guard.snapshot, {
      support: guard.reader.support,
      cgroup: findCgroup2() !== undefined,
      watched: false,
      home: undefined,
      found_running: true,
    });
    const stopped = Promise.withResolvers<string>();
    const stop = (signal: string): void => stopped.resolve(signal);
    const reload = (): void => {
      void guard.reload().then((result) => {
        if (result.ok) log.info(`policy reloaded, generation ${result.value.ref.generation}`);
        else log.error(`policy generation ${guard.snapshot.ref.generation} stays in force: ${result.error.message}`);
        for (const pending of result.ok ? result.value.pending ?? [] : []) log.warn(pending);
      });
    };
    process.on("SIGTERM", stop);
    process.on("SIGINT", stop);
    process.on("SIGHUP", () => {
      guard.recorder.reopen();
      reload();
    });
    using watch = new PolicyWatch(policies, reload, { log, timers: systemTimers });
    watch.start();
    await guard.reader.search();
    if (guard.snapshot.agents.length === 0) {
      log.warn("the policy names no [[agent]]: nothing will be guarded until it does (agentguard help daemon)");
    }
    guard.note({ type: "guard.ready", detail: `${guard.snapshot.agents.length} agent patterns` });
    log.info(`ready, policy ${guard.snapshot.ref.name}, ${guard.snapshot.mode}`);
    notifySupervisor(this.#parts.env["NOTIFY_SOCKET"], "READY=1");
    const signal = await stopped.promise;
    log.info(`stopping after ${signal}`);
    notifySupervisor(this.#parts.env["NOTIFY_SOCKET"], "STOPPING=1");
    await this.#work;
    return 0;
  }

  /** Takes what the reader found. */
  receive(event: SessionEvent): void {
    this.#work = this.#work.then(() => event.event === "agent" ? this.#begin(event) : this.#end(event.scope)).catch(
      (error: unknown) => this.#parts.log.error(`guard an agent: ${errorMessage(error)}`),
    );
  }

  /** Agents go on after an orderly stop, unguarded, where they came from. */
  release(): void {
    for (const { cgroup, came_from } of this.#by_scope.values()) {
      cgroup?.release(came_from);
      cgroup?.remove();
    }
  }

  async #begin(event: Extract<SessionEvent, { event: "agent" }>): Promise<void> {
    const guard = this.#guard;
    if (guard === undefined) return;
    const { scope, process } = event;
    const came_from = cgroupOf(process.pid);
    const cgroup = guard.makeCgroup(event.session.session_id);
    const session: SessionInfo = {
      ...event.session,
      ...(cgroup === undefined ? undefined : { cgroup: cgroup.path }),
    };
    this.#by_scope.set(scope, { session, cgroup, came_from });
    guard.sessions.add(scope, session, cgroup);
    this.#parts.log.info(`guarding ${session.agent}, pid ${process.pid}, session ${session.session_id}`);
    for (const pid of cgroup === undefined ? [] : event.pids) {
      try {
        cgroup?.enter(pid);
      } catch (error) {
        this.#parts.log.debug(`move process ${pid}: ${errorMessage(error)}`);
      }
    }
    await guard.reader.begin({
      scope,
      session,
      ...(cgroup === undefined ? undefined : { cgroup: { directory: cgroup.directory, id: String(cgroup.id) } }),
    });
  }

  async #end(scope: number): Promise<void> {
    const guarded = this.#by_scope.get(scope);
    const guard = this.#guard;
    if (guarded === undefined || guard === undefined) return;
    // The last exit is reported a moment before the process leaves its cgroup. Who is still there after that came from
    // outside, belongs to the session now, and will be reported too when it ends.
    if (guarded.cgroup !== undefined && !(await guarded.cgroup.emptyWithin(EMPTY_MS_MAX))) return;
    this.#by_scope.delete(scope);
    await guard.reader.end(scope, {});
    guard.sessions.ended(guarded.session.session_id, {});
    this.#parts.log.info(`${guarded.session.agent} ended, session ${guarded.session.session_id}`);
  }
}

/** cgroup v2 path of a process below the mount point; the root where it has ended. */
function cgroupOf(pid: number): string {
  try {
    return /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, "utf8"))?.[1] ?? "/";
  } catch {
    return "/";
  }
}
