/** Rule `globals`: clocks, chance, timers, the console, threads and the end of the process have a home. */

import { repositoryPath, zoneOf } from "./place.ts";

const EFFECT_HOMES: readonly string[] = ["lib/app", "lib/task", "scripts", "test", "main.ts"];
const THREAD_HOMES: readonly string[] = ["lib/app", "lib/task", "lib/capsule", "scripts", "test"];

/** `object.property` pairs that only the effect homes may use. */
const MEMBERS: Readonly<Record<string, readonly string[]>> = {
  process: ["exit"],
  Date: ["now"],
  Math: ["random"],
  Bun: ["sleep", "sleepSync"],
};

const EFFECT_NAMES: readonly string[] = ["console", "setTimeout", "setInterval"];
const THREAD_NAMES: readonly string[] = ["Worker", "WebAssembly"];

/** Reports each use of a global outside its home. Types are free: only values have effects. */
export const globals: Deno.lint.Rule = {
  create(context) {
    const path = repositoryPath(context.filename);
    const effects = EFFECT_HOMES.includes(zoneOf(path)) || path === "lib/core/time.ts";
    const threads = THREAD_HOMES.includes(zoneOf(path));
    const report = (node: Deno.lint.Node, name: string, homes: readonly string[]): void =>
      context.report({ node, message: `${name} may be used only in ${homes.join(", ")}` });
    return {
      Identifier(node): void {
        if (!isValueUse(node)) return;
        if (!effects && EFFECT_NAMES.includes(node.name)) report(node, node.name, EFFECT_HOMES);
        if (!threads && THREAD_NAMES.includes(node.name)) report(node, node.name, THREAD_HOMES);
      },
      MemberExpression(node): void {
        const [object, property] = [nameOf(node.object), nameOf(node.property)];
        if (object === "globalThis" && !effects && EFFECT_NAMES.includes(property)) {
          report(node, property, EFFECT_HOMES);
        }
        if (object === "globalThis" && !threads && THREAD_NAMES.includes(property)) {
          report(node, property, THREAD_HOMES);
        }
        if (!effects && (MEMBERS[object] ?? []).includes(property)) report(node, `${object}.${property}`, EFFECT_HOMES);
      },
      VariableDeclarator(node): void {
        if (effects || node.id.type !== "ObjectPattern" || node.init === null) return;
        const object = nameOf(node.init);
        for (const property of node.id.properties) {
          if (property.type !== "Property") continue;
          const key = nameOf(property.key);
          if ((MEMBERS[object] ?? []).includes(key)) report(property, `${object}.${key}`, EFFECT_HOMES);
        }
      },
      NewExpression(node): void {
        if (!effects && nameOf(node.callee) === "Date" && node.arguments.length === 0) {
          report(node, "new Date() without a time", EFFECT_HOMES);
        }
      },
    };
  },
};

/** The name that an identifier or a string literal spells, or "". */
function nameOf(node: Deno.lint.Node): string {
  if (node.type === "Identifier") return node.name;
  if (node.type === "Literal" && typeof node.value === "string") return node.value;
  if (node.type === "MemberExpression" && nameOf(node.object) === "globalThis") return nameOf(node.property);
  return "";
}

/** False for property names, keys, declared names and types: those only share the spelling. */
function isValueUse(node: Deno.lint.Identifier): boolean {
  const parent = node.parent;
  if (parent.type.startsWith("TS") && parent.type !== "TSAsExpression") return false;
  switch (parent.type) {
    case "MemberExpression":
      return parent.object.range[0] === node.range[0] || parent.computed;
    case "Property":
      return parent.shorthand || parent.computed || parent.key.range[0] !== node.range[0];
    case "MethodDefinition":
    case "PropertyDefinition":
      return parent.computed || parent.key.range[0] !== node.range[0];
    case "ImportSpecifier":
    case "ExportSpecifier":
    case "ClassDeclaration":
    case "FunctionDeclaration":
      return false;
    default:
      return true;
  }
}
