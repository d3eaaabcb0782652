/**
 * What a command line starts: the simple commands of a shell script, and the programs behind `env`, `sudo`, `xargs` and
 * their like. It reads text only and runs nothing. What it cannot follow is reported as opaque.
 */
import { type ExecAction, LIMITS } from "../core/mod.ts";
import { parseScript, type RawCommand } from "./shell_parser.ts";
import { ENV_OPTIONS, skipOptions, SU_OPTIONS, SUDO_OPTIONS, WATCH_OPTIONS, XARGS_OPTIONS } from "./shell_options.ts";
import { BUILTINS, type PrefixOptions, type WrapperKind, wrapperOf } from "./shell_wrappers.ts";
import { pythonCommands } from "./shell_python.ts";
import type { Word } from "./shell_words.ts";
import { baseName } from "./base_name.ts";

/** One command inside a command line. */
export interface InnerCommand {
  /** The program as written, and its arguments. Not empty. */
  readonly argv: readonly string[];
  /** Some argument is known only when the line runs; it stands in `argv` as written. */
  readonly uncertain: boolean;
  /** The shell runs it itself: it starts no program. */
  readonly builtin: boolean;
  /** It runs code that cannot be followed. */
  readonly opaque: boolean;
  /** The working directory was changed before: a relative program name says little. */
  readonly moved: boolean;
}

/** What is inside a command line. */
export interface CommandLine {
  readonly commands: readonly InnerCommand[];
  /** It runs code that is not in it, or that cannot be followed. */
  readonly opaque: boolean;
}

/** Commands of one command line; more make it opaque. */
const INNER_COMMANDS_MAX = 256;
/** Command lines within command lines. */
const WRAPPED_MAX = 16;

/** What the program start runs besides its own program; `undefined` for a program that is known to start no other. */
export function readCommandLine(action: Pick<ExecAction, "path" | "argv" | "flags">): CommandLine | undefined {
  const name = baseName(action.path);
  const wrapper = wrapperOf(name);
  if (wrapper === undefined) return undefined;
  const reader = new CommandLineReader();
  const words = action.argv.map((text): Word => ({ text, known: true }));
  // The name that the program was called by may be anything, except where it is what chooses the applet.
  const called = baseName(words[0]?.text ?? "");
  if (wrapper.kind === "busybox" && called !== name && called !== "") {
    reader.argv([{ text: called, known: true }, ...words.slice(1)], {}, 0);
  } else reader.unwrap(wrapper, words.slice(1), {}, 0);
  const cut = action.flags?.includes("args_truncated") === true;
  return { commands: reader.commands, opaque: reader.opaque || cut };
}

/** What the commands of a shell script run. */
export function readShellScript(script: string): CommandLine {
  const reader = new CommandLineReader();
  reader.script(script, {}, 0);
  return { commands: reader.commands, opaque: reader.opaque };
}

/** Where a command stands. */
interface Where {
  readonly here?: Word;
  readonly moved?: boolean;
  /** More arguments follow that nobody knows. */
  readonly uncertain?: boolean;
}

class CommandLineReader {
  readonly commands: InnerCommand[] = [];
  opaque = false;

  /** A shell script. */
  script(text: string, where: Where, depth: number): void {
    if (depth >= WRAPPED_MAX || text.length > LIMITS.argv_bytes_max) {
      this.opaque = true;
      return;
    }
    const { commands, complete } = parseScript(text);
    if (!complete) this.opaque = true;
    for (const command of commands) this.#raw(command, where, depth + 1);
  }

