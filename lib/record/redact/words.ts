/** Command lines: flags whose value, in the same word or in the next, is a secret. */
import { classAt, QUOTE, SPACE } from "./chars.ts";
import { classOfName, isHarmless, NAME_CHARS_MAX, type NameClass } from "./names.ts";
import type { Scan } from "./scan.ts";

/** Which part of a value is secret. */
type Part = "whole" | "after_colon" | "after_percent" | "after_pass";

/** A flag of one program. */
interface ProgramFlag {
  readonly flag: string;
  /** Where the value stands: in the next word, in the same, or in either. */
  readonly where: "next" | "same" | "either";
  readonly part: Part;
}

const MYSQL: readonly ProgramFlag[] = [flag("-p", "same")];
const SEVEN_ZIP: readonly ProgramFlag[] = [flag("-p", "same")];
const LDAP: readonly ProgramFlag[] = [flag("-w", "either")];
const LOGIN: readonly ProgramFlag[] = [flag("-p", "either")];
const MONGO: readonly ProgramFlag[] = [flag("-p", "next")];

/** Programs whose short flags carry secrets. Sources: their manual pages. */
const PROGRAMS: ReadonlyMap<string, readonly ProgramFlag[]> = new Map([
  ...["mysql", "mysqldump", "mysqladmin", "mysqlimport", "mariadb", "mariadb-dump"].map((name) =>
    [name, MYSQL] as const
  ),
  ...["7z", "7za", "7zz", "7zr", "rar", "unrar"].map((name) => [name, SEVEN_ZIP] as const),
  ...["ldapsearch", "ldapadd", "ldapmodify", "ldapdelete", "ldapwhoami"].map((name) => [name, LDAP] as const),
  ...["mongo", "mongosh", "mongodump", "mongorestore"].map((name) => [name, MONGO] as const),
  ["sshpass", [flag("-p", "either")]],
  ["zip", [flag("-P", "next")]],
  ["unzip", [flag("-P", "next")]],
  ["sqlcmd", [flag("-P", "either")]],
  ["redis-cli", [flag("-a", "next"), flag("--pass", "next")]],
  ["smbclient", [flag("-U", "either", "after_percent")]],
  ["http", [flag("-a", "next", "after_colon")]],
  ["curl", [
    flag("-u", "either", "after_colon"),
    flag("-U", "either", "after_colon"),
    flag("--user", "next", "after_colon"),
    flag("--proxy-user", "next", "after_colon"),
  ]],
  ["openssl", [
    flag("-k", "next"),
    flag("-pass", "next", "after_pass"),
    flag("-passin", "next", "after_pass"),
    flag("-passout", "next", "after_pass"),
  ]],
]);

/** Programs with a `login` command that takes a password. */
const LOGINS: ReadonlySet<string> = new Set([
  "docker",
  "podman",
  "helm",
  "oras",
  "skopeo",
  "buildah",
  "crane",
  "az",
  "oc",
]);

/** Programs whose arguments name accounts at other hosts, `user@host`. */
const REMOTE: ReadonlySet<string> = new Set(["ssh", "scp", "sftp", "rsync", "mosh", "ssh-copy-id", "sshfs", "autossh"]);

/** Longest name of a program in the tables. */
const PROGRAM_CHARS_MAX = 16;

function flag(name: string, where: ProgramFlag["where"], part: Part = "whole"): ProgramFlag {
  return { flag: name, where, part };
}

/** True if the words of this program name accounts at other hosts. */
export function isRemoteProgram(word: string): boolean {
  return REMOTE.has(programOf(word));
}

function programOf(word: string): string {
  const tail = word.slice(-PROGRAM_CHARS_MAX - 1);
  return tail.slice(tail.lastIndexOf("/") + 1);
}

/** A place within a word. */
export interface Place {
  readonly start: number;
  readonly end: number;
}

/** Reads the words of one command in order and says which part of each is a secret. */
export class CommandWords {
  #program = "";
  #flags: readonly ProgramFlag[] = [];
  /** What the word before announced. */
  #expected: { readonly part: Part; readonly name_class: NameClass } | undefined;

  /** A new command begins. */
  reset(): void {
    this.#program = "";
    this.#flags = [];
    this.#expected = undefined;
  }

