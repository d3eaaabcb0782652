/** Running a program to its end. */
import { PYTHON } from "./paths.ts";

/** How a program ended and what it said. */
export interface Finished {
  /** 128+n after signal n. */
  readonly exit_code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly stdout_bytes: Uint8Array;
  readonly stderr_bytes: Uint8Array;
}

/** How a program is run. */
export interface RunOptions {
  readonly cwd?: string;
  /** The whole environment; default {@link PLAIN_ENVIRONMENT}. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: nothing, at its end at once. */
  readonly stdin?: Uint8Array;
  /** After this time the program is killed and the call throws, milliseconds; default 120,000. */
  readonly deadline_ms?: number;
}

/** A small environment, the same on every machine. */
export const PLAIN_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/nonexistent",
  LC_ALL: "C",
};

/** The command that runs a python3 program given as text, without site packages or user settings. */
export function python(program: string, ...args: readonly string[]): readonly string[] {
  return [PYTHON, "-I", "-S", "-c", program, ...args];
}

/** Runs the program, waits for its end and for the end of its output. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const child = Bun.spawn([...argv], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: options.env ?? PLAIN_ENVIRONMENT,
    stdin: options.stdin ?? "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const deadline_ms = options.deadline_ms ?? 120_000;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill("SIGKILL");
  }, deadline_ms);
  try {
    const [stdout_bytes, stderr_bytes] = await Promise.all([child.stdout.bytes(), child.stderr.bytes()]);
    const exit_code = await child.exited;
    const stderr = new TextDecoder().decode(stderr_bytes);
    if (late) throw new Error(`run ${argv.join(" ")}: not ended after ${deadline_ms} ms: ${stderr}`);
    return { exit_code, stdout: new TextDecoder().decode(stdout_bytes), stderr, stdout_bytes, stderr_bytes };
  } finally {
    clearTimeout(timer);
  }
}
