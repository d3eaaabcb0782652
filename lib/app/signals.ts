/** Signals that this process receives on behalf of the guarded command. */
import { constants } from "node:os";

/** Signals that a user or a supervisor sends to a command. */
const FORWARDED = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGTERM",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
  "SIGALRM",
  "SIGCONT",
] as const;

/** Signals of job control: the guard stops when the command has stopped, not before. */
const WITH_COMMAND = ["SIGTSTP", "SIGTTIN", "SIGTTOU"] as const;

/**
 * Passes them on until disposed. What the caller had ignored (`ignored`: bit n-1 for signal n) stays ignored: nobody
 * expects the guard to pass it on.
 */
export function forwardSignals(forward: (signo: number) => void, ignored: bigint): Disposable {
  const listeners: { readonly name: NodeJS.Signals; readonly listener: () => void }[] = [];
  const listen = (name: NodeJS.Signals, listener: () => void): void => {
    process.on(name, listener);
    listeners.push({ name, listener });
  };
  for (const name of FORWARDED) {
    const signo = constants.signals[name];
    if (((ignored >> BigInt(signo - 1)) & 1n) === 0n) listen(name, () => forward(signo));
  }
  for (const name of WITH_COMMAND) listen(name, () => {});
  return {
    [Symbol.dispose](): void {
      for (const { name, listener } of listeners) process.off(name, listener);
    },
  };
}
