/**
 * The repository's own lint rules, loaded by `deno lint` (deno.json, `lint.plugins`).
 * They have no waiver: test/tidy_test.ts refuses an ignore comment that names one.
 */

import { globals } from "./lint/globals.ts";
import { layers } from "./lint/imports.ts";
import { maxFunctionLines, maxLines, noCast, noDefaultExport } from "./lint/shape.ts";
import { noModuleState } from "./lint/state.ts";

const plugin: Deno.lint.Plugin = {
  name: "agentguard",
  rules: {
    "layers": layers,
    "globals": globals,
    "no-module-state": noModuleState,
    "max-lines": maxLines,
    "max-function-lines": maxFunctionLines,
    "no-default-export": noDefaultExport,
    "no-cast": noCast,
  },
};

export default plugin;
