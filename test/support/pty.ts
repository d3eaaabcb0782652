/** Programs on a pseudo-terminal. */
import { join } from "node:path";
import { PYTHON } from "./paths.ts";
import { PLAIN_ENVIRONMENT, run } from "./run.ts";

/** What the person at the terminal does next. */
export type PtyStep =
  | { readonly expect: string }
  | { readonly send: string }
  /** Waits for the pattern and types its first group and a line break. */
  | { readonly reply: string }
  | { readonly resize: readonly [rows: number, columns: number] };

/** How the program on the terminal ended. */
export interface PtyResult {
  /** 128+n after signal n. */
  readonly exit_code: number;
  /** Everything that the terminal showed. */
  readonly transcript: string;
}

/** How the program is run. */
export interface PtyOptions {
  readonly cwd?: string;
  /** After this time the program is ended and the call throws, seconds; default 30. */
  readonly deadline_s?: number;
}

/** Runs the program on a new terminal of 24 rows and 80 columns and follows the steps. Throws where a step fails. */
export async function runOnPty(
  argv: readonly string[],
  steps: readonly PtyStep[],
  options: PtyOptions = {},
): Promise<PtyResult> {
  const deadline_s = options.deadline_s ?? 30;
  const task = {
    argv,
    steps,
    cwd: options.cwd ?? "/",
    env: { ...PLAIN_ENVIRONMENT, TERM: "dumb", PS1: "prompt> " },
    rows: 24,
    columns: 80,
    deadline_s,
  };
  const done = await run([PYTHON, "-I", "-S", join(import.meta.dir, "pty_run.py")], {
    stdin: new TextEncoder().encode(JSON.stringify(task)),
    deadline_ms: (deadline_s + 10) * 1000,
  });
  if (done.exit_code !== 0) throw new Error(`run ${argv.join(" ")} on a terminal: ${done.stderr}`);
  const result: PtyResult & { readonly failed: string | null } = JSON.parse(done.stdout);
  if (result.failed !== null) {
    throw new Error(`run ${argv.join(" ")} on a terminal: ${result.failed}; it showed: ${result.transcript}`);
  }
  return result;
}
