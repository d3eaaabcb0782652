/** Rule `layers`: every way to name another module obeys the import table, `import type` included. */

import { importProblem, repositoryPath } from "./place.ts";

/** Reports each import, re-export, dynamic import and `import("x").T` that the table forbids. */
export const layers: Deno.lint.Rule = {
  create(context) {
    const path = repositoryPath(context.filename);
    const check = (node: Deno.lint.Node, specifier: string, typeOnly: boolean): void => {
      const problem = importProblem(path, specifier, typeOnly);
      if (problem !== null) context.report({ node, message: problem });
    };
    return {
      ImportDeclaration(node): void {
        check(node, node.source.value, node.importKind === "type");
      },
      ExportNamedDeclaration(node): void {
        if (node.source !== null) check(node, node.source.value, node.exportKind === "type");
      },
      ExportAllDeclaration(node): void {
        check(node, node.source.value, node.exportKind === "type");
      },
      ImportExpression(node): void {
        if (node.source.type === "Literal" && typeof node.source.value === "string") {
          check(node, node.source.value, false);
        } else {
          context.report({ node, message: "give import() a literal, so that the import table can be checked" });
        }
      },
      TSImportType(node): void {
        const specifier = /^(?:typeof\s+)?import\s*\(\s*["']([^"']+)["']/.exec(context.sourceCode.getText(node));
        if (specifier?.[1] !== undefined) check(node, specifier[1], true);
      },
      CallExpression(node): void {
        if (node.callee.type === "Identifier" && node.callee.name === "require") {
          context.report({ node, message: "use import instead of require" });
        }
      },
    };
  },
};
