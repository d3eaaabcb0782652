/** File rules to what a program at a security hook can ask: exact paths, base names, extensions, directories. */
import { type FileActionName, LIMITS, type LoweredFileRule } from "../core/mod.ts";
import type { PathPattern } from "./ast.ts";
import { predicateNames } from "./actions.ts";
import type { KernelForm } from "./candidates.ts";
import type { PathGlob } from "./glob.ts";
import { kernelHome, type PathForm, socketForm } from "./path_forms.ts";
import type { NumberedRule } from "./reference.ts";
import type { RuleEnforcement } from "./report.ts";

/** One pattern in a form that programs at security hooks compare. */
interface FileForm {
  readonly kind: PathForm["kind"] | "extension";
  readonly text: string;
}

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
  const left = patterns.filter((pattern) => formsOf(pattern, kernelHome(home)) === undefined);
  const texts = left.map(({ text }) => JSON.stringify(text)).join(", ");
  if (left.length === patterns.length) return `${texts} cannot be compared in the kernel`;
  return { complete: left.length === 0, note: left.length === 0 ? "" : `only after the effect: ${texts}` };
}

/** The kernel's rules, for those parts of each rule that security hooks keep on this host. */
export function loweredFileRules(
  rules: readonly NumberedRule[],
  report: readonly RuleEnforcement[],
  home: string | undefined,
): readonly LoweredFileRule[] {
  const by_index = new Map(report.map((row) => [row.rule_index, row]));
  return rules.flatMap((rule) => {
    const parts = by_index.get(rule.index)?.parts ?? [];
    const actions = parts.filter(({ mechanism }) => mechanism === "lsm").flatMap((part) => part.actions).filter(
      isHooked,
    );
    const forms = (rule.node.predicates.path ?? []).flatMap((pattern) => formsOf(pattern, kernelHome(home)) ?? []);
    if (actions.length === 0 || forms.length === 0) return [];
    const texts = (kind: FileForm["kind"]): readonly string[] => [
      ...new Set(forms.filter((form) => form.kind === kind).map((form) => form.text)),
    ];
    return [{
      rule_index: rule.index,
      actions,
      paths: texts("path"),
      names: texts("name"),
      extensions: texts("extension"),
      trees: texts("tree"),
    }];
  });
}

/** Programs have rules of their own. */
function isHooked(type: string): type is FileActionName {
  return type.startsWith("file.") || type === "unix.connect";
}

/** The forms of all globs of a pattern; `undefined` where one has none. */
function formsOf({ globs }: PathPattern, home: string | undefined): readonly FileForm[] | undefined {
  const forms: FileForm[] = [];
  for (const glob of globs) {
    const form = socketForm(glob, home) ?? extensionForm(glob);
    if (form === undefined || Buffer.byteLength(form.text) > LIMITS.kernel_path_bytes_max) return undefined;
    forms.push(form);
  }
  return forms;
}

/** `**\/*.pem`: the last component ends with a dot and text without one. */
function extensionForm({ root, segments }: PathGlob): FileForm | undefined {
  const [first, second] = segments;
  if (root !== "anywhere" || segments.length !== 2 || first?.kind !== "deep" || second?.kind !== "wild") {
    return undefined;
  }
  const [many, ...rest] = second.tokens;
  if (many?.kind !== "many") return undefined;
  let text = "";
  for (const token of rest) {
    if (token.kind !== "char") return undefined;
    text += String.fromCodePoint(token.code);
  }
  return text.length > 1 && text.lastIndexOf(".") === 0 ? { kind: "extension", text } : undefined;
}
