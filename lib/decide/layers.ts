/** Numbers the rules of all layers and gives each a name that is unique in the snapshot. */
import type { PolicyFile, RuleNode } from "./ast.ts";
import type { NumberedLayer } from "./reference.ts";

/**
 * Numbers rules through all layers in the order given. A name that clashes is qualified: policy name, then file, then
 * number.
 */
export function numberLayers(files: readonly PolicyFile[]): readonly NumberedLayer[] {
  const counts = FORMS.map(() => new Map<string, number>());
  const count = (form: number): void => {
    for (const file of files) {
      for (const rule of file.rules) {
        const name = FORMS[form]?.(file, rule) ?? "";
        counts[form]?.set(name, (counts[form]?.get(name) ?? 0) + 1);
      }
    }
  };
  count(0);
  let rules = 0;
  for (const file of files) rules += file.rules.length;
  // The longer forms are needed only where a name clashes.
  if (counts[0]?.size !== rules) { for (let form = 1; form < FORMS.length; form++) count(form); }
  let index = 0;
  return files.map((file) => ({
    file,
    rules: file.rules.map((node) => {
      const form = counts.findIndex((count, i) => count.get(FORMS[i]?.(file, node) ?? "") === 1);
      const name = FORMS[form]?.(file, node) ?? `${FORMS.at(-1)?.(file, node)}#${index}`;
      return { index: index++, name, node };
    }),
  }));
}

/** Forms of a rule's name, the shortest first. */
const FORMS: readonly ((file: PolicyFile, rule: RuleNode) => string)[] = [
  (_, rule) => rule.name,
  (file, rule) => `${file.name}/${rule.name}`,
  (file, rule) => `${file.file}/${rule.name}`,
];
