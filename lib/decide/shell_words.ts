/** Words of the shell: quoting and substitutions (POSIX.1-2024, 2.2 and 2.6; bash(1), QUOTING). */
import { META, type ShellCursor } from "./shell_cursor.ts";

/** One word. `known`: the text is exactly what the program gets. */
export interface Word {
  readonly text: string;
  readonly known: boolean;
}

/** True for `name=value` and `name[index]=value`. */
export function isAssignment({ text }: Word): boolean {
  return /^[A-Za-z_]\w*(?:\[[^\]]*\])?\+?=/.test(text);
}

/** Where a word needs the rest of the grammar. */
export interface InnerScripts {
  /** Reads a list of commands at the cursor, up to and with its closing parenthesis. */
  list(): void;
  /** Reads a text of its own. */
  script(text: string): void;
}

/** Reads words at a cursor. */
export class WordReader {
  readonly #cursor: ShellCursor;
  readonly #inner: InnerScripts;

  constructor(cursor: ShellCursor, inner: InnerScripts) {
    this.#cursor = cursor;
    this.#inner = inner;
  }

  /** A word, with the commands of its substitutions. */
  word(): Word {
    const cursor = this.#cursor;
    let text = "";
    let known = true;
    const begin = cursor.at;
    while (!cursor.done) {
      const code = cursor.char();
      if ((code === "<" || code === ">") && cursor.at === begin && cursor.char(1) === "(") {
        cursor.at += 2;
        this.#inner.list();
        text += `${code}()`;
        known = false;
        continue;
      }
      if (META.includes(code)) break;
      if (code === "\\") {
        const next = cursor.char(1);
        if (next !== "\n") text += next;
        cursor.at += 2;
      } else if (code === "'") text += this.#single();
      else if (code === '"') {
        const part = this.#double();
        text += part.text;
        known &&= part.known;
      } else if (code === "$" || code === "`") {
        const part = this.#dollar();
        text += part.text;
        known &&= part.known;
      } else {
        if (code === "*" || code === "?" || code === "[" || code === "{") {
          known &&= code === "{" && this.#isPlainBrace();
        }
        text += code;
        cursor.at++;
      }
    }
    // A character that no rule takes: never stay in place.
    if (cursor.at === begin) cursor.at++;
    return { text, known };
  }

  /** `{` that begins no alternatives: `{}`, or alone. */
  #isPlainBrace(): boolean {
    const cursor = this.#cursor;
    const next = cursor.char(1);
    return next === "}" || next === "" || META.includes(next);
  }

  #single(): string {
    const cursor = this.#cursor;
    const close = cursor.text.indexOf("'", cursor.at + 1);
    const stop = close < 0 ? cursor.text.length : close;
    if (close < 0) cursor.complete = false;
    const text = cursor.text.slice(cursor.at + 1, stop);
    cursor.at = stop + 1;
    return text;
  }

  #double(): Word {
    const cursor = this.#cursor;
    let text = "";
    let known = true;
    cursor.at++;
    while (!cursor.done) {
      const code = cursor.char();
      if (code === '"') {
        cursor.at++;
        return { text, known };
      }
      if (code === "\\") {
        const next = cursor.char(1);
        if (next !== "\n") text += '$`"\\'.includes(next) ? next : code + next;
        cursor.at += 2;
      } else if (code === "$" || code === "`") {
        const part = this.#dollar();
        text += part.text;
        known &&= part.known;
      } else {
        text += code;
        cursor.at++;
      }
    }
    cursor.complete = false;
    return { text, known };
  }

  /** `$name`, `${...}`, `$(...)`, `$((...))`, `` `...` ``, `$'...'`. */
  #dollar(): Word {
    const cursor = this.#cursor;
    const begin = cursor.at;
    const next = cursor.char(1);
    if (cursor.text.charAt(begin) === "`") this.#backticks();
    else if (next === "'") {
      cursor.at++;
      return { text: this.#ansi(), known: true };
    } else if (next === "(") {
      cursor.at += 2;
      if (cursor.char() === "(") {
        cursor.at++;
        this.arithmetic();
      } else {
        this.#inner.list();
      }
    } else if (next === "{") {
      cursor.at += 2;
      this.#braces();
    } else if (/[A-Za-z0-9_@*#?$!-]/.test(next)) {
      cursor.at += 2;
      if (/[A-Za-z_]/.test(next)) { while (/\w/.test(cursor.char())) cursor.at++; }
    } else {
      cursor.at++;
      // A dollar sign before anything else is itself; before a double quote it says nothing.
      return { text: next === '"' ? "" : "$", known: true };
    }
    return { text: cursor.text.slice(begin, cursor.at), known: false };
  }

  /** The rest of `${...}`. */
  #braces(): void {
    const cursor = this.#cursor;
    cursor.enter();
    while (!cursor.done) {
      const code = cursor.char();
      if (code === "}") {
        cursor.at++;
        cursor.leave();
        return;
      }
      if (code === "\\") cursor.at += 2;
      else if (code === "'") this.#single();
      else if (code === '"') this.#double();
      else if (code === "$" || code === "`") this.#dollar();
      else cursor.at++;
    }
    cursor.complete = false;
    cursor.leave();
  }

  #backticks(): void {
    const cursor = this.#cursor;
    let script = "";
    cursor.at++;
    while (!cursor.done) {
      const code = cursor.char();
      cursor.at++;
      if (code === "`") return this.#inner.script(script);
      if (code === "\\" && "`\\$".includes(cursor.char())) {
        script += cursor.char();
        cursor.at++;
      } else script += code;
    }
    cursor.complete = false;
  }

  /** `'...'` after a dollar sign (bash(1), QUOTING). */
  #ansi(): string {
    const cursor = this.#cursor;
    let raw = "";
    cursor.at++;
    while (!cursor.done) {
      const code = cursor.char();
      if (code === "'") {
        cursor.at++;
        return unescapeAnsi(raw);
      }
      const width = code === "\\" ? 2 : 1;
      raw += cursor.text.slice(cursor.at, cursor.at + width);
      cursor.at += width;
    }
    cursor.complete = false;
    return unescapeAnsi(raw);
  }

  /** Everything up to `))`; substitutions within are followed. */
  arithmetic(): void {
    const cursor = this.#cursor;
    cursor.enter();
    let open = 0;
    while (!cursor.done) {
      const code = cursor.char();
      if (code === "$" || code === "`") this.#dollar();
      else {
        cursor.at++;
        if (code === "(") open++;
        else if (code === ")" && open > 0) open--;
        else if (code === ")" && cursor.char() === ")") {
          cursor.at++;
          cursor.leave();
          return;
        }
      }
    }
    cursor.complete = false;
    cursor.leave();
  }
}

const ANSI: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  e: "\x1b",
  E: "\x1b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

function unescapeAnsi(raw: string): string {
  return raw.replace(
    /\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|([0-7]{1,3})|(.))/gsu,
    (_, hex?: string, short?: string, long?: string, octal?: string, letter?: string) => {
      if (letter !== undefined) return ANSI[letter] ?? letter;
      const code = octal === undefined ? Number.parseInt(hex ?? short ?? long ?? "0", 16) : Number.parseInt(octal, 8);
      return code <= 0x10ffff ? String.fromCodePoint(code) : "";
    },
  );
}
