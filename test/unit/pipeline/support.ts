/** A pipeline with a decider that is a function, an actor and a sink that remember. */
import {
  type Action,
  type Actor,
  type Decision,
  type EntryDraft,
  type Event,
  type Gap,
  IdGenerator,
  type KernelVerdict,
  type Outcome,
  type RecordSink,
  type Ruling,
  type SessionInfo,
  systemClock,
} from "../../../lib/core/mod.ts";
import { type ActivePolicy, Pipeline } from "../../../lib/pipeline/mod.ts";

const ids = new IdGenerator(systemClock);

/** The session of {@link event}s unless told otherwise. */
export const SESSION: SessionInfo = {
  session_id: ids.session(),
  agent: "claude",
  root: { pid: 1, start: "1" },
  principal: "alice",
};

/** Allowed by default. */
export const ALLOW: Ruling = { verdict: "allow", rule_index: -1, reason: "default", mode: "enforce" };

/** Denied by rule 2, `no`. */
export const DENY: Ruling = { verdict: "deny", rule: "no", rule_index: 2, reason: "off limits", mode: "enforce" };

/** What an event is about besides its action. */
export interface About {
  readonly pid?: number;
  readonly start?: string;
  readonly session?: SessionInfo | "none";
  readonly file?: { readonly dev: number; readonly ino: number };
  readonly kernel?: KernelVerdict;
}

/** An enriched action. */
export function event(action: Action, about: About = {}): Event {
  const shown = { pid: about.pid ?? 10, start: about.start ?? "100", exe: "/bin/x" };
  return {
    time_us: 1_000,
    ...(about.session === "none" ? {} : { session: about.session ?? SESSION }),
    process: { ...shown, argv: ["x"], cwd: "/" },
    shown,
    action,
    ...(about.file === undefined ? {} : { file: about.file }),
    ...(about.kernel === undefined ? {} : { kernel: about.kernel }),
  };
}

/** An open that succeeded. */
export function read(path: string, about: About = {}): Event {
  return event({ type: "file.read", path, result: "0" }, about);
}

/** Remembers what it was given; the number of entries that wait is set by hand. */
export class FakeSink implements RecordSink {
  readonly entries: EntryDraft[] = [];
  waiting = 0;

  append(draft: EntryDraft): void {
    this.entries.push(draft);
  }

  pending(): number {
    return this.waiting;
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  durable(): Promise<void> {
    return this.flush();
  }
}

/** Says `label`, and how many entries were recorded before it was asked. */
class FakeActor implements Actor {
  readonly performed: { readonly event: Event; readonly decision: Decision; readonly recorded: number }[] = [];
  readonly #sink: FakeSink;

  constructor(sink: FakeSink) {
    this.#sink = sink;
  }

  perform(event: Event, decision: Decision): Outcome {
    this.performed.push({ event, decision, recorded: this.#sink.entries.length });
    return { decision_id: decision.decision_id, label: "prevented", mechanism: "cgroup" };
  }
}

/** Everything together. */
export class Setup {
  readonly sink: FakeSink = new FakeSink();
  readonly actor: FakeActor = new FakeActor(this.sink);
  readonly losses: [Gap, SessionInfo | undefined][] = [];
  readonly pipeline: Pipeline;

  constructor(evaluate: (event: Event) => Ruling = () => ALLOW) {
    this.pipeline = new Pipeline({
      actor: this.actor,
      sink: this.sink,
      ids,
      policy: policy(1, evaluate),
      onLoss: (gap, session) => {
        this.losses.push([gap, session]);
      },
    });
  }

  /** Handles one event. */
  handle(event: Event): void {
    this.pipeline.handle({ kind: "event", event });
  }

  /** Handles bytes through a file. */
  bytes(ino: number, about: About = {}): void {
    const { session, shown } = read("/", about);
    if (shown === undefined) throw new Error("a process expected");
    this.pipeline.handle({
      kind: "bytes",
      time_us: 2_000,
      ...(session === undefined ? {} : { session }),
      shown,
      file: { dev: 1, ino },
      read_bytes: 5,
      written_bytes: 6,
    });
  }

  /** The kinds of what was recorded, in order. */
  get kinds(): string[] {
    return this.sink.entries.map((entry) => entry.kind);
  }
}

/** A policy whose rules 2 and 3 are `no` and `ask-first`; the kernel holds rule 2. */
export function policy(generation: number, evaluate: (event: Event) => Ruling): ActivePolicy {
  return {
    decider: { evaluate },
    ref: { name: "test", digest: "ab".repeat(32), generation },
    ruleName: (index) => (index === 2 ? "no" : index === 3 ? "ask-first" : undefined),
    hostOf: (index, hosts) => index === 2 ? hosts.find((host) => host.startsWith("api.")) : undefined,
    in_kernel: new Set([2]),
  };
}
