/** The guard as its user sees it: a policy file, a state directory, a runtime directory, the executable. */
import type { Subprocess } from "bun";
import { mkdir, writeFile } from "node:fs/promises";
import type { Action, ActionType, Entry } from "../../lib/core/mod.ts";
import { EXECUTABLE } from "./paths.ts";
import { type Finished, PLAIN_ENVIRONMENT, run, type RunOptions } from "./run.ts";
import { TempDir } from "./temp.ts";

/** Observes everything and forbids nothing. */
export const ALLOW_ALL = `version = 1
name = "test"
mode = "enforce"

[default]
"*" = "allow"
`;

/** The same, and the command keeps all that it would have unguarded. */
export const UNCONFINED: string = `${ALLOW_ALL}
[guard]
privileges = "sudo"
baseline = "none"
`;

/** A guard that runs; killed with its tree at the end of the scope if it still does. */
export class RunningGuard implements AsyncDisposable {
  readonly process: Subprocess<"pipe", "pipe", "pipe">;
  #stdout = "";
  #stderr = "";
  readonly #readers: Promise<void>;

  constructor(process: Subprocess<"pipe", "pipe", "pipe">) {
    this.process = process;
    this.#readers = this.#collect();
  }

  /** What it has said so far. */
  get stdout(): string {
    return this.#stdout;
  }

  /** What it has said so far. */
  get stderr(): string {
    return this.#stderr;
  }

  /** Waits for its end and the end of its output; the exit code, 128+n after signal n. */
  async ended(): Promise<number> {
    const code = await this.process.exited;
    await this.#readers;
    return code;
  }

  /** SIGTERM first, so that the guard takes its cgroup down; SIGKILL after 10 s. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill("SIGTERM");
    const timer = setTimeout(() => this.process.kill("SIGKILL"), 10_000);
    await this.process.exited;
    clearTimeout(timer);
  }

  async #collect(): Promise<void> {
    const stdout = async (): Promise<void> => {
      const decoder = new TextDecoder();
      for await (const chunk of this.process.stdout) this.#stdout += decoder.decode(chunk, { stream: true });
    };
    const stderr = async (): Promise<void> => {
      const decoder = new TextDecoder();
      for await (const chunk of this.process.stderr) this.#stderr += decoder.decode(chunk, { stream: true });
    };
    await Promise.all([stdout(), stderr()]);
  }
}

/** One policy with one state and one runtime directory, in a temporary directory. */
export class GuardSetup implements AsyncDisposable {
  readonly dir: TempDir;
  readonly policy: string;
  readonly state: string;
  readonly runtime: string;
  /** An empty directory for the guarded command. */
  readonly work: string;

  private constructor(dir: TempDir) {
    this.dir = dir;
    this.policy = dir.join("policy.toml");
    this.state = dir.join("state");
    this.runtime = dir.join("runtime");
    this.work = dir.join("work");
  }

  /** Writes the policy; the state and runtime directories are left to the guard. */
  static async create(policy: string = ALLOW_ALL): Promise<GuardSetup> {
    const setup = new GuardSetup(await TempDir.create());
    await writeFile(setup.policy, policy);
    await mkdir(setup.work);
    return setup;
  }

  /** The guard's own arguments for running the command. */
  argv(command: readonly string[], options: readonly string[] = []): readonly string[] {
    const own = ["--policy", this.policy, "--state", this.state, "--runtime", this.runtime];
    return [EXECUTABLE, ...own, ...options, "--", ...command];
  }

  /** Runs the command guarded, to its end, in the work directory unless told otherwise. */
  guard(
    command: readonly string[],
    options: RunOptions & { readonly flags?: readonly string[] } = {},
  ): Promise<Finished> {
    return run(this.argv(command, options.flags), { cwd: this.work, ...options });
  }

  /** Starts the command guarded. */
  start(command: readonly string[], flags: readonly string[] = []): RunningGuard {
    return this.#spawn(this.argv(command, flags));
  }

  /** Starts the daemon. */
  startDaemon(env: Readonly<Record<string, string>> = {}): RunningGuard {
    return this.#spawn(
      [EXECUTABLE, "--policy", this.policy, "--state", this.state, "--runtime", this.runtime],
      env,
    );
  }

  /** Runs another command of the executable on the same directories. */
  command(words: readonly string[]): Promise<Finished> {
    const env = { ...PLAIN_ENVIRONMENT, AGENTGUARD_STATE: this.state, AGENTGUARD_RUNTIME: this.runtime };
    return run([EXECUTABLE, ...words], { env });
  }

  /** Every entry of the record, in order. Throws with the command's words. */
  async entries(): Promise<readonly Entry[]> {
    const done = await run([EXECUTABLE, "audit", "query", "--state", this.state, "--json"]);
    if (done.exit_code !== 0) throw new Error(`audit query: exit ${done.exit_code}: ${done.stderr}`);
    return done.stdout.split("\n").filter((line) => line !== "").map((line): Entry => JSON.parse(line));
  }

  /** Runs `audit verify` on the record. */
  verify(): Promise<Finished> {
    return run([EXECUTABLE, "audit", "verify", "--state", this.state]);
  }

  /** Removes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.dir[Symbol.asyncDispose]();
  }

  #spawn(argv: readonly string[], env: Readonly<Record<string, string>> = {}): RunningGuard {
    return new RunningGuard(
      Bun.spawn([...argv], {
        cwd: this.work,
        env: { ...PLAIN_ENVIRONMENT, ...env },
        stdin: "pipe",
        stdout: "pipe",
        stderr: "pipe",
      }),
    );
  }
}

/** The member of the union that may have the type; the members have several types each. */
type ActionOf<A extends Action, T extends ActionType> = A extends Action
  ? T extends A["type"] ? A & { readonly type: T } : never
  : never;

/** An entry whose action is of the given type. */
export type EntryOf<T extends ActionType> = Entry & { readonly action: ActionOf<Action, T> };

/** True if the entry is about an action of this type. */
export function isAbout<T extends ActionType>(entry: Entry, type: T): entry is EntryOf<T> {
  return entry.action?.type === type;
}

/** The entries about actions of this type. */
export function about<T extends ActionType>(entries: readonly Entry[], type: T): readonly EntryOf<T>[] {
  return entries.filter((entry): entry is EntryOf<T> => isAbout(entry, type));
}

/** Decisions with the outcome that carries the same id. */
export function decided(
  entries: readonly Entry[],
): readonly { readonly decision: Entry; readonly outcomes: readonly Entry[] }[] {
  const decisions = entries.filter((entry) => entry.kind === "decision");
  return decisions.map((decision) => ({
    decision,
    outcomes: entries.filter((entry) =>
      entry.kind === "outcome" && entry.outcome?.decision_id === decision.decision?.decision_id
    ),
  }));
}
