/** Drafts without secrets: which parts of a draft are read, and how. */
import {
  type Action,
  type Decision,
  type EntryDraft,
  invariant,
  type Outcome,
  type ProcessInfo,
} from "../../core/mod.ts";
import { classOfName, isHarmless } from "./names.ts";
import { Renderer } from "./render.ts";
import { LOGIN, PATH, TEXT } from "./scan.ts";
import { CommandWords, isRemoteProgram } from "./words.ts";

/** Bounds of a redactor. */
export interface RedactLimits {
  /** Longest text that is kept, UTF-16 code units, 256 to 1,048,576; 65,536 by default, as much as argv can hold. */
  readonly text_chars_max?: number;
  /** Most values in the arguments of a tool; 100,000 by default. What is beyond becomes `[too large]`. */
  readonly values_max?: number;
}

/** What a redactor works with. */
export interface RedactorOptions {
  /** Key of the hashes in the marks, 16 to 64 bytes; without it nobody can try guesses against a mark. */
  readonly key: Uint8Array;
  readonly limits?: RedactLimits;
}

/** Gives a draft without secrets: the same object where nothing had to change. Never throws. */
export interface Redactor {
  (draft: EntryDraft): EntryDraft;
  /** A draft whose texts are none of them suspicious comes back as it is: whoever knows that need not ask. */
  readonly keeps_plain: true;
}

const TEXT_CHARS_MAX = 65_536;
const TEXT_CHARS_MIN = 256;
const TEXT_CHARS_BOUND = 1_048_576;
const VALUES_MAX = 100_000;
/** Deepest nesting that is read; what lies below becomes `[too deep]`. */
const DEPTH_MAX = 64;

/** Members of an action or of a tool's arguments that hold a path. */
const PATH_NAMES: ReadonlySet<string> = new Set([
  "path",
  "requested_path",
  "new_path",
  "requested_new_path",
  "interpreter",
  "cwd",
  "exe",
  "file_path",
  "notebook_path",
]);

/** Members that hold the words of a command. */
const ARGV_NAMES: ReadonlySet<string> = new Set(["argv", "args", "arguments", "command", "cmd"]);

/** Members of an action that this program writes itself, or that are numbers as text. */
const OWN_NAMES: ReadonlySet<string> = new Set([
  "type",
  "missing",
  "flags",
  "result",
  "errno",
  "protocol",
  "address",
  "answers",
  "host_source",
  "mode",
  "owner",
  "child",
  "digest",
  "ranges",
  "hold",
  "approval_id",
  "decision_id",
  "grant_id",
]);

/** How much of one draft's values may still be read. */
interface Budget {
  values: number;
}

/** Makes a redactor. Throws `invariant` for a key or a bound out of range. */
export function createRedactor(options: RedactorOptions): Redactor {
  const { key, limits = {} } = options;
  const text_chars_max = limits.text_chars_max ?? TEXT_CHARS_MAX;
  invariant(key.length >= 16 && key.length <= 64, "make a redactor: give a key of 16 to 64 bytes");
  invariant(
    text_chars_max >= TEXT_CHARS_MIN && text_chars_max <= TEXT_CHARS_BOUND,
    "make a redactor: give a longest text of 256 to 1,048,576 characters",
  );
  const reader = new DraftReader(new Renderer(key.slice(), text_chars_max), limits.values_max ?? VALUES_MAX);
  return Object.assign((draft: EntryDraft) => reader.draft(draft), { keeps_plain: true } as const);
}

/** Reads drafts part by part; each part that does not change is kept as it is. */
class DraftReader {
  readonly #renderer: Renderer;
  readonly #values_max: number;

  constructor(renderer: Renderer, values_max: number) {
    this.#renderer = renderer;
    this.#values_max = values_max;
  }

  draft(draft: EntryDraft): EntryDraft {
    const { process, action, decision, outcome } = draft;
    const kept_process = process === undefined ? undefined : this.#process(process);
    const kept_action = action === undefined ? undefined : this.#action(action);
    const kept_decision = decision === undefined ? undefined : this.#decision(decision);
    const kept_outcome = outcome === undefined ? undefined : this.#outcome(outcome);
    if (
      kept_process === process && kept_action === action && kept_decision === decision && kept_outcome === outcome
    ) return draft;
    return {
      ...draft,
      ...(kept_process === undefined ? undefined : { process: kept_process }),
      ...(kept_action === undefined ? undefined : { action: kept_action }),
      ...(kept_decision === undefined ? undefined : { decision: kept_decision }),
      ...(kept_outcome === undefined ? undefined : { outcome: kept_outcome }),
    };
  }