  /** The secret in the next word, without the quotes around it. */
  next(word: string): Place | undefined {
    const expected = this.#expected;
    this.#expected = undefined;
    if (expected !== undefined && !word.startsWith("--")) return placeOf(word, 0, expected.part, expected.name_class);
    if (word.startsWith("-")) return this.#flag(word);
    const assigned = assignedIn(word);
    if (assigned !== undefined) return assigned;
    if (word === "login" && LOGINS.has(this.#program)) this.#flags = LOGIN;
    const program = programOf(word);
    if (PROGRAMS.has(program) || LOGINS.has(program)) {
      this.#program = program;
      this.#flags = PROGRAMS.get(program) ?? [];
    }
    return undefined;
  }

  #flag(word: string): Place | undefined {
    for (const { flag, where, part } of this.#flags) {
      if (word === flag) {
        if (where !== "same") this.#expected = { part, name_class: "password" };
        return undefined;
      }
      if (where !== "next" && flag.length === 2 && word.startsWith(flag)) return placeOf(word, flag.length, part);
    }
    const equals = word.slice(0, NAME_CHARS_MAX + 1).indexOf("=");
    const name = word.slice(word.startsWith("--") ? 2 : 1, equals < 0 ? NAME_CHARS_MAX + 1 : equals);
    const name_class = name.startsWith("no-") ? undefined : classOfName(name);
    if (name_class === undefined) return undefined;
    if (equals < 0) {
      // `--auth` names a method far more often than a secret.
      if (!name.endsWith("auth")) {
        this.#expected = { part: "whole", name_class: name_class === "secret" ? "secret" : "password" };
      }
      return undefined;
    }
    return isHarmless(word.slice(equals + 1), name_class) ? undefined : { start: equals + 1, end: word.length };
  }
}

/** The value of `NAME=value`, whatever signs it holds, where the name says that it is a secret. */
function assignedIn(word: string): Place | undefined {
  const equals = word.slice(0, NAME_CHARS_MAX + 1).indexOf("=");
  const name_class = equals < 0 ? undefined : classOfName(word.slice(0, equals));
  if (name_class === undefined || !/^[A-Za-z_]\w*$/.test(word.slice(0, equals))) return undefined;
  return isHarmless(word.slice(equals + 1), name_class) ? undefined : { start: equals + 1, end: word.length };
}

function placeOf(
  word: string,
  from: number,
  part: Part,
  name_class: NameClass = "password",
): Place | undefined {
  const value = word.slice(from);
  const start = from + startOf(value, part);
  if (start < from || isHarmless(word.slice(start), name_class)) return undefined;
  return { start, end: word.length };
}

/** Where in the value the secret begins; negative where there is none. */
function startOf(value: string, part: Part): number {
  switch (part) {
    case "whole":
      return 0;
    case "after_colon":
      return value.indexOf(":") < 0 ? -value.length - 1 : value.indexOf(":") + 1;
    case "after_percent":
      return value.indexOf("%") < 0 ? -value.length - 1 : value.indexOf("%") + 1;
    case "after_pass":
      return value.startsWith("pass:") ? 5 : -value.length - 1;
  }
}

/**
 * Reads a text as a shell would, roughly: words between spaces or in quotes, commands between `;`, `|`, `&` and lines.
 */
export function scanCommandLine(scan: Scan): void {
  const { text } = scan;
  const words = new CommandWords();
  /** Quotes that are not closed any more in the rest of the text. */
  const unclosed = new Set<number>();
  for (let at = 0; at < text.length;) {
    const code = text.charCodeAt(at);
    scan.steps++;
    if (isSeparator(code)) words.reset();
    if ((classAt(text, at) & SPACE) !== 0 || isSeparator(code)) {
      at++;
      continue;
    }
    const word = wordAt(scan, at, unclosed);
    const place = words.next(text.slice(word.start, word.end));
    if (place !== undefined) scan.add(word.start + place.start, word.start + place.end, "password");
    at = Math.max(word.end, at + 1);
  }
}

function isSeparator(code: number): boolean {
  return code === 0x3b || code === 0x7c || code === 0x26 || code === 10 || code === 0x28;
}

function wordAt(scan: Scan, at: number, unclosed: Set<number>): Place {
  const { text } = scan;
  const quote = text.charCodeAt(at);
  if ((classAt(text, at) & QUOTE) !== 0 && !unclosed.has(quote)) {
    const close = text.indexOf(text.charAt(at), at + 1);
    scan.steps += (close < 0 ? text.length : close) - at;
    if (close >= 0) return { start: at + 1, end: close };
    unclosed.add(quote);
  }
  let end = at;
  while (end < text.length && (classAt(text, end) & SPACE) === 0 && !isSeparator(text.charCodeAt(end))) end++;
  scan.steps += end - at + 1;
  return { start: at, end: trimmed(text, at, end) };
}

/** Quotes at the end belong to what is around the word. */
function trimmed(text: string, start: number, end: number): number {
  let at = end;
  while (at > start && (classAt(text, at - 1) & QUOTE) !== 0) at--;
  return at === start ? end : at;
}
