/** Opens for reading that wait by fanotify: decided, let go, refused and asked about like held calls. */
import { readFileSync } from "node:fs";
import { callMark, processStart } from "../act/mod.ts";
import {
  AgentguardError,
  type Clock,
  type DecisionId,
  errorMessage,
  type Event,
  type SessionId,
  type SessionInfo,
} from "../core/mod.ts";
import type { PolicySnapshot } from "../decide/mod.ts";
import {
  type Epoll,
  type HeldCalls,
  type HeldChange,
  type Shim,
  type SystemCalls,
  type WatchedOpen,
  WatchedOpens,
} from "../../ffi/mod.ts";
import { type HeldCallers, opensForReading, watchedOpenEvent } from "../source/mod.ts";
import type { HeldDecisions } from "./held_decisions.ts";
import type { HeldWork, Released, ReleaseTerms } from "./held_work.ts";
import { grantKey, type HolderMaps } from "./holder_protocol.ts";
import { type Mount, parseMounts } from "./mount_table.ts";
import { WatchedNames } from "./watched_names.ts";

/** What answering needs. */
export interface WatchedReadsParts {
  readonly shim: Shim;
  readonly system: SystemCalls;
  readonly calls: HeldCalls;
  readonly callers: HeldCallers;
  readonly maps: HolderMaps;
  readonly clock: Clock;
  readonly decisions: HeldDecisions;
  readonly epoll: Epoll;
  readonly count: (name: "held" | "answered", by: number) => void;
  /** Somebody waited about whom nothing could be found out, and was refused. */
  readonly onUnread: (session: SessionInfo, errno: string) => void;
}

const EFD_NONBLOCK_CLOEXEC = 0o2004000;
/** What reading about a caller says that has ended. */
const GONE: ReadonlySet<string> = new Set(["ENOENT", "ESRCH"]);

interface Watched {
  readonly session: SessionInfo;
  readonly opens: WatchedOpens;
  readonly mounts: readonly Mount[];
  names: WatchedNames;
}

/** The watched sessions of one thread. */
export class WatchedReads implements Disposable {
  readonly #parts: WatchedReadsParts;
  /** By the eventfd that says that something waits. */
  readonly #by_ready: Map<number, Watched> = new Map();
  readonly #count = new Uint8Array(8);

  constructor(parts: WatchedReadsParts) {
    this.#parts = parts;
  }

  /**
   * Watches what `process` and its descendants read: it waits before its exec, alone in its mount namespace. Throws
   * `unsupported` where that is not possible; then nothing is watched. Gives the descriptor that must stay open as
   * long as nothing may go on unanswered.
   */
  begin(
    session: SessionInfo,
    process: number,
    { snapshot, home }: { readonly snapshot: PolicySnapshot; readonly home: string | undefined },
  ): number {
    const { shim, system, epoll, calls } = this.#parts;
    const mounts = parseMounts(mountsOf(process));
    const names = new WatchedNames(snapshot, home, mounts);
    const ready_fd = system.must("create eventfd", "eventfd2", 0, EFD_NONBLOCK_CLOEXEC);
    try {
      const opens = new WatchedOpens(shim, process, { ready_fd, table: names.table() });
      this.#by_ready.set(ready_fd, { session, opens, mounts, names });
      epoll.add(ready_fd);
      calls.watch(opens);
      return opens.group_fd;
    } catch (error) {
      this.#close(ready_fd);
      throw error;
    }
  }

  /** Decides by another policy, also about what was passed over. */
  setPolicy(snapshot: PolicySnapshot, home: string | undefined): void {
    for (const watched of this.#by_ready.values()) {
      watched.names = new WatchedNames(snapshot, home, watched.mounts);
      watched.opens.setTable(watched.names.table());
    }
  }

  /**
   * Takes what waits where `ready_fd` is the eventfd of a session; false where it is not. Throws `io` where a session's
   * opens are not all watched any more.
   */
  take(ready_fd: number): boolean {
    const watched = this.#by_ready.get(ready_fd);
    if (watched === undefined) return false;
    this.#parts.system.read(ready_fd, this.#count);
    const { opens, session } = watched;
    for (;;) {
      const taken = opens.take();
      switch (taken.kind) {
        case "none":
          return true;
        case "failed":
          throw new AgentguardError("io", `watch opens by fanotify: ${taken.errno}`);
        case "unread":
          opens.answer(taken.fd, { allow: false });
          if (!GONE.has(taken.errno)) this.#parts.onUnread(session, taken.errno);
          break;
        case "open":
          this.#decide(ready_fd, watched, taken.open);
      }
    }
  }

