/** Options of programs that start other programs: how far they go, and what is among them. */
import type { PrefixOptions } from "./shell_wrappers.ts";
import type { Word } from "./shell_words.ts";

/** Of env(1). */
export const ENV_OPTIONS: PrefixOptions = { letters: "uC", long: ["unset", "chdir"], operands: 0 };
/** Of sudo(8) and doas(1). */
export const SUDO_OPTIONS: PrefixOptions = {
  letters: "ugCDRTUrthpa",
  long: ["user", "group", "close-from", "chdir", "chroot", "command-timeout", "other-user", "role", "type", "prompt"],
  operands: 0,
};
/** Of su(1) and runuser(1). */
export const SU_OPTIONS: PrefixOptions = {
  letters: "ugGswT",
  long: ["user", "group", "supp-group", "shell", "whitelist-environment"],
  operands: 0,
  script: "c",
};
/** Of xargs(1). */
export const XARGS_OPTIONS: PrefixOptions = {
  letters: "IELnPsda",
  long: ["max-args", "max-procs", "max-chars", "max-lines", "delimiter", "arg-file", "process-slot-var"],
  operands: 0,
};
/** Of watch(1). */
export const WATCH_OPTIONS: PrefixOptions = { letters: "nq", long: ["interval"], operands: 0 };

/** Options up to the first operand: what follows them, their letters, and the value of the one that is a script. */
export function skipOptions(
  args: readonly Word[],
  { letters, long, script }: PrefixOptions,
): { readonly rest: readonly Word[]; readonly seen: string; readonly script: Word | undefined } {
  let seen = "";
  let value: Word | undefined;
  let at = 0;
  for (; at < args.length; at++) {
    const text = args[at]?.text ?? "";
    if (text === "--") {
      at++;
      break;
    }
    if (!text.startsWith("-") || (text === "-" && script === undefined)) break;
    if (text.startsWith("--")) {
      const name = text.slice(2);
      seen += LONG_LETTERS[name.split("=", 1)[0] ?? ""] ?? "";
      if (script !== undefined && name.split("=", 1)[0] === "command") value = longValue(args, at, text);
      if (!name.includes("=") && (long.includes(name) || (script !== undefined && name === "command"))) at++;
      continue;
    }
    for (let i = 1; i < text.length; i++) {
      const letter = text.charAt(i);
      seen += letter;
      const is_script = letter === script;
      if (!is_script && !letters.includes(letter)) continue;
      const attached = text.slice(i + 1);
      if (is_script) value = attached === "" ? args[at + 1] : { text: attached, known: args[at]?.known === true };
      if (attached === "") at++;
      break;
    }
  }
  return { rest: args.slice(at), seen, script: value };
}

/** Long options that matter here, as their letters. */
const LONG_LETTERS: Readonly<Record<string, string>> = {
  login: "i",
  shell: "s",
  user: "u",
  list: "l",
  edit: "e",
  chdir: "C",
};

function longValue(args: readonly Word[], at: number, text: string): Word | undefined {
  const equals = text.indexOf("=");
  return equals < 0 ? args[at + 1] : { text: text.slice(equals + 1), known: args[at]?.known === true };
}
