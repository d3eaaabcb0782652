/** Which argument lists of a program start a rule is compared with. */
import type { ExecAction } from "../core/mod.ts";

/**
 * A list that goes on where nobody read it. A command inside of a line is known to its end: what is not known of it is
 * decided when it starts.
 */
export function isCut(action: ExecAction): boolean {
  return action.flags?.includes("args_truncated") === true &&
    action.argv.reduce((length, text) => length + text.length + 1, 0) >= CUT_CHARS_MIN;
}

/** No list is cut before that many characters: the probes and the holder read 64 KiB, of at most four bytes each. */
const CUT_CHARS_MIN = 12_288;

/**
 * The kernel puts the interpreter, its argument and the script's name in front of a script's own arguments
 * (`/bin/sh ./tool push`). A rule about the script speaks of its own (`push`), one about the interpreter of all. What
 * forbids holds for either list; what permits only for the script's own: what stands before it is the script's to say.
 */
export function argumentLists(action: ExecAction, forbids: boolean): readonly (readonly string[])[] {
  const { argv, interpreter } = action;
  if (interpreter === undefined) return [argv];
  const name = action.requested_path ?? action.path;
  const at = argv.indexOf(name, 1);
  const own = at < 0 ? [] : [argv.slice(at)];
  return forbids ? [argv, ...own] : own;
}
