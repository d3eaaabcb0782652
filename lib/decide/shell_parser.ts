/**
 * A script of the shell to its simple commands, in one pass over the text. It expands nothing: a word that the shell
 * would compute is kept as written and marked. Sources: POSIX.1-2024, 2.2 to 2.10; bash(1) for `$'..'`, `<(..)`, `<<<`.
 */
import { META, ShellCursor } from "./shell_cursor.ts";
import { isAssignment, type Word, WordReader } from "./shell_words.ts";

/** One simple command, without assignments and redirections. */
export interface RawCommand {
  readonly words: readonly Word[];
  /** What the command reads as standard input, where the script says so. */
  here?: Word;
  /** The working directory was changed before. */
  readonly moved: boolean;
}

/** What a script consists of. */
export interface RawScript {
  readonly commands: readonly RawCommand[];
  /** False where a part of the text could not be understood. */
  readonly complete: boolean;
}

/** Simple commands of one script. */
const COMMANDS_MAX = 512;

/** Words that begin or end a compound command and are followed by another command. */
const SKIPPED_WORDS: ReadonlySet<string> = new Set(
  ["if", "then", "else", "elif", "fi", "while", "until", "do", "done", "!", "{", "}", "coproc"],
);
const MOVING: ReadonlySet<string> = new Set(["cd", "pushd", "popd"]);

/** Reads a whole script. Never throws; linear in the length of the text. */
export function parseScript(text: string): RawScript {
  const parser = new ShellParser(text, [], 0);
  return { commands: parser.commands, complete: parser.run() };
}

/** Where a list of commands ends. */
type End = "text" | ")" | "case";

interface HereDocument {
  readonly delimiter: string;
  readonly strip_tabs: boolean;
  readonly literal: boolean;
  readonly of: { here?: Word };
}

class ShellParser {
  readonly commands: RawCommand[];
  readonly #cursor: ShellCursor;
  readonly #words: WordReader;
  #moved = false;
  #waiting: HereDocument[] = [];