  /** Does what gives objects other names: nobody passes over them meanwhile. */
  renaming<T>(change: HeldChange, perform: () => T): T {
    const { calls } = this.#parts;
    const all = change.directory;
    const [first, second] = [calls.object(change, "first"), calls.object(change, "second")];
    for (const { opens } of this.#by_ready.values()) opens.bar(first, second, { all });
    try {
      return perform();
    } finally {
      for (const { opens } of this.#by_ready.values()) opens.unbar();
    }
  }

  /** Nobody of the session is left: what still waits is refused. */
  end(session_id: SessionId, by: string): void {
    for (const [ready_fd, { session }] of this.#by_ready) {
      if (session.session_id !== session_id) continue;
      this.#parts.decisions.refuseAll(by, ready_fd);
      this.#parts.epoll.remove(ready_fd);
      this.#close(ready_fd);
    }
  }

  /** Nobody decides any more: what waits and what a rule could be about is refused until the sessions are ended. */
  refuse(by: string): void {
    for (const [ready_fd, { opens }] of this.#by_ready) {
      opens.refuse();
      this.#parts.decisions.refuseAll(by, ready_fd);
    }
  }

  /** Ends every watch: what comes later goes on. */
  [Symbol.dispose](): void {
    for (const { session } of [...this.#by_ready.values()]) this.end(session.session_id, "guard-stop");
  }

  #close(ready_fd: number): void {
    const opens = this.#by_ready.get(ready_fd)?.opens;
    if (opens !== undefined) this.#parts.calls.unwatch(opens);
    opens?.[Symbol.dispose]();
    this.#by_ready.delete(ready_fd);
    this.#parts.system.close(ready_fd);
  }

  #decide(ready_fd: number, watched: Watched, open: WatchedOpen): void {
    const { callers, clock, decisions, count } = this.#parts;
    const { opens, session } = watched;
    if (watched.names.learn(open)) opens.setTable(watched.names.table());
    if (!opensForReading(open)) {
      // Writing and starting are held by their calls, where a rule may be about them.
      opens.answer(open.fd, { allow: true });
      return;
    }
    count("held", 1);
    const start = callers.start(open.tgid) ?? processStart(open.tgid);
    const event = watchedOpenEvent({ time_us: clock.wallUs(), session, start, open });
    decisions.submit(this.#work(ready_fd, opens, { open, event }), watched.names.ruling(event, open));
    count("answered", 1);
  }

  #work(
    ready_fd: number,
    opens: WatchedOpens,
    { open, event }: { readonly open: WatchedOpen; readonly event: Event },
  ): HeldWork {
    const waits = (): boolean => isAlive(open.tid);
    return {
      listener: ready_fd,
      mechanism: "fanotify",
      call: { tgid: open.tgid },
      event,
      waits,
      release: (terms) => this.#release(opens, open, terms),
      refuse: (decided) => {
        const there = waits();
        if (there) this.#mark(open, decided, { refused: true });
        opens.answer(open.fd, { allow: false });
        return there;
      },
    };
  }

  #release(opens: WatchedOpens, open: WatchedOpen, { decided }: ReleaseTerms): Released {
    const there = decided === undefined || isAlive(open.tid);
    try {
      if (decided !== undefined && there) this.#mark(open, decided, { refused: false });
    } catch (error) {
      return { kind: "unsafe", reason: errorMessage(error) };
    }
    opens.answer(open.fd, { allow: true });
    return { kind: there ? "released" : "gone" };
  }

  /** Tells the probes whose decision the record of this open is. */
  #mark(open: WatchedOpen, decided: DecisionId, how: { readonly refused: boolean }): void {
    const { calls, maps } = this.#parts;
    if (open.nr < 0) return; // no system call of the caller's own: it has no record that could be joined
    calls.grant(maps.grants_fd, grantKey(maps, open), callMark(open.nr, decided, how));
  }
}

function mountsOf(process: number): string {
  try {
    return readFileSync(`/proc/${process}/mountinfo`, "utf8");
  } catch (cause) {
    throw new AgentguardError("io", `read the mounts of process ${process}: ${errorMessage(cause)}`, { cause });
  }
}

/** The thread has not ended: it waits for its answer, and nothing but its end takes it away. */
function isAlive(tid: number): boolean {
  try {
    // The state follows the name, which may hold anything (fs/proc/array.c).
    const stat = readFileSync(`/proc/${tid}/stat`, "latin1");
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}
