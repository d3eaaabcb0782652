/** Watches policy files and says when one of them has another content, however it was written. */
import { type FSWatcher, readFileSync, realpathSync, statSync, watch } from "node:fs";
import { dirname, resolve } from "node:path";
import { errorMessage, LIMITS, type Log } from "../core/mod.ts";
import type { Timers } from "../task/mod.ts";

/** How it watches. */
export interface PolicyWatchOptions {
  readonly log: Log;
  readonly timers: Timers;
  /** Quiet time after the last event before the files are read, milliseconds: an editor writes in several steps. */
  readonly debounce_ms?: number;
}

/** Long enough for a file to be written, short enough for a person who waits. */
const DEBOUNCE_MS = 200;

/**
 * Calls back after a policy file changed. It watches directories, not files: a file that is replaced by a rename
 * (editors, configuration management, mounted configuration maps with their links) is another inode. A watch that
 * cannot be set is logged, and reloading by SIGHUP goes on to work. Starts nothing before `start`; disposing ends it.
 */
export class PolicyWatch implements Disposable {
  readonly #files: readonly string[];
  readonly #onChange: () => void;
  readonly #options: PolicyWatchOptions;
  readonly #watchers: Map<string, FSWatcher> = new Map();
  #timer: Disposable | undefined;
  #seen = "";

  constructor(files: readonly string[], onChange: () => void, options: PolicyWatchOptions) {
    this.#files = files.map((file) => resolve(file));
    this.#onChange = onChange;
    this.#options = options;
  }

  /** Begins to watch. What the files hold now counts as seen. */
  start(): void {
    this.#seen = this.#fingerprint();
    this.#watchDirectories();
    // Between the reading and the watch a file may have changed.
    if (this.#watchers.size > 0) this.#touched();
  }

  /** Ends it; a second call does nothing. */
  [Symbol.dispose](): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = undefined;
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  /** The directories of the files, and of what their links lead to. */
  #watchDirectories(): void {
    const wanted = new Set(this.#files.flatMap((file) => linksOf(file)).map((file) => dirname(file)));
    for (const [directory, watcher] of this.#watchers) {
      if (wanted.has(directory)) continue;
      watcher.close();
      this.#watchers.delete(directory);
    }
    for (const directory of wanted) if (!this.#watchers.has(directory)) this.#watch(directory);
  }

  #watch(directory: string): void {
    try {
      // Unref: what keeps the guard alive is its work. Every event counts: a mounted configuration map changes a
      // link that no policy file is called like; whether a policy differs is asked by content.
      const watcher = watch(directory, { persistent: false }, () => this.#touched());
      watcher.on("error", (error) => this.#lost(directory, error));
      this.#watchers.set(directory, watcher);
    } catch (error) {
      this.#lost(directory, error);
    }
  }

  #lost(directory: string, error: unknown): void {
    this.#watchers.get(directory)?.close();
    this.#watchers.delete(directory);
    this.#options.log.warn(
      `watch ${directory} for changes of the policy: ${errorMessage(error)}; send SIGHUP after a change`,
    );
  }

  #touched(): void {
    this.#timer?.[Symbol.dispose]();
    this.#timer = this.#options.timers.after(
      this.#options.debounce_ms ?? DEBOUNCE_MS,
      () => this.#look(),
      { unref: true },
    );
  }

  #look(): void {
    this.#timer = undefined;
    const now = this.#fingerprint();
    // A link may lead elsewhere now.
    this.#watchDirectories();
    if (now === this.#seen) return;
    this.#seen = now;
    this.#onChange();
  }

  /** Differs whenever the content of a file does. A file that is missing has none. */
  #fingerprint(): string {
    return this.#files.map((file) => {
      try {
        const stat = statSync(file);
        // What is no policy by its kind or size is not read; that it became one is seen.
        if (!stat.isFile() || stat.size > LIMITS.policy_bytes_max) return `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
        return new Bun.CryptoHasher("sha256").update(readFileSync(file)).digest("hex");
      } catch {
        return "missing";
      }
    }).join("\n");
  }
}

/** The file, and what it leads to if it is a link. */
function linksOf(file: string): readonly string[] {
  try {
    const real = realpathSync(file);
    return real === file ? [file] : [file, real];
  } catch {
    return [file];
  }
}
