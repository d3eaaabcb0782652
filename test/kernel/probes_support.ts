/** The real probes on the running kernel, driven without the rest of the product. */
import { readFileSync, writeFileSync } from "node:fs";
import { Epoll, openLibbpf, openShim, probeImage, RingMemory, SystemCalls } from "../../ffi/mod.ts";
import { KernelPolicy, SessionCgroup } from "../../lib/act/mod.ts";
import type { Action, DecodeError, Gap, LoweredPolicy, Observed } from "../../lib/core/mod.ts";
import { Decoder } from "../../lib/decode/mod.ts";
import { KernelProbes, NOTHING_HELD, RingReader } from "../../lib/source/mod.ts";
import { PLAIN_ENVIRONMENT, waitUntil } from "../support/mod.ts";

/** Nothing is forbidden and nothing asked. */
export const NO_POLICY: LoweredPolicy = {
  generation: 1,
  net: [],
  net_default: { "net.connect": "allow", "net.send": "allow", "net.bind": "allow" },
  exec: [],
  exec_default: "allow",
};

/** How a guarded program ended. */
export interface Ran {
  readonly pid: number;
  readonly scope: number;
  readonly exit_code: number | null;
  readonly signal: NodeJS.Signals | number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Everything that was recorded of its scope until now. */
  readonly records: readonly Observed[];
}

/** A program that is in a scope and waits to be let go. */
export class Stopped implements AsyncDisposable {
  readonly pid: number;
  readonly scope: number;
  readonly #probed: Probed;
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;

  constructor(probed: Probed, child: Bun.Subprocess<"pipe", "pipe", "pipe">, scope: number) {
    this.#probed = probed;
    this.#child = child;
    this.pid = child.pid;
    this.scope = scope;
  }

  /** Lets it start its program. */
  go(): void {
    void this.#child.stdin.write("\n");
    void this.#child.stdin.flush();
  }

  /** Writes to the program. */
  say(text: string): void {
    void this.#child.stdin.write(text);
    void this.#child.stdin.flush();
  }

