/** Program rules to what the program at `sched_process_exec` can ask: exact paths, base names, directories. */
import type { LoweredExecRule } from "../core/mod.ts";
import type { ProgramPattern } from "./ast.ts";
import { predicateNames } from "./actions.ts";
import type { TextGlob } from "./glob.ts";
import { kernelHome, type PathForm, pathForm, textsByKind } from "./path_forms.ts";
import type { NumberedRule } from "./reference.ts";

/** What became of a rule. */
export interface ExecLowering {
  readonly rule: LoweredExecRule;
  readonly complete: boolean;
  readonly note: string;
}

/**
 * The kernel's rule for one rule. A rule that forbids is lowered for those of its patterns that have a kernel form; one
 * that permits is lowered whole or not at all. The text says why there is none.
 */
export function lowerExecRule(rule: NumberedRule, home: string | undefined): ExecLowering | string {
  const { node, index } = rule;
  const { verdict } = node;
  if (verdict !== "deny" && verdict !== "ask" && verdict !== "allow") return `verdict ${verdict} has no kernel form`;
  const foreign = predicateNames(node.predicates).find((name) => name !== "exe");
  if (foreign !== undefined) return `predicate ${foreign} is decided in user space`;
  if (node.excepts.length > 0) return "exceptions of program rules are decided in user space";
  const patterns = node.predicates.exe;
  if (patterns === undefined) return "a rule about every program has no kernel form, use [default] exec";
  const known_home = kernelHome(home);
  const forms: PathForm[] = [];
  const left: string[] = [];
  for (const pattern of patterns) {
    const found = formsOf(pattern, known_home);
    if (found === undefined) left.push(pattern.text);
    else forms.push(...found);
  }
  if (forms.length === 0 || (left.length > 0 && verdict === "allow")) {
    return `${left.map((text) => JSON.stringify(text)).join(", ")} cannot be compared in the kernel`;
  }
  return {
    rule: { rule_index: index, verdict, ...textsByKind(forms) },
    complete: left.length === 0,
    note: left.length === 0 ? "" : `only after the start: ${left.map((text) => JSON.stringify(text)).join(", ")}`,
  };
}

function formsOf(pattern: ProgramPattern, home: string | undefined): readonly PathForm[] | undefined {
  const forms: PathForm[] = [];
  for (const glob of pattern.globs) {
    const form = "root" in glob ? pathForm(glob, home) : nameForm(glob);
    if (form === undefined) return undefined;
    forms.push(form);
  }
  return forms;
}

function nameForm(glob: TextGlob): PathForm | undefined {
  return glob.kind === "literal" ? { kind: "name", text: glob.text } : undefined;
}
