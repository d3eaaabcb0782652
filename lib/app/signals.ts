/** Signals that this process receives on behalf of the guarded command. */
import { constants } from "node:os";

/** Signals that a user or a supervisor sends to a command; those of faults and of job control stay with the guard. */
const FORWARDED = ["SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGALRM"] as const;

/** Passes them on until disposed. */
export function forwardSignals(forward: (signo: number) => void): Disposable {
  const listeners = FORWARDED.map((name) => {
    const listener = (): void => forward(constants.signals[name]);
    process.on(name, listener);
    return { name, listener };
  });
  return {
    [Symbol.dispose](): void {
      for (const { name, listener } of listeners) process.off(name, listener);
    },
  };
}
