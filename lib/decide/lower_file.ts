/** File rules to what a program at a security hook can ask: exact paths, base names, directories. */
import type { NumberedRule } from "./reference.ts";
import { predicateNames } from "./actions.ts";
import type { KernelForm } from "./candidates.ts";
import { kernelHome, pathForm } from "./path_forms.ts";

/**
 * What a kernel program could hold of a rule about files. A rule that forbids has a form for those of its patterns that
 * the kernel compares. The text says why there is none.
 */
export function lowerFileRule({ node }: NumberedRule, home: string | undefined): KernelForm | string {
  const foreign = predicateNames(node.predicates).find((name) => name !== "path");
  if (foreign !== undefined) return `predicate ${foreign} is decided in user space`;
  if (node.excepts.length > 0) return "exceptions of file rules are decided in user space";
  const patterns = node.predicates.path;
  if (patterns === undefined) return "a rule about every file has no kernel form";
  const known_home = kernelHome(home);
  const left = patterns.filter(({ globs }) => globs.some((glob) => pathForm(glob, known_home) === undefined));
  const texts = left.map(({ text }) => JSON.stringify(text)).join(", ");
  if (left.length === patterns.length) return `${texts} cannot be compared in the kernel`;
  return { complete: left.length === 0, note: left.length === 0 ? "" : `only after the effect: ${texts}` };
}
