/** The log port. Nothing but its implementation in `lib/app` writes to a console. */

/** Severity, least first. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** Values that a log line may carry. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

/** Takes structured lines. Never throws, never blocks. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
}

/** Discards everything; for tests. */
export const silentLog: Log = { debug: noop, info: noop, warn: noop, error: noop };

function noop(): void {}