  constructor(text: string, commands: RawCommand[], nesting: number) {
    const cursor = new ShellCursor(text, nesting);
    this.#cursor = cursor;
    this.commands = commands;
    this.#words = new WordReader(cursor, {
      list: () => this.#subshell(),
      script: (script) => this.#nested(script),
    });
  }

  /** True if everything was understood. */
  run(): boolean {
    this.#list("text");
    if (this.#waiting.length > 0) this.#cursor.complete = false;
    return this.#cursor.complete;
  }

  #list(end: End): void {
    const cursor = this.#cursor;
    cursor.enter();
    let stop = false;
    while (!stop && !cursor.done) stop = this.#command(end);
    if (!stop && end === ")") cursor.complete = false;
    cursor.leave();
  }

  /** A list in parentheses, which cannot change the directory of what follows. */
  #subshell(): void {
    const moved = this.#moved;
    this.#list(")");
    this.#moved = moved;
  }

  /** A text that is a script (or words) of its own. */
  #nested(script: string): void {
    const parser = new ShellParser(script, this.commands, this.#cursor.depth + 1);
    if (!parser.run()) this.#cursor.complete = false;
  }

  /** The commands that a text of a here-document has in it. */
  #substitutions(text: string): void {
    const parser = new ShellParser(`"${text.replaceAll('"', '\\"')}"`, this.commands, this.#cursor.depth + 1);
    parser.#words.word();
    if (!parser.#cursor.complete) this.#cursor.complete = false;
  }

  /** Reads up to the end of one simple command; true at the end of the list. */
  #command(end: End): boolean {
    const words: Word[] = [];
    const input: { here?: Word } = {};
    let ignored = false;
    let stop: boolean | undefined;
    while (stop === undefined && !this.#cursor.done) {
      const code = this.#cursor.char();
      if (code === " " || code === "\t") this.#cursor.at++;
      else if (code === "#") this.#cursor.skipLine();
      else if (code === "<" || code === ">") this.#redirection(input, words);
      else if (code === "(") this.#open(words);
      else if (META.includes(code)) stop = this.#operator(end, { words, input });
      else {
        const begin = this.#cursor.at;
        const word = this.#words.word();
        const bare = this.#cursor.at - begin === word.text.length;
        if (words.length > 0 || ignored) words.push(word);
        else if (bare && word.text === "case") this.#case();
        else if (bare && word.text === "esac" && end === "case") stop = true;
        else if (bare && word.text === "[[") this.#condition();
        else if (bare && (word.text === "for" || word.text === "select" || word.text === "function")) ignored = true;
        else if (isAssignment(word)) this.#arrayValue(word);
        else if (!(bare && SKIPPED_WORDS.has(word.text))) words.push(word);
        if (ignored && word.text === "{") {
          // `function f {` goes on with the body.
          words.length = 0;
          ignored = false;
        }
      }
    }
    if (words.length > 0 && !ignored) this.#emit(words, input);
    return stop ?? false;
  }

  #emit(words: readonly Word[], input: { here?: Word }): void {
    if (this.commands.length >= COMMANDS_MAX) {
      this.#cursor.complete = false;
      this.#cursor.at = this.#cursor.text.length;
      return;
    }
    const command: RawCommand = Object.assign(input, { words, moved: this.#moved });
    this.commands.push(command);
    if (MOVING.has(words[0]?.text ?? "")) this.#moved = true;
  }

  /** `;`, `&`, `|` and their doubles, line ends, `)`. True at the end of the list, false of the command. */
  #operator(
    end: End,
    { words, input }: { readonly words: Word[]; readonly input: { here?: Word } },
  ): boolean | undefined {
    const code = this.#cursor.char();
    this.#cursor.at++;
    if (code === ")") {
      if (end === ")") return true;
      this.#cursor.complete = false;
      return false;
    }
    if (code === "\n") {
      this.#hereDocuments();
      return false;
    }
    const next = this.#cursor.char();
    if (code === "&" && next === ">") {
      this.#redirection(input, words);
      return undefined;
    }
    if (next === code || (code === "|" && next === "&") || (code === ";" && next === "&")) this.#cursor.at++;
    const is_case_end = code === ";" && (next === ";" || next === "&");
    if (is_case_end && this.#cursor.char() === "&") this.#cursor.at++;
    return is_case_end && end === "case";
  }

  /** `(`: a subshell, `((`, or the parentheses of a function definition. */
  #open(words: Word[]): void {
    if (words.length === 1 && /^\(\s*\)/.test(this.#cursor.text.slice(this.#cursor.at, this.#cursor.at + 16))) {
      this.#cursor.at = this.#cursor.text.indexOf(")", this.#cursor.at) + 1;
      words.length = 0;
      return;
    }
    // Arguments before it: in no grammar that we know.
    if (words.length > 0) this.#cursor.complete = false;
    this.#cursor.at++;
    if (this.#cursor.char() === "(") {
      this.#cursor.at++;
      this.#words.arithmetic();
      return;
    }
    this.#subshell();
  }

  /** `case WORD in (PATTERN) LIST ;; ... esac`. */
  #case(): void {
    this.#cursor.skipBlank();
    this.#words.word();
    this.#cursor.skipBlank();
    if (this.#words.word().text !== "in") return void (this.#cursor.complete = false);
    for (;;) {
      this.#cursor.skipBlank();
      if (this.#cursor.at >= this.#cursor.text.length) return void (this.#cursor.complete = false);
      if (this.#cursor.char() === "(") this.#cursor.at++;
      const begin = this.#cursor.at;
      for (;;) {
        this.#cursor.skipBlank();
        const code = this.#cursor.char();
        if (code === "|") this.#cursor.at++;
        else if (code === "" || META.includes(code)) break;
        else if (
          this.#words.word().text === "esac" && this.#cursor.text.slice(begin, this.#cursor.at).trim() === "esac"
        ) return;
      }
      if (this.#cursor.char() !== ")") return void (this.#cursor.complete = false);
      this.#cursor.at++;
      const before = this.#cursor.at;
      this.#list("case");
      // The list ended with `esac` itself.
      if (/\besac$/.test(this.#cursor.text.slice(Math.max(before, this.#cursor.at - 5), this.#cursor.at))) return;
    }
  }

  /** `[[ ... ]]`, where `<`, `(` and `&&` are no operators of the shell. */
  #condition(): void {
    while (!this.#cursor.done) {
      if (META.includes(this.#cursor.char())) this.#cursor.at++;
      else if (this.#words.word().text === "]]") return;
    }
    this.#cursor.complete = false;
  }

  /** `name=(...)`. */
  #arrayValue(word: Word): void {
    if (!word.text.endsWith("=") || this.#cursor.char() !== "(") return;
    this.#cursor.at++;
    while (!this.#cursor.done) {
      const code = this.#cursor.char();
      if (code === ")") {
        this.#cursor.at++;
        return;
      }
      if (META.includes(code)) this.#cursor.at++;
      else this.#words.word();
    }
    this.#cursor.complete = false;
  }

  #redirection(input: { here?: Word }, words: Word[]): void {
    const rest = this.#cursor.text.slice(this.#cursor.at, this.#cursor.at + 3);
    const last = words.at(-1);
    // A number right before the sign is a descriptor, not an argument.
    if (last !== undefined && /^\d+$/.test(last.text) && /\d/.test(this.#cursor.text.charAt(this.#cursor.at - 1))) {
      words.pop();
    }
    if (rest.startsWith("<(") || rest.startsWith(">(")) {
      words.push(this.#words.word());
    } else if (rest.startsWith("<<<")) {
      this.#cursor.at += 3;
      this.#cursor.skipBlank();
      input.here = this.#words.word();
    } else if (rest.startsWith("<<")) {
      this.#cursor.at += 2;
      const strip_tabs = this.#cursor.char() === "-";
      if (strip_tabs) this.#cursor.at++;
      this.#cursor.skipBlank();
      const begin = this.#cursor.at;
      const delimiter = this.#words.word().text;
      this.#waiting.push({ delimiter, strip_tabs, literal: this.#cursor.at - begin !== delimiter.length, of: input });
    } else {
      while ("<>|&".includes(this.#cursor.char()) && !this.#cursor.done) this.#cursor.at++;
      this.#cursor.skipBlank();
      if (!this.#cursor.done && !META.includes(this.#cursor.char())) this.#words.word();
    }
  }

  /** The bodies of the here-documents of the line that ended. */
  #hereDocuments(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { delimiter, strip_tabs, literal, of } of waiting) {
      const lines: string[] = [];
      let found = false;
      while (!found && !this.#cursor.done) {
        const line_end = this.#cursor.text.indexOf("\n", this.#cursor.at);
        const stop = line_end < 0 ? this.#cursor.text.length : line_end;
        const raw = this.#cursor.text.slice(this.#cursor.at, stop);
        const line = strip_tabs ? raw.replace(/^\t+/, "") : raw;
        this.#cursor.at = stop + 1;
        found = line === delimiter;
        if (!found) lines.push(line);
      }
      if (!found) this.#cursor.complete = false;
      const text = lines.join("\n");
      of.here = { text, known: literal || !/[$`\\]/.test(text) };
      if (!literal && /[$`]/.test(text)) this.#substitutions(text);
    }
  }
}
