/** Numbers the rules of all layers and gives each a name that is unique in the snapshot. */
import type { PolicyFile, RuleNode } from "./ast.ts";
import type { NumberedLayer } from "./reference.ts";

/**
 * Numbers rules through all layers in the order given. A name that clashes is qualified: policy name, then file, then
 * number.
 */
export function numberLayers(files: readonly PolicyFile[]): readonly NumberedLayer[] {
  const forms: readonly ((file: PolicyFile, rule: RuleNode) => string)[] = [
    (_, rule) => rule.name,
    (file, rule) => `${file.name}/${rule.name}`,
    (file, rule) => `${file.file}/${rule.name}`,
  ];
  const counts = forms.map((form) => {
    const count = new Map<string, number>();
    for (const file of files) {
      for (const rule of file.rules) count.set(form(file, rule), (count.get(form(file, rule)) ?? 0) + 1);
    }
    return count;
  });
  let index = 0;
  return files.map((file) => ({
    file,
    rules: file.rules.map((node) => {
      const names = forms.map((form) => form(file, node));
      const unique = names.find((name, i) => counts[i]?.get(name) === 1);
      const name = unique ?? `${names.at(-1)}#${index}`;
      return { index: index++, name, node };
    }),
  }));
}
