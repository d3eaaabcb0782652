/** Rules about unix sockets to what cgroup programs can ask: exact names, abstract ones, base names, directories. */
import { LIMITS, type LoweredUnixRule } from "../core/mod.ts";
import { predicateNames } from "./actions.ts";
import type { KernelForm } from "./candidates.ts";
import type { PathGlob } from "./glob.ts";
import { kernelHome, type PathForm, socketForm, textsByKind } from "./path_forms.ts";
import type { NumberedRule } from "./reference.ts";

/** The kernel's rule for one that forbids, for those patterns that the kernel compares. The text says why not. */
export function lowerUnixRule(
  { node, index }: NumberedRule,
  home: string | undefined,
): KernelForm & { readonly rule: LoweredUnixRule } | string {
  const foreign = predicateNames(node.predicates).find((name) => name !== "path");
  if (foreign !== undefined) return `predicate ${foreign} is decided in user space`;
  if (node.excepts.length > 0) return "exceptions of rules about unix sockets are decided in user space";
  const patterns = node.predicates.path;
  if (patterns === undefined) return "a rule about every socket has no kernel form";
  const forms: PathForm[] = [];
  const left: string[] = [];
  for (const { globs, text } of patterns) {
    const found = globs.map((glob) => formOf(glob, kernelHome(home)));
    if (found.some((form) => form === undefined)) left.push(JSON.stringify(text));
    else forms.push(...found.filter((form) => form !== undefined));
  }
  if (forms.length === 0) return `${left.join(", ")} cannot be compared in the kernel`;
  const note = left.length === 0 ? "" : `only after the effect: ${left.join(", ")}`;
  return { rule: { rule_index: index, ...textsByKind(forms) }, complete: left.length === 0, note };
}

function formOf(glob: PathGlob, home: string | undefined): PathForm | undefined {
  const form = socketForm(glob, home);
  return form !== undefined && Buffer.byteLength(form.text) <= LIMITS.kernel_path_bytes_max ? form : undefined;
}