  /** Its end, with what it said and what was recorded; the records are read while it runs. */
  async ended(): Promise<Ran> {
    void this.#child.stdin.end(); // not awaited: the records must be read meanwhile
    const said = Promise.all([this.#child.stdout.text(), this.#child.stderr.text(), this.#child.exited]);
    const ended = said.then(() => true);
    while (!(await Promise.race([ended, Bun.sleep(2).then(() => false)]))) this.#probed.drain();
    const [stdout, stderr] = await said;
    const { scope, pid } = this;
    await waitUntil(`the end of process ${pid} is recorded`, () => {
      this.#probed.drain();
      return this.#probed.of(scope).some((each) => each.pid === pid && each.action?.type === "process.exit");
    });
    const records = this.#probed.of(scope);
    return { pid, scope, exit_code: this.#child.exitCode, signal: this.#child.signalCode, stdout, stderr, records };
  }

  /** Ends it if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}

/** How a program is started. */
export interface StartOptions {
  readonly cwd?: string;
  readonly cgroup?: SessionCgroup;
}

/** Loaded and attached probes, and everything that they reported. */
export class Probed implements Disposable {
  readonly probes: KernelProbes;
  readonly policy: KernelPolicy;
  readonly gaps: Gap[] = [];
  readonly errors: DecodeError[] = [];
  /** Frames that were read. */
  frames = 0;
  readonly #records: Map<number, Observed[]> = new Map();
  readonly #reader: RingReader;
  readonly #epoll: Epoll;
  readonly #decoder = new Decoder();
  readonly #stack = new DisposableStack();
  #scope = 0;

  private constructor(probes: KernelProbes, reader: RingReader, epoll: Epoll, stack: DisposableStack) {
    this.probes = probes;
    this.#epoll = epoll;
    this.#reader = reader;
    this.#stack.use(stack);
    this.policy = new KernelPolicy((name) => probes.map(name), undefined, { teach: (each) => probes.teach(each) });
  }

  /** Loads; attaching is left to the caller. */
  static load(ring_bytes?: { readonly decisions: number; readonly telemetry: number }): Probed {
    const shim = openShim();
    const system = new SystemCalls(shim);
    const loaded = KernelProbes.load({
      bpf: openLibbpf(shim),
      shim,
      system,
      image: probeImage(),
      self_pid: process.pid,
      ...(ring_bytes === undefined ? {} : { ring_bytes }),
    });
    if (!loaded.ok) throw new Error(loaded.error.map((each) => `${each.group}: ${each.detail}`).join("\n"));
    const probes = loaded.value;
    const stack = new DisposableStack();
    stack.use(probes);
    const ring = (name: "decisions" | "telemetry"): RingMemory =>
      stack.use(new RingMemory(system, shim, { fd: probes.map(name).fd, size: probes.ring_bytes[name] }));
    const epoll = stack.use(new Epoll(system));
    for (const name of ["decisions", "telemetry"]) epoll.add(probes.map(name).fd);
    const reader = new RingReader({
      decisions: ring("decisions"),
      telemetry: ring("telemetry"),
      epoll,
      sleep: () => probes.requestWake(),
      nextSequence: (each) => probes.counters.nextSequence(each),
    });
    return new Probed(probes, reader, epoll, stack);
  }

  /** Waits as a reader that sleeps does; true where something woke it within `bound_ms`. */
  wake(bound_ms: number): boolean {
    return this.#epoll.wait(bound_ms);
  }

  /** Reads what there is. */
  drain(): void {
    this.#reader.drain(this.#sink());
    this.#decoder.endBatch((each) => this.#keep(each));
  }

  /** Detaches, reads to the end and compares with the kernel's own numbers. */
  finish(): void {
    this.probes.detach();
    this.#reader.finish(this.#sink());
    this.#decoder.finish((each) => this.#keep(each));
  }

  /** Records of a scope, by time. */
  of(scope: number): readonly Observed[] {
    return this.#records.get(scope) ?? [];
  }

  /** Losses that the programs counted since the last call. */
  losses(): Gap[] {
    const found: Gap[] = [];
    this.probes.counters.take((gap) => found.push(gap));
    return found;
  }

  /** A scope number that was not used yet. */
  newScope(): number {
    return ++this.#scope;
  }

  /** Starts a shell that waits for a line and then becomes the program; in a new scope before that. */
  async start(argv: readonly string[], options: StartOptions = {}): Promise<Stopped> {
    const scope = this.newScope();
    const child = Bun.spawn(["/bin/sh", "-c", 'read -r _ && exec "$@"', "sh", ...argv], {
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      env: PLAIN_ENVIRONMENT,
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
    });
    // Its own start must be over: a spawn returns while the kernel is still in it.
    await waitUntil(
      "the shell waits for its line",
      () => readFileSync(`/proc/${child.pid}/stat`, "utf8").includes(") S "),
    );
    options.cgroup?.enter(child.pid);
    this.probes.adoptStopped({
      pid: child.pid,
      scope,
      cgroup_id: options.cgroup?.id ?? 0n,
      start: 0n,
      held: NOTHING_HELD,
    });
    return new Stopped(this, child, scope);
  }

  /** Runs a program in a scope of its own to its end. */
  async run(argv: readonly string[], options: StartOptions = {}): Promise<Ran> {
    await using stopped = await this.start(argv, options);
    stopped.go();
    return await stopped.ended();
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }

  #sink(): Parameters<RingReader["drain"]>[0] {
    return {
      frame: (view, bytes, at, size) => {
        this.frames++;
        const decoded = this.#decoder.decode(view, bytes, at, size);
        if (!decoded.ok) this.errors.push(decoded.error);
        else if (decoded.value !== undefined) this.#keep(decoded.value);
      },
      gap: (gap) => this.gaps.push(gap),
    };
  }

  #keep(record: Observed): void {
    const known = this.#records.get(record.scope);
    if (known === undefined) this.#records.set(record.scope, [record]);
    else known.push(record);
  }
}

/** A cgroup with the network programs on it, removed with everything in it at the end. */
export class GuardedCgroup implements AsyncDisposable {
  readonly cgroup: SessionCgroup;
  readonly #links: DisposableStack = new DisposableStack();

  /** `names`: with the programs that learn from DNS answers. */
  constructor(probed: Probed, { names = false }: { readonly names?: boolean } = {}) {
    const made = SessionCgroup.create(`test-${process.pid}-${crypto.randomUUID()}`);
    if (!made.ok) throw new Error(made.error);
    this.cgroup = made.value;
    try {
      this.cgroup.withDescriptor((fd) => {
        this.#links.use(probed.probes.attachCgroup(fd, NOTHING_HELD));
        if (names) this.#links.use(probed.probes.attachNames(fd));
      });
    } catch (error) {
      this.#links[Symbol.dispose]();
      this.cgroup.remove();
      throw error;
    }
  }

  /** Whoever enters it from outside belongs to `scope` from now on. */
  own(probed: Probed, scope: number): void {
    const key = new Uint8Array(8);
    new DataView(key.buffer).setBigUint64(0, this.cgroup.id, true);
    const value = new Uint8Array(4);
    new DataView(value.buffer).setUint32(0, scope, true);
    probed.probes.map("cgroups").update(key, value);
  }

  /** Moves a process into the cgroup or one below it. */
  enter(pid: number, below = ""): void {
    writeFileSync(`${this.cgroup.directory}${below}/cgroup.procs`, String(pid));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#links[Symbol.dispose]();
    await this.cgroup.killAndWait(10_000);
    await waitUntil("the cgroup is removed", () => this.cgroup.remove());
  }
}

/** The actions of some types, in order. */
export function actions(records: readonly Observed[], ...types: readonly Action["type"][]): Action[] {
  return records.flatMap(({ action }) => (action !== undefined && types.includes(action.type) ? [action] : []));
}

/** The file actions below a directory, in order. */
export function below(records: readonly Observed[], directory: string): Action[] {
  const names = (action: Action): string[] => [
    ..."path" in action ? [action.path] : [],
    ..."new_path" in action ? [action.new_path] : [],
  ];
  return records.flatMap(({ action }) =>
    action !== undefined && action.type.startsWith("file.") &&
      names(action).some((path) => path === directory || path.startsWith(`${directory}/`))
      ? [action]
      : []
  );
}
