/** The thread that answers held calls, started when a session first needs it. */
import { type ActionType, AgentguardError, type ApprovalPort } from "../core/mod.ts";
import { type PolicySnapshot, refusableActions } from "../decide/mod.ts";
import { checkRunning, type HostSupport } from "./enforceable.ts";
import type { HoldStatName } from "./holder_protocol.ts";
import { HolderThread } from "./holder_thread.ts";
import type { PolicyLoad } from "./reader_protocol.ts";
import type { ReaderThread } from "./reader_thread.ts";
import type { RecorderThread } from "./recorder_thread.ts";
import type { TallyReport } from "./tally_sink.ts";
import { unwatchable } from "./watched_policy.ts";

/** What it works with. */
export interface GuardHolderParts {
  readonly reader: ReaderThread;
  readonly recorder: RecorderThread;
  readonly approvals: ApprovalPort;
  readonly onTally: (reports: readonly TallyReport[]) => void;
  readonly onFailure: (reason: string) => void;
}

/** At most one thread for all sessions of a guard. */
export class GuardHolder {
  readonly #parts: GuardHolderParts;
  /** Actions whose calls running commands have waiting: their filters cannot be changed any more. */
  #held: ReadonlySet<ActionType> | undefined;
  #watches = false;
  #thread: Promise<HolderThread> | undefined;
  readonly #failed: Set<() => void> = new Set();
  #stats: (() => Record<HoldStatName, number>) | undefined;

  constructor(parts: GuardHolderParts) {
    this.#parts = parts;
  }

  /** The thread, deciding by `policy` where it is started now. Throws `io`. */
  async use(policy: PolicyLoad): Promise<HolderThread> {
    this.#thread ??= this.#start(policy);
    return await this.#thread;
  }

  /** What a running command reads waits by fanotify. */
  get watches(): boolean {
    return this.#watches;
  }

  /** Notes which actions a command that starts now has waiting for the guard; `watched`: reads by fanotify. */
  started(actions: ReadonlySet<ActionType>, { watched }: { readonly watched: boolean }): void {
    this.#watches ||= watched;
    const before = this.#held;
    this.#held = before === undefined ? actions : new Set([...before].filter((action) => actions.has(action)));
  }

  /**
   * What running commands would keep in another way under this policy than one that starts now: which of their calls
   * wait was settled at their start. Throws `unsupported` where they would not keep it.
   */
  check(snapshot: PolicySnapshot, host: HostSupport): readonly string[] {
    if (this.#held === undefined) return [];
    const unseen = this.#watches && refusableActions(snapshot).has("file.read") ? unwatchable(snapshot) : undefined;
    if (unseen === undefined) return checkRunning(snapshot, host, this.#held);
    throw new AgentguardError("unsupported", `reload the policy: ${unseen}; start the command again under this policy`);
  }

  /** Calls back when nobody answers held calls any more. */
  onFailed(callback: () => void): void {
    this.#failed.add(callback);
  }

  /** What became of held calls; `undefined` where none are held. */
  stats(): Readonly<Record<HoldStatName, number>> | undefined {
    return this.#stats?.();
  }

  /** Decides later calls by another policy. */
  async setPolicy(policy: PolicyLoad): Promise<void> {
    await (await this.#thread)?.setPolicy(policy);
  }

  /** Refuses what waits and ends the thread. */
  async close(): Promise<void> {
    await (await this.#thread)?.close();
  }

  async #start(policy: PolicyLoad): Promise<HolderThread> {
    const { reader, recorder, approvals, onTally, onFailure } = this.#parts;
    const thread = await HolderThread.start({
      policy,
      maps: reader.maps,
      recorder: recorder.connect(),
      past: await reader.connectPast(),
      reader_wake_fd: reader.wake_fd,
      approvals,
      onTally,
      onFailure: (reason) => {
        onFailure(reason);
        for (const callback of this.#failed) callback();
      },
    });
    this.#stats = () => thread.stats();
    return thread;
  }
}
