/** Which argument lists of a program start a rule is compared with. */
import type { ExecAction } from "../core/mod.ts";

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
