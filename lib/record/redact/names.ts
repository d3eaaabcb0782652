/** Names whose values are secrets, and values that are none whatever they are called. */
import { ALNUM, classAt, classOf, DIGIT, JOINER, LETTER, LOWER } from "./chars.ts";

/**
 * What a name says of its value: `password` and `secret` always are secrets, `header` is one up to the end of the line,
 * `weak` is one if it looks like one.
 */
export type NameClass = "password" | "secret" | "header" | "weak";

/** Ends of names in lower case without joiners. Longer ones first where one ends another. */
const ENDS: readonly (readonly [string, NameClass])[] = [
  ...ends("password", ["password", "passwd", "passphrase", "pwd"]),
  ...ends("secret", ["secret", "secretkey", "apikey", "apitoken", "accesskey", "privatekey", "accountkey"]),
  ...ends("secret", ["authtoken", "accesstoken", "refreshtoken", "sessiontoken", "bearertoken", "clienttoken"]),
  ...ends("secret", ["encryptionkey", "signingkey", "masterkey"]),
  ...ends("header", ["authorization", "cookie"]),
  ...ends("weak", ["token", "pass", "auth", "credential", "credentials", "sessionid", "sig"]),
];

/** How names of `ENDS` end: most other names are told apart by it. */
const TAILS: ReadonlySet<string> = new Set(ENDS.map(([end]) => end.slice(-3)));

/** Longest name that is looked at, characters: longer ones are no names. */
export const NAME_CHARS_MAX = 64;

/** Names of directories, and answers to a question rather than secrets. */
const NOT_NAMES: ReadonlySet<string> = new Set(["pwd", "oldpwd", "dirpwd"]);

/** Words that stand where a secret would, in lower case. */
const NOT_SECRETS: ReadonlySet<string> = new Set(
  ("true false yes no on off null none nil undefined string str bool boolean int integer number any object bytes " +
    "text required optional default disabled enabled empty unset missing stdin prompt redacted hidden xxx xxxx xxxxx")
    .split(" "),
);

/** Longest value that is looked at to see whether it is a secret; longer ones are not judged by their name alone. */
export const WEAK_CHARS_MAX = 256;

function ends(name_class: NameClass, names: readonly string[]): readonly (readonly [string, NameClass])[] {
  return names.map((name) => [name, name_class] as const);
}

/** The class of a name such as `DB_PASSWORD`, `api-key`, `clientSecret`; `undefined` for any other name. */
export function classOfName(name: string): NameClass | undefined {
  if (name.length < 3 || name.length > NAME_CHARS_MAX) return undefined;
  if (!TAILS.has(name.slice(-3).toLowerCase())) return undefined;
  const plain = name.toLowerCase().replaceAll(/[-_.]/g, "");
  if (NOT_NAMES.has(plain)) return undefined;
  return ENDS.find(([end]) => plain.endsWith(end))?.[1];
}

/** True for a value that cannot be a secret: empty, a word of a language, a variable, a placeholder, a mark of ours. */
export function isHarmless(value: string, name_class: NameClass): boolean {
  // A longer one is no word, variable or path; and what is passed over must be short, as it is looked at again.
  if (value.length > WEAK_CHARS_MAX) return name_class === "weak";
  if (value === "" || value.startsWith("[redacted:") || value.startsWith("[cut:") || value.startsWith("$(")) {
    return true;
  }
  if (value.length <= 12 && NOT_SECRETS.has(value.toLowerCase())) return true;
  if (isReference(value) || isMask(value)) return true;
  if (name_class !== "password" && isPathLike(value)) return true;
  return name_class === "weak" && !looksSecret(value);
}

/** `$NAME`, `${NAME}`, `%NAME%`, `{{ name }}`, `<name>`: the name of a secret, not the secret. */
function isReference(value: string): boolean {
  if (value.length > NAME_CHARS_MAX) return false;
  const inner = innerOf(value);
  if (inner === undefined || inner === "") return false;
  for (let at = 0; at < inner.length; at++) {
    const code = inner.charCodeAt(at);
    if ((classOf(code) & (ALNUM | JOINER)) === 0 && code !== 0x20 && code !== 0x2e) return false;
  }
  return true;
}

function innerOf(value: string): string | undefined {
  if (value.startsWith("${{") && value.endsWith("}}")) return value.slice(3, -2);
  if (value.startsWith("${") && value.endsWith("}")) return value.slice(2, -1);
  if (value.startsWith("{{") && value.endsWith("}}")) return value.slice(2, -2);
  if (value.startsWith("<") && value.endsWith(">")) return value.slice(1, -1);
  if (value.startsWith("%") && value.endsWith("%")) return value.slice(1, -1);
  return value.startsWith("$") && isUpperName(value.slice(1)) ? value.slice(1) : undefined;
}

/** Names of shell variables are written in capitals; a password that begins with `$` seldom is. */
function isUpperName(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if ((classOf(code) & LOWER) !== 0 || ((classOf(code) & ALNUM) === 0 && code !== 0x5f)) return false;
  }
  return text !== "";
}

/** `****` and the like. */
function isMask(value: string): boolean {
  for (const char of value) if (char !== "*" && char !== "." && char !== "x" && char !== "X") return false;
  return true;
}

function isPathLike(value: string): boolean {
  return value.startsWith("/") || value.startsWith("./") || value.startsWith("~/") || value.startsWith("id=");
}

/** Eight characters or more without a space, with digits and letters, or long and in both cases. */
function looksSecret(value: string): boolean {
  if (value.length < 8) return false;
  let bits = 0;
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if (code <= 0x20) return false;
    // Code: a call, an index, a member.
    if (code === 0x28 || code === 0x5b) return false;
    bits |= classAt(value, at);
  }
  if ((bits & DIGIT) !== 0) return (bits & LETTER) !== 0;
  return value.length >= 16 && (bits & LETTER) === LETTER && !value.includes(".");
}
