/** The log on stderr. Never on stdout: that belongs to the guarded command. */
import { type Clock, formatTime, type Log, type LogFields, type LogLevel } from "../core/mod.ts";
import { escapeText, formatWord, type Paint } from "./format_text.ts";

/** How log lines are made. */
export interface ConsoleLogOptions {
  /** JSON lines instead of readable ones: with `--json`, or where stderr is no terminal. */
  readonly json: boolean;
  /** Least severity that is written. */
  readonly level: LogLevel;
  /** Only errors, whatever `level` says. */
  readonly quiet: boolean;
  readonly paint: Paint;
  readonly clock: Clock;
  /** Writes to stderr without waiting; must not throw. */
  readonly write: (text: string) => void;
}

const RANK: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3 };

/** Longest message, and longest value of a field, characters. */
const TEXT_CHARS_MAX = 2_000;

/** Names that a JSON line uses itself: a field with one of them gets a trailing underscore. */
const OWN_NAMES: readonly string[] = ["time", "level", "message"];

/** Structured lines: `agentguard: warning: message (name=value)` for people, one JSON object per line for programs. */
export class ConsoleLog implements Log {
  readonly #options: ConsoleLogOptions;
  readonly #least: number;

  constructor(options: ConsoleLogOptions) {
    this.#options = options;
    this.#least = options.quiet ? RANK.error : RANK[options.level];
  }

  /** Details for developers. */
  debug(message: string, fields?: LogFields): void {
    this.#line("debug", message, fields);
  }

  /** What a user may want to know. */
  info(message: string, fields?: LogFields): void {
    this.#line("info", message, fields);
  }

  /** Something is degraded. */
  warn(message: string, fields?: LogFields): void {
    this.#line("warn", message, fields);
  }

  /** Something failed. */
  error(message: string, fields?: LogFields): void {
    this.#line("error", message, fields);
  }

  #line(level: LogLevel, message: string, fields: LogFields | undefined): void {
    if (RANK[level] < this.#least) return;
    const text = this.#options.json ? this.#json(level, message, fields) : this.#human(level, message, fields);
    this.#options.write(`${text}\n`);
  }

  #json(level: LogLevel, message: string, fields: LogFields | undefined): string {
    const line: Record<string, string | number | boolean> = {
      time: formatTime(this.#options.clock.wallUs()),
      level,
      message: message.slice(0, TEXT_CHARS_MAX),
    };
    for (const [name, value] of Object.entries(fields ?? {})) {
      if (value === undefined) continue;
      const key = OWN_NAMES.includes(name) ? `${name}_` : name;
      line[key] = typeof value === "string" ? value.slice(0, TEXT_CHARS_MAX) : value;
    }
    return JSON.stringify(line);
  }

  #human(level: LogLevel, message: string, fields: LogFields | undefined): string {
    const { paint } = this.#options;
    const words: Readonly<Record<LogLevel, string>> = {
      debug: "debug: ",
      info: "",
      warn: paint("yellow", "warning: "),
      error: paint("red", "error: "),
    };
    const shown = Object.entries(fields ?? {}).filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${escapeText(name, 64)}=${formatWord(String(value), TEXT_CHARS_MAX)}`);
    const tail = shown.length === 0 ? "" : ` (${shown.join(" ")})`;
    return `agentguard: ${words[level]}${escapeText(message, TEXT_CHARS_MAX)}${tail}`;
  }
}
