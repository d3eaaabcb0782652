/** Where a bench works: a temporary directory on disk with the compiled workloads and a copy of the executable. */

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { mustRun } from "../support/command.ts";
import { inRoot } from "../support/paths.ts";

/** The C programs of this folder. */
export type Workload = "operations" | "flood" | "stopwatch" | "stamp" | "hold" | "loop" | "true" | "answer";

const WORKLOADS: readonly Workload[] = ["operations", "flood", "stopwatch", "stamp", "hold", "loop", "true", "answer"];

/** What a finished program left behind. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How many of what a bench measures. */
export interface Effort {
  /** Fewer of everything: for checking that the benches work. */
  readonly quick: boolean;
}

/** A temporary directory; disposing removes it. */
export class Workshop implements Disposable {
  readonly directory: string;
  readonly effort: Effort;
  /** CPU that workloads are pinned to. */
  readonly work_cpu: number = 0;
  /** CPU that guards are pinned to where a bench keeps them apart; the same one if there is no other. */
  readonly guard_cpu: number = availableParallelism() > 1 ? 1 : 0;
  #next = 1;

  private constructor(directory: string, effort: Effort) {
    this.directory = directory;
    this.effort = effort;
  }

  /** Compiles the workloads and copies the executable, so that a build during the bench changes nothing. */
  static async open(effort: Effort): Promise<Workshop> {
    const executable = inRoot("dist", "agentguard");
    if (!existsSync(executable)) throw new Error(`run scripts/build.sh first: ${executable} is missing`);
    if (process.getuid?.() !== 0) throw new Error("run the benches as root: guarding needs BPF and cgroups");
    const shop = new Workshop(realpathSync(mkdtempSync(join(tmpdir(), "agentguard-bench-"))), effort);
    try {
      mkdirSync(shop.path("bin"));
      copyFileSync(executable, shop.executable);
      for (const name of WORKLOADS) {
        const source = inRoot("scripts", "bench", `${name}.c`);
        await mustRun(["gcc", "-O2", "-static", "-Wall", "-Wextra", "-Werror", source, "-o", shop.workload(name)]);
      }
      writeFileSync(shop.path("plain.toml"), policyText({ rules: 0 }));
      writeFileSync(shop.path("few.toml"), policyText({ rules: 8 }));
      writeFileSync(shop.path("called.toml"), policyText({ rules: 8 }) + OF_PROC);
      writeFileSync(shop.path("rules.toml"), policyText({ rules: 1_000 }));
      writeFileSync(shop.path("watching.toml"), policyText({ rules: 1_000, observe: true }));
      return shop;
    } catch (error) {
      shop[Symbol.dispose]();
      throw error;
    }
  }

  /** The guard. */
  get executable(): string {
    return this.path("bin", "agentguard");
  }

  /** A compiled workload. */
  workload(name: Workload): string {
    return this.path("bin", name);
  }

  /** A path inside. */
  path(...names: readonly string[]): string {
    return join(this.directory, ...names);
  }

  /** A path inside that nobody has used. */
  fresh(prefix: string): string {
    return this.path(`${prefix}-${this.#next++}`);
  }

  /**
   * A policy file: without rules, with 8 of all kinds (`called`: and one for which reads wait by their calls), with
   * 1,000 (`watching`: in mode observe); none ever matches.
   */
  policy(rules: "plain" | "few" | "called" | "rules" | "watching"): string {
    return this.path(`${rules}.toml`);
  }

  /** A fresh state directory and the guard's arguments that name it. */
  guardArguments(policy: string): { readonly state: string; readonly argv: readonly string[] } {
    const state = this.fresh("state");
    const argv = [this.executable, "--policy", policy, "--state", state, "--runtime", `${state}-runtime`];
    return { state, argv };
  }