  #process(process: ProcessInfo): ProcessInfo {
    const { exe, argv, cwd } = process;
    const kept_exe = exe === undefined ? undefined : this.#renderer.render(exe, PATH);
    const kept_argv = argv === undefined ? undefined : this.#argv(argv);
    const kept_cwd = cwd === undefined ? undefined : this.#renderer.render(cwd, PATH);
    if (kept_exe === exe && kept_argv === argv && kept_cwd === cwd) return process;
    return {
      ...process,
      ...(kept_exe === undefined ? undefined : { exe: kept_exe }),
      ...(kept_argv === undefined ? undefined : { argv: kept_argv }),
      ...(kept_cwd === undefined ? undefined : { cwd: kept_cwd }),
    };
  }

  /**
   * What is frequent and has nothing to hide is told apart first; the rest, and kinds not known yet, value by value.
   */
  #action(action: Action): Action {
    switch (action.type) {
      case "process.fork":
      case "process.exit":
        return action;
      case "net.connect":
      case "net.send":
      case "net.bind":
      case "net.listen":
        // Whoever asks for a name chooses it, and may put into it what is to be carried out.
        if (action.host === undefined) return action;
        break;
      case "exec": {
        const { path, requested_path, interpreter, cwd } = action;
        if (this.#isPath(path, requested_path) && this.#isPath(interpreter, cwd)) {
          const argv = this.#argv(action.argv);
          return argv === action.argv ? action : { ...action, argv };
        }
        break;
      }
      case "exec.failed":
      case "file.read":
      case "file.write":
      case "file.create":
      case "file.truncate":
      case "file.delete":
      case "file.mkdir":
      case "file.rmdir":
      case "file.chmod":
      case "file.chown":
      case "file.mknod":
        if (this.#isPath("path" in action ? action.path : undefined, action.requested_path)) return action;
        break;
      case "file.rename":
      case "file.link":
      case "file.symlink":
        if (
          this.#isPath(action.path, action.requested_path) && this.#isPath(action.new_path, action.requested_new_path)
        ) return action;
        break;
      default:
        break;
    }
    const kept = this.#members(action, { values: this.#values_max }, { depth: 0, own: OWN_NAMES });
    return isAction(kept) ? kept : action;
  }

  /** True for paths that stay as they are. */
  #isPath(one: string | undefined, other: string | undefined): boolean {
    return (one === undefined || this.#renderer.render(one, PATH) === one) &&
      (other === undefined || this.#renderer.render(other, PATH) === other);
  }

  #decision(decision: Decision): Decision {
    const reason = this.#renderer.render(decision.reason, TEXT);
    return reason === decision.reason ? decision : { ...decision, reason };
  }

  #outcome(outcome: Outcome): Outcome {
    const { error, by } = outcome;
    const kept_error = error === undefined ? undefined : this.#renderer.render(error, TEXT);
    const kept_by = by === undefined ? undefined : this.#renderer.render(by, LOGIN);
    if (kept_error === error && kept_by === by) return outcome;
    return {
      ...outcome,
      ...(kept_error === undefined ? undefined : { error: kept_error }),
      ...(kept_by === undefined ? undefined : { by: kept_by }),
    };
  }

  /** The words of a command. */
  #argv(argv: readonly string[]): readonly string[] {
    const words = argv.some((word) => word.startsWith("-") || word.includes("=")) ? new CommandWords() : undefined;
    const text_mode = isRemoteProgram(argv[0] ?? "") ? LOGIN : TEXT;
    let copy: string[] | undefined;
    for (let index = 0; index < argv.length; index++) {
      const word = argv[index] ?? "";
      const secret = words?.next(word);
      const mode = index === 0 || isPathWord(word) ? PATH : text_mode;
      const kept = secret === undefined
        ? this.#renderer.render(word, mode)
        : this.#renderer.renderKnown(word, mode, [{ ...secret, kind: "password" }]);
      if (kept === word) continue;
      copy ??= argv.slice();
      copy[index] = kept;
    }
    return copy ?? argv;
  }

  #value(value: unknown, name: string, budget: Budget, depth: number): unknown {
    if (--budget.values < 0) return "[too large]";
    if (typeof value === "string") return this.#text(value, name);
    if (typeof value === "number" && classOfName(name) === "password") {
      return this.#renderer.mark(`${value}`, "password");
    }
    if (typeof value !== "object" || value === null) return value;
    if (depth >= DEPTH_MAX) return "[too deep]";
    if (!Array.isArray(value)) return this.#members(value, budget, { depth });
    if (ARGV_NAMES.has(name) && value.every((word) => typeof word === "string")) return this.#argv(value);
    let copy: unknown[] | undefined;
    for (let index = 0; index < value.length; index++) {
      const before: unknown = value[index];
      const after = this.#value(before, name, budget, depth + 1);
      if (after === before) continue;
      copy ??= value.slice();
      copy[index] = after;
    }
    return copy ?? value;
  }

  #text(text: string, name: string): string {
    const name_class = classOfName(name);
    if (name_class !== undefined && !isHarmless(text, name_class)) {
      return this.#renderer.mark(text, name_class === "header" ? "authorization" : "secret");
    }
    return this.#renderer.render(text, PATH_NAMES.has(name) ? PATH : TEXT);
  }

  /** The members of an object; names are texts too. Members that `own` names are left as they are. */
  #members(object: object, budget: Budget, at: { readonly depth: number; readonly own?: ReadonlySet<string> }): object {
    let copy: Record<string, unknown> | undefined;
    const entries = Object.entries(object);
    for (const [name, before] of entries) {
      if (at.own?.has(name) === true) continue;
      const after: unknown = this.#value(before, name, budget, at.depth + 1);
      const kept_name = this.#renderer.render(name, TEXT);
      if (after === before && kept_name === name) continue;
      copy ??= Object.fromEntries(entries);
      if (kept_name !== name) {
        delete copy[name];
        copy[freeName(copy, kept_name)] = after;
      } else copy[name] = after;
    }
    return copy ?? object;
  }
}

/** A name that the object does not hold yet. */
function freeName(object: Readonly<Record<string, unknown>>, name: string): string {
  if (!Object.hasOwn(object, name)) return name;
  let count = 2;
  while (Object.hasOwn(object, `${name}#${count}`)) count++;
  return `${name}#${count}`;
}

function isAction(value: object): value is Action {
  return "type" in value;
}

/** A word that names a file. */
function isPathWord(word: string): boolean {
  return (word.startsWith("/") || word.startsWith("./") || word.startsWith("../") || word.startsWith("~/")) &&
    !word.includes(" ");
}
