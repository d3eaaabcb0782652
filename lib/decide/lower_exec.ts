/** Program rules to what the program at `sched_process_exec` can ask: exact paths, base names, directories. */
import type { LoweredExecRule } from "../core/mod.ts";
import type { ProgramPattern } from "./ast.ts";
import { predicateNames } from "./actions.ts";
import type { PathGlob, Segment } from "./glob.ts";
import { usableHome } from "./match.ts";
import { normalName } from "./names.ts";
import { exactPath, treeOf } from "./path_matcher.ts";
import type { NumberedRule } from "./reference.ts";

/** What became of a rule. */
export interface ExecLowering {
  readonly rule: LoweredExecRule;
  readonly complete: boolean;
  readonly note: string;
}

/** One pattern in a form that the kernel compares. */
type Form = { readonly kind: "path" | "name" | "tree"; readonly text: string };

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
  const known_home = home === undefined ? undefined : usableHome(normalName(home));
  const forms: Form[] = [];
  const left: string[] = [];
  for (const pattern of patterns) {
    const found = formsOf(pattern, known_home);
    if (found === undefined) left.push(pattern.text);
    else forms.push(...found);
  }
  if (forms.length === 0 || (left.length > 0 && verdict === "allow")) {
    return `${left.map((text) => JSON.stringify(text)).join(", ")} cannot be compared in the kernel`;
  }
  const texts = (kind: Form["kind"]): readonly string[] => [
    ...new Set(forms.filter((form) => form.kind === kind).map((form) => form.text)),
  ];
  return {
    rule: { rule_index: index, verdict, paths: texts("path"), names: texts("name"), trees: texts("tree") },
    complete: left.length === 0,
    note: left.length === 0 ? "" : `only after the start: ${left.map((text) => JSON.stringify(text)).join(", ")}`,
  };
}

function formsOf(pattern: ProgramPattern, home: string | undefined): readonly Form[] | undefined {
  const forms: Form[] = [];
  for (const glob of pattern.globs) {
    const form = "root" in glob ? pathForm(glob, home) : glob.kind === "literal" ? nameForm(glob.text) : undefined;
    if (form === undefined) return undefined;
    forms.push(form);
  }
  return forms;
}

function nameForm(text: string): Form {
  return { kind: "name", text };
}

function pathForm(glob: PathGlob, home: string | undefined): Form | undefined {
  if (glob.root === "home") {
    if (home === undefined) return undefined;
    const below: readonly Segment[] = home.split("/").slice(1).map((text) => ({ kind: "literal", text }));
    return pathForm({ root: "absolute", segments: [...below, ...glob.segments] }, home);
  }
  const path = exactPath(glob);
  if (path !== undefined) return { kind: "path", text: path };
  const tree = treeOf(glob);
  if (tree !== undefined && tree !== "") return { kind: "tree", text: tree };
  const [first, second] = glob.segments;
  const is_name = glob.root === "anywhere" && glob.segments.length === 2 && first?.kind === "deep";
  return is_name && second?.kind === "literal" ? nameForm(second.text) : undefined;
}