  #raw({ words, here, moved }: RawCommand, where: Where, depth: number): void {
    const is_moved = moved || where.moved === true;
    this.argv(words, { ...(here === undefined ? {} : { here }), ...(is_moved ? { moved: true } : {}) }, depth);
  }

  /** A program with its arguments. */
  argv(words: readonly Word[], where: Where, depth: number): void {
    const [program, ...rest] = words;
    if (program === undefined || program.text === "") return;
    if (!program.known || depth >= WRAPPED_MAX || this.commands.length >= INNER_COMMANDS_MAX) {
      this.opaque = true;
      return;
    }
    const index = this.commands.length;
    const bare = !program.text.includes("/");
    const command: InnerCommand = {
      argv: words.map(({ text }) => text),
      uncertain: where.uncertain === true || rest.some(({ known }) => !known),
      builtin: bare && BUILTINS.has(program.text),
      opaque: false,
      moved: where.moved === true,
    };
    this.commands.push(command);
    const wrapper = wrapperOf(baseName(program.text));
    if (wrapper === undefined) return;
    const before = this.opaque;
    this.opaque = false;
    this.unwrap(wrapper, rest, where, depth);
    if (this.opaque) this.commands[index] = { ...command, opaque: true };
    this.opaque ||= before;
  }

  /** What a wrapper starts with these arguments. */
  unwrap(wrapper: WrapperKind, args: readonly Word[], where: Where, depth: number): void {
    switch (wrapper.kind) {
      case "opaque":
        this.opaque = true;
        return;
      case "shell":
        return this.#shell(args, where, depth);
      case "interpreter":
        return this.#interpreter(wrapper, args, { where, depth });
      case "prefix":
        return this.#prefix(wrapper.options, args, { where, depth });
      case "env":
        return this.#env(args, where, depth);
      case "sudo":
        return this.#sudo(args, where, depth);
      case "su":
        return this.#su(args, where, depth);
      case "busybox":
        return this.argv(args, where, depth + 1);
      case "eval":
      case "watch":
        return this.#joined(wrapper.kind === "watch" ? skipOptions(args, WATCH_OPTIONS).rest : args, where, depth);
      case "trap":
        return this.#code(args[0], where, depth);
      case "xargs": {
        const { rest } = skipOptions(args, XARGS_OPTIONS);
        return this.argv(rest, { ...where, uncertain: true }, depth + 1);
      }
      case "find":
        return this.#find(args, where, depth);
    }
  }

  /** A word that is a script. */
  #code(word: Word | undefined, where: Where, depth: number): void {
    if (word === undefined) return;
    if (word.known) this.script(word.text, where, depth + 1);
    else this.opaque = true;
  }

  /** Words that the program joins to one script. */
  #joined(words: readonly Word[], where: Where, depth: number): void {
    if (words.length === 0) return;
    this.#code(
      { text: words.map(({ text }) => text).join(" "), known: words.every(({ known }) => known) },
      where,
      depth,
    );
  }

  #shell(args: readonly Word[], where: Where, depth: number): void {
    let takes_script = false;
    let reads_input = false;
    let at = 0;
    for (; at < args.length; at++) {
      const { text = "", known = true } = args[at] ?? {};
      if (!known) {
        this.opaque = true;
        return;
      }
      if (!/^[-+]./.test(text) || text === "--") break;
      if (text === "--rcfile" || text === "--init-file") at++;
      if (text.startsWith("--")) continue;
      if (text.startsWith("-") && text.includes("c")) takes_script = true;
      if (text.startsWith("-") && text.includes("s")) reads_input = true;
      if (/[oO]$/.test(text)) at++;
    }
    if (args[at]?.text === "--") at++;
    const operand = args[at];
    if (takes_script) return this.#code(operand, where, depth);
    const { text } = operand ?? { text: "-" };
    if (!reads_input && text !== "-" && !/^\/dev\/(?:stdin|fd\/)/.test(text)) return;
    if (where.here === undefined) this.opaque = true;
    else this.#code(where.here, { ...(where.moved === true ? { moved: true } : {}) }, depth);
  }

  #interpreter(
    { code, python }: Extract<WrapperKind, { readonly kind: "interpreter" }>,
    args: readonly Word[],
    { where, depth }: { readonly where: Where; readonly depth: number },
  ): void {
    const found = args.findIndex(({ text }) => code.test(text) || !text.startsWith("-") || text === "-");
    const first = args[found];
    const is_code = first !== undefined && code.test(first.text);
    if (first !== undefined && first.known && !is_code && first.text !== "-") return; // a file
    if (first === undefined && args.length > 0) return; // `--version` and the like
    this.opaque = true;
    const source = is_code ? args[found + 1] : where.here;
    if (!python || source === undefined || !source.known || source.text.length > LIMITS.argv_bytes_max) return;
    for (const command of pythonCommands(source.text)) {
      if (typeof command === "string") this.script(command, where, depth + 1);
      else this.argv(command.map((text) => ({ text, known: true })), where, depth + 1);
    }
  }

  #prefix(
    options: PrefixOptions,
    args: readonly Word[],
    { where, depth }: { readonly where: Where; readonly depth: number },
  ): void {
    const { rest, seen, script } = skipOptions(args, options);
    if (script !== undefined) this.#code(script, where, depth);
    if (options.none !== undefined && [...options.none].some((letter) => seen.includes(letter))) return;
    const after = rest.slice(options.operands);
    // `flock FILE -c SCRIPT`
    if (options.script !== undefined && after[0]?.text === `-${options.script}`) this.#code(after[1], where, depth);
    else this.argv(after, where, depth + 1);
  }

  #env(args: readonly Word[], where: Where, depth: number): void {
    const split = args.findIndex(({ text }) => /^(?:-[A-Za-z]*S|--split-string)/.test(text));
    const options = skipOptions(args, ENV_OPTIONS);
    if (split >= 0 && split < args.length - options.rest.length) {
      const { text = "", known = false } = args[split] ?? {};
      const attached = text.replace(/^(?:-[A-Za-z]*S|--split-string=?)/, "");
      const words = attached === "" ? args.slice(split + 1) : [{ text: attached, known }, ...args.slice(split + 1)];
      return this.#joined(words, where, depth);
    }
    const program = options.rest.findIndex(({ text }) => !/^[^=/]+=/.test(text));
    const is_moved = /C/.test(options.seen);
    if (program >= 0) {
      this.argv(options.rest.slice(program), is_moved ? { ...where, moved: true } : where, depth + 1);
    }
  }

  #sudo(args: readonly Word[], where: Where, depth: number): void {
    const { rest, seen } = skipOptions(args, SUDO_OPTIONS);
    if (/[elvkKV]/.test(seen)) return;
    const program = rest.findIndex(({ text }) => !/^[A-Za-z_]\w*=/.test(text));
    const words = program < 0 ? [] : rest.slice(program);
    if (!/[is]/.test(seen)) return this.argv(words, where, depth + 1);
    if (words.length === 0) this.opaque = true;
    else this.#joined(words, where, depth);
  }

  #su(args: readonly Word[], where: Where, depth: number): void {
    const { rest, seen, script } = skipOptions(args, SU_OPTIONS);
    if (script !== undefined) return this.#code(script, where, depth);
    // runuser -u USER PROGRAM
    if (seen.includes("u") && rest.length > 0) return this.argv(rest, where, depth + 1);
    const later = rest.findIndex(({ text }) => text === "-c" || text === "--command");
    if (later >= 0) return this.#code(rest[later + 1], where, depth);
    this.opaque = true;
  }

  #find(args: readonly Word[], where: Where, depth: number): void {
    for (let at = 0; at < args.length; at++) {
      if (!/^-(?:exec|ok)(?:dir)?$/.test(args[at]?.text ?? "")) continue;
      const length = args.slice(at + 1).findIndex(({ text }) => text === ";" || text === "+");
      const words = args.slice(at + 1, length < 0 ? args.length : at + 1 + length);
      this.argv(words, { ...where, uncertain: true }, depth + 1);
      at += words.length;
    }
  }
}