  /** Removes what a guard has left on disk. */
  discard(state: string): void {
    for (const path of [state, `${state}-runtime`]) rmSync(path, { recursive: true, force: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Pins a command. */
export function onCpu(cpu: number, argv: readonly string[]): readonly string[] {
  return ["taskset", "-c", String(cpu), ...argv];
}

/** A command that is told to end when the bench dies, however it dies: no guard stays behind. */
export function owned(argv: readonly string[]): string[] {
  return ["setpriv", "--pdeathsig", "TERM", ...argv];
}

/** Milliseconds that a command has to end after SIGTERM. */
const GRACE_MS = 15_000;

/** Characters of a failed command's output that an error repeats. */
const WORDS_MAX = 2_000;

/**
 * Runs a command to its end; throws with its words if it fails, or is not done after `timeout_ms`. SIGTERM comes before
 * SIGKILL, so that a guard can take its cgroup down.
 */
export async function runToEnd(argv: readonly string[], timeout_ms: number): Promise<Finished> {
  const child = Bun.spawn(owned(argv), { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  let late = false;
  const soft = setTimeout(() => {
    late = true;
    child.kill("SIGTERM");
  }, timeout_ms);
  const hard = setTimeout(() => child.kill("SIGKILL"), timeout_ms + GRACE_MS);
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  clearTimeout(soft);
  clearTimeout(hard);
  const words = `${stderr}${stdout}`.trimEnd().slice(0, WORDS_MAX);
  if (late) throw new Error(`${argv.join(" ")}: not done after ${timeout_ms} ms\n${words}`);
  if (code !== 0) throw new Error(`${argv.join(" ")}: exit code ${code}\n${words}`);
  return { code, stdout, stderr };
}

/** What the stopwatch measured. */
export interface Lap {
  /** CLOCK_MONOTONIC, nanoseconds. */
  readonly from_ns: number;
  readonly wall_ms: number;
  /** Processor time of the command and of all descendants that were waited for, milliseconds. */
  readonly cpu_ms: number;
}

/** Reads and removes the file that the stopwatch wrote. */
export function readLap(file: string): Lap {
  const value: unknown = JSON.parse(readFileSync(file, "utf8"));
  rmSync(file);
  const from_ns = numberField(value, "from_ns");
  return {
    from_ns,
    wall_ms: (numberField(value, "to_ns") - from_ns) / 1e6,
    cpu_ms: numberField(value, "cpu_us") / 1000,
  };
}

/** A number in a JSON object; throws where there is none. */
export function numberField(value: unknown, name: string): number {
  const field = fieldOf(value, name);
  if (typeof field !== "number") throw new Error(`read a result: no number called ${name} in ${JSON.stringify(value)}`);
  return field;
}

/** A rule that fanotify cannot keep. */
const OF_PROC =
  '[[rules]]\nname = "proc"\nenforce = "best"\naction = "file.read"\npath = "/proc/none"\nverdict = "deny"\n';

/** A field of a JSON object; `undefined` where there is none. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}

/** What a guard says at its end about actions, calls that waited for it, and losses; throws where it says nothing. */
export function guardSummary(
  stderr: string,
): { readonly actions: number; readonly held: number; readonly lost: number } {
  const found = /(\d+) actions seen, (?:(\d+) held, )?.*?(\d+) lost/.exec(stderr);
  if (found === null) throw new Error(`read the guard's summary line: there is none in\n${stderr}`);
  return { actions: Number(found[1]), held: Number(found[2] ?? 0), lost: Number(found[3]) };
}

/** A policy that lets everything through, with `rules` rules spread over the kinds of predicates; none ever matches. */
export function policyText(
  options: { readonly rules: number; readonly agent?: string; readonly observe?: boolean },
): string {
  const lines = ["version = 1", `name = "bench"`, `mode = "enforce"`, "[default]", `"*" = "allow"`];
  if (options.agent !== undefined) lines.push("[[agent]]", `name = "bench"`, `exe = ${JSON.stringify(options.agent)}`);
  // "best": not every kind of rule can be prevented everywhere, and the guard would refuse to start.
  for (let i = 0; i < options.rules; i++) {
    const how = options.observe === true ? `mode = "observe"` : `enforce = "best"`;
    lines.push("[[rules]]", `name = "rule-${i}"`, how, ...ruleLines(i));
  }
  return `${lines.join("\n")}\n`;
}

function ruleLines(i: number): readonly string[] {
  const deny = `verdict = "deny"`;
  switch (i % 8) {
    case 0:
      return [`action = "file.*"`, `path = "/srv/data${i}/**"`, deny];
    case 1:
      return [`action = ["file.read", "file.write"]`, `path = "~/.secret${i}/**"`, deny];
    case 2:
      return [`action = "file.read"`, `path = "**/key${i}.pem"`, deny];
    case 3:
      return [`action = "file.write"`, `path = "/etc/app${i}/*.conf"`, deny];
    case 4:
      return [`action = "exec"`, `exe = "tool${i}"`, `argv = ["push", "..."]`, deny];
    case 5:
      return [`action = "exec"`, `exe = "/opt/pkg${i}/bin/run"`, deny];
    case 6:
      return [`action = "net.*"`, `address = "10.${(i >> 8) & 255}.${i & 255}.0/24"`, `port = "1-1023"`, deny];
    default:
      return [`action = "file.*"`, `path = "/home/*/work${i}/**"`, `except = { path = "**/*.md" }`, deny];
  }
}
