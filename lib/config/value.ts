/** Readers of single values: text from flags and environment, or typed values from TOML. */
import { posix } from "node:path";
import { err, type LogLevel, type Mode, ok, type Result } from "../core/mod.ts";

/** Reads one raw value. `base` is the directory that relative paths are below; without it they are errors. */
export type Parser<T> = (raw: unknown, base: string | undefined) => Result<T, string>;

const TRUE_WORDS: readonly string[] = ["1", "true", "yes", "on"];
const FALSE_WORDS: readonly string[] = ["0", "false", "no", "off"];
const MODES: readonly Mode[] = ["enforce", "observe"];
const LOG_LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

/** A boolean, or one of 1/0, true/false, yes/no, on/off. */
export const parseBoolean: Parser<boolean> = (raw) => {
  if (typeof raw === "boolean") return ok(raw);
  if (typeof raw === "string") {
    if (TRUE_WORDS.includes(raw.toLowerCase())) return ok(true);
    if (FALSE_WORDS.includes(raw.toLowerCase())) return ok(false);
  }
  return err(`use true or false, not ${shown(raw)}`);
};

/** `enforce` or `observe`. */
export const parseMode: Parser<Mode> = (raw) => oneOf(raw, MODES);

/** `debug`, `info`, `warn` or `error`. */
export const parseLogLevel: Parser<LogLevel> = (raw) => oneOf(raw, LOG_LEVELS);

/** A TCP port, 1-65535. */
export const parsePort: Parser<number> = (raw) => {
  const text = typeof raw === "number" ? String(raw) : raw;
  const port = typeof text === "string" && /^[0-9]{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? ok(port) : err(`use a port from 1 to 65535, not ${shown(raw)}`);
};

/** A directory of at most `bytes_max` bytes once it is absolute; made absolute and normal, without a final slash. */
export function parseDirectory(bytes_max: number): Parser<string> {
  return (raw, base) => {
    if (typeof raw !== "string" || raw === "") return err(`use a directory, not ${shown(raw)}`);
    if (raw.includes("\0")) return err("use a directory without a NUL byte");
    if (!raw.startsWith("/") && base === undefined) return err(`use an absolute directory, not ${shown(raw)}`);
    const directory = posix.resolve(base ?? "/", raw);
    const bytes = Buffer.byteLength(directory);
    if (bytes > bytes_max) return err(`use a directory of at most ${bytes_max} bytes, not ${bytes}`);
    return ok(directory);
  };
}

function oneOf<T extends string>(raw: unknown, values: readonly T[]): Result<T, string> {
  const found = values.find((value) => value === raw);
  return found === undefined ? err(`use ${values.join(" or ")}, not ${shown(raw)}`) : ok(found);
}

/** A value in an error message: quoted, escaped, at most 64 characters. */
function shown(raw: unknown): string {
  const text = JSON.stringify(raw) ?? String(raw);
  return text.length > 64 ? `${text.slice(0, 61)}...` : text;
}
