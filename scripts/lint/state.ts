/** Rule `no-module-state`: what lives as long as a module belongs to nobody, so nothing mutable may. */

import { repositoryPath, zoneOf } from "./place.ts";

/** Constructors whose instances are mutable by nature. */
const MUTABLE = new RegExp(
  "^((Weak)?(Map|Set)|Array|(Shared)?ArrayBuffer|DataView|Big(Int|Uint)64Array|Float(32|64)Array|" +
    "U?[iI]nt(8|16|32)Array|Uint8ClampedArray|AbortController|EventTarget)$",
);

/** Annotations under which a collection is a constant table. */
const READONLY = /:\s*(readonly\b|Readonly(Map|Set|Array)?<)/;

/** Reports module-level `let` and `var`, module-level mutable collections and mutable static fields. */
export const noModuleState: Deno.lint.Rule = {
  create(context) {
    const zone = zoneOf(repositoryPath(context.filename));
    if (!zone.startsWith("lib/") && zone !== "ffi") return {};
    /** The source from the start of a declaration to its value: the name and the annotation. */
    const head = (node: Deno.lint.Node, value: Deno.lint.Node): string =>
      context.sourceCode.text.slice(node.range[0], value.range[0]);

    const checkDeclaration = (node: Deno.lint.VariableDeclaration, exported: boolean): void => {
      if (node.kind !== "const" && !node.declare) {
        context.report({ node, message: `move module-level ${node.kind} into the class or function that owns it` });
        return;
      }
      for (const declarator of node.declarations) {
        if (declarator.init === null || READONLY.test(head(declarator, declarator.init))) continue;
        const kind = mutableKind(declarator.init, exported);
        if (kind !== null) {
          const message = `module-level ${kind} is shared mutable state; give it a Readonly annotation or an owner`;
          context.report({ node: declarator, message });
        }
      }
    };
    return {
      Program(node): void {
        for (const statement of node.body) {
          if (statement.type === "VariableDeclaration") checkDeclaration(statement, false);
          if (statement.type === "ExportNamedDeclaration" && statement.declaration?.type === "VariableDeclaration") {
            checkDeclaration(statement.declaration, true);
          }
        }
      },
      PropertyDefinition(node): void {
        if (!node.static) return;
        const collection = node.value !== null && !READONLY.test(head(node, node.value)) &&
          mutableKind(node.value, false) !== null;
        if (!node.readonly || collection) {
          context.report({
            node,
            message: "a static field is module-level state; make it readonly data or an instance field",
          });
        }
      },
    };
  },
};

/** What makes the value mutable, or null. Only exported or empty literals count: a filled private table is data. */
function mutableKind(value: Deno.lint.Expression, exported: boolean): string | null {
  switch (value.type) {
    case "NewExpression": {
      const name = value.callee.type === "Identifier" ? value.callee.name : "";
      return MUTABLE.test(name) ? `new ${name}` : null;
    }
    case "ArrayExpression":
      return exported || value.elements.length === 0 ? "array" : null;
    case "ObjectExpression":
      return value.properties.length === 0 ? "empty object" : null;
    default:
      return null;
  }
}
