/** Running other programs: output is captured, a failure carries all of it. */

import { ROOT, toolEnvironment } from "./paths.ts";

/** What a finished command left behind. */
export interface CommandResult {
  /** The exit code; 128 + signal number after a signal, as shells count. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** True if it was ended because its time was over. */
  readonly timedOut: boolean;
}

/** How to run a command. */
export interface CommandOptions {
  /** Milliseconds until the command is killed; default 10 minutes. */
  readonly timeout_ms?: number;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs a command in the root of the repository, with no stdin. Never throws for a failing command. */
export async function runCommand(argv: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const timeout_ms = options.timeout_ms ?? 600_000;
  const child = Bun.spawn([...argv], {
    cwd: ROOT,
    env: { ...toolEnvironment(), ...options.environment },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeout_ms,
    killSignal: "SIGKILL",
  });
  const started_ms = performance.now();
  const [stdout, stderr, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  const timedOut = child.signalCode === "SIGKILL" && performance.now() - started_ms >= timeout_ms;
  return { code, stdout, stderr, timedOut };
}

/** Runs a command that must succeed; throws an error with its whole output otherwise. Returns its stdout. */
export async function mustRun(argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand(argv);
  if (code !== 0) throw new Error(`${argv.join(" ")}\nfailed with exit code ${code}:\n${stderr}${stdout}`.trimEnd());
  return stdout;
}
