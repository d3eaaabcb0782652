/** Names that change from run to run: process numbers, session ids, temporary files. */
import { globLiteral } from "./explain_snippet.ts";

/** Directories whose entries are made with random names. */
const TEMPORARY: readonly string[] = ["/tmp", "/var/tmp", "/dev/shm"];

/** What happened to names in a recording. */
export interface NameHistory {
  /** Made by an action of the recording. */
  readonly created: ReadonlySet<string>;
  /** Removed or renamed away. */
  readonly gone: ReadonlySet<string>;
}

/** Writes names as patterns, the same in every run. */
export class NameMasks {
  readonly #history: NameHistory;
  readonly #known: Map<string, string> = new Map();

  constructor(history: NameHistory) {
    this.#history = history;
  }

  /** The pattern of a whole name. */
  name(name: string): string {
    if (!name.startsWith("/")) return this.relative(name);
    if (name === "/") return "/";
    let pattern = "";
    for (let end = 0; end < name.length;) {
      const next = name.indexOf("/", end + 1);
      end = next < 0 ? name.length : next;
      pattern += `/${this.segment(name.slice(0, end))}`;
    }
    return pattern;
  }

  /** The pattern of a name that is no path: an abstract socket, `pipe:[1]`. */
  relative(name: string): string {
    const literal = globLiteral(name).replace(/\\\[\d+\\\]$/, "\\[[0-9]*\\]");
    return name.startsWith("@") ? literal : `**/${literal}`;
  }

  /** The pattern of one segment: the last one of the absolute name `prefix`. */
  segment(prefix: string): string {
    const known = this.#known.get(prefix);
    if (known !== undefined) return known;
    const pattern = this.#segment(prefix);
    this.#known.set(prefix, pattern);
    return pattern;
  }

  #segment(prefix: string): string {
    const slash = prefix.lastIndexOf("/");
    const [directory, name] = [prefix.slice(0, slash), prefix.slice(slash + 1)];
    const numbered = directory === "/dev/pts" || /^\/proc(?:\/|$)/.test(directory);
    if (numbered && /^\d+$/.test(name)) return "[0-9]*";
    // The guard names the cgroup of a session after it.
    if (directory.startsWith("/sys/fs/cgroup")) return globLiteral(name).replace(/[0-9A-HJKMNP-TV-Z]{26}/i, "*");
    const in_temporary = TEMPORARY.includes(directory);
    const transient = this.#history.created.has(prefix) && this.#history.gone.has(prefix);
    const made = this.#history.created.has(prefix) && in_temporary;
    const random = randomPart(name);
    if (random === undefined || !(transient || made)) return globLiteral(name);
    const looks_random = /[A-Z0-9]/.test(name.slice(random.from, random.to));
    if (!looks_random && !(transient && in_temporary)) return globLiteral(name);
    const before = globLiteral(name.slice(0, random.from));
    const after = name.slice(random.to);
    return `${random.from === 0 ? "" : before}${"?".repeat(random.to - random.from)}${
      after === "" ? "" : globLiteral(after)
    }`;
  }
}

/**
 * The part of a name that mkstemp and its kin fill in: the last run of at least six letters and digits before a short
 * extension. `undefined` if there is none.
 */
function randomPart(name: string): { readonly from: number; readonly to: number } | undefined {
  const extension = /(?:\.[a-z][a-z0-9]{0,7}){1,3}$/.exec(name)?.[0] ?? "";
  const stem = name.slice(0, name.length - extension.length);
  const run = /[A-Za-z0-9_]{6,}$/.exec(stem)?.[0];
  if (run === undefined) return undefined;
  const last = run.slice(run.lastIndexOf("_") + 1);
  const random = last.length >= 6 ? last : run;
  // The compilers' own: `cc` and six random characters.
  const kept = /^cc[A-Za-z0-9]{6}$/.test(random) ? 2 : 0;
  return { from: stem.length - random.length + kept, to: stem.length };
}
