/** Rules about the shape of a file: its length, its functions' length, its exports and its casts. */

import { repositoryPath, zoneOf } from "./place.ts";

/** Lines of a file that make it a design question. */
const FILE_LINES_MAX = 300;

/** Lines of a function that make it a design question. */
const FUNCTION_LINES_MAX = 70;

/** Files that construct branded values, where a cast is the only way. */
const CAST_HOMES: readonly string[] = ["lib/core/ids.ts", "lib/core/brand.ts"];

/** True where the limits on size hold: the product and its scripts, without generated files. */
function isSized(path: string): boolean {
  const zone = zoneOf(path);
  return (zone.startsWith("lib/") || ["ffi", "scripts", "main.ts"].includes(zone)) && !path.endsWith(".gen.ts");
}

/** Reports a file over 300 lines. */
export const maxLines: Deno.lint.Rule = {
  create(context) {
    if (!isSized(repositoryPath(context.filename))) return {};
    return {
      Program(node): void {
        const lines = countLines(context.sourceCode.text.trimEnd());
        if (lines > FILE_LINES_MAX) {
          context.report({ node, message: `split the file: ${lines} lines, at most ${FILE_LINES_MAX}` });
        }
      },
    };
  },
};

/** Reports a function or method over 70 lines. */
export const maxFunctionLines: Deno.lint.Rule = {
  create(context) {
    if (!isSized(repositoryPath(context.filename))) return {};
    const check = (node: Deno.lint.Node): void => {
      const lines = countLines(context.sourceCode.getText(node));
      if (lines > FUNCTION_LINES_MAX) {
        context.report({ node, message: `split the function: ${lines} lines, at most ${FUNCTION_LINES_MAX}` });
      }
    };
    return { FunctionDeclaration: check, FunctionExpression: check, ArrowFunctionExpression: check };
  },
};

/** Files whose default export a tool asks for: the plugin itself, and declarations of embedded files. */
const DEFAULT_EXPORT = /^scripts\/lint_plugin\.ts$|\.d\.ts$/;

/** Reports default exports: a name that each importer invents cannot be searched for. */
export const noDefaultExport: Deno.lint.Rule = {
  create(context) {
    if (DEFAULT_EXPORT.test(repositoryPath(context.filename))) return {};
    return {
      ExportDefaultDeclaration(node): void {
        context.report({ node, message: "export by name" });
      },
      ExportSpecifier(node): void {
        if (context.sourceCode.getText(node.exported) === "default") {
          context.report({ node, message: "export by name" });
        }
      },
    };
  },
};

/** Reports `as` and `<T>x` outside the files that may cast; `as const` is no cast. */
export const noCast: Deno.lint.Rule = {
  create(context) {
    const path = repositoryPath(context.filename);
    const zone = zoneOf(path);
    if (zone === "ffi" || zone === "test" || CAST_HOMES.includes(path)) return {};
    return {
      TSAsExpression(node): void {
        if (!/\bas\s+const$/.test(context.sourceCode.getText(node))) {
          context.report({ node, message: "narrow the value with a check instead of a cast" });
        }
      },
      TSTypeAssertion(node): void {
        context.report({ node, message: "narrow the value with a check instead of a cast" });
      },
    };
  },
};

function countLines(text: string): number {
  return text.split("\n").length;
}
