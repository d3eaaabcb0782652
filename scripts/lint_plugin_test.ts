/** Each rule of the lint plugin on code that it must refuse and code that it must accept; run by `deno test`. */

import plugin from "./lint_plugin.ts";

interface Case {
  /** The rule under test, without the plugin's prefix. */
  readonly rule: string;
  /** The file that the code pretends to be. */
  readonly file: string;
  readonly code: string;
  /** How many reports of this rule the code must give. */
  readonly count: number;
}

const bad = (rule: string, file: string, code: string, count = 1): Case => ({ rule, file, code, count });
const good = (rule: string, file: string, code: string): Case => ({ rule, file, code, count: 0 });
const lines = (count: number): string => "x();\n".repeat(count);

const CASES: readonly Case[] = [
  // layers: between folders
  good("layers", "lib/task/scope.ts", `import { ok } from "../core/mod.ts";`),
  good("layers", "lib/task/scope.ts", `import { sleep } from "./sleep.ts";`),
  good("layers", "lib/source/kernel/ring.ts", `import { x } from "../port.ts"; import { y } from "../../task/mod.ts";`),
  bad("layers", "lib/task/scope.ts", `import { ok } from "../core/result.ts";`),
  bad("layers", "lib/core/a.ts", `import { x } from "../task/mod.ts";`),
  bad("layers", "lib/core/a.ts", `import type { X } from "../task/mod.ts";`),
  bad("layers", "lib/decode/a.ts", `export { x } from "../enrich/mod.ts";`),
  bad("layers", "lib/decode/a.ts", `export * from "../enrich/mod.ts";`),
  bad("layers", "lib/decode/a.ts", `export const x = await import("../enrich/mod.ts");`),
  bad("layers", "lib/decode/a.ts", `export type X = import("../enrich/mod.ts").X;`),
  bad("layers", "lib/decode/a.ts", "export const x = (n: string) => import(n);"),
  bad("layers", "lib/decode/a.ts", `const x = require("../core/mod.ts");`),
  bad("layers", "lib/decide/a.ts", `import { x } from "../app/mod.ts";`),
  bad("layers", "lib/core/a.ts", `import { x } from "../../test/support/seed.ts";`),
  good("layers", "lib/decode/a.ts", `import { EVENT } from "../../probes/abi.gen.ts";`),
  bad("layers", "lib/decode/a.ts", `import { EVENT } from "../../probes/other.ts";`),
  bad("layers", "lib/enrich/a.ts", `import { EVENT } from "../../probes/abi.gen.ts";`),
  good("layers", "lib/publish/a.ts", `import type { Reader } from "../record/mod.ts";`),
  bad("layers", "lib/publish/a.ts", `import { open } from "../record/mod.ts";`),
  good("layers", "lib/app/run.ts", `import { open } from "../record/mod.ts"; import { load } from "../../ffi/mod.ts";`),
  bad("layers", "lib/app/run.ts", `import { open } from "../record/open.ts";`),
  good("layers", "main.ts", `import { main } from "./lib/app/mod.ts";`),
  bad("layers", "main.ts", `import { open } from "./lib/record/mod.ts";`),
  good("layers", "test/unit/core/ids_test.ts", `import { x } from "../../../lib/core/ids.ts";`),
  bad("layers", "lib/core/a.ts", `import { x } from "../../../elsewhere/mod.ts";`),
  // layers: packages and runtime modules
  good("layers", "ffi/library.ts", `import { dlopen } from "bun:ffi";`),
  bad("layers", "lib/act/a.ts", `import { dlopen } from "bun:ffi";`),
  bad("layers", "lib/act/a.ts", `import type { Pointer } from "bun:ffi";`),
  good("layers", "lib/store/open.ts", `import { Database } from "bun:sqlite";`),
  bad("layers", "lib/record/a.ts", `import { Database } from "bun:sqlite";`),
  good("layers", "lib/publish/a.ts", `import { Hono } from "hono"; import { stream } from "hono/streaming";`),
  bad("layers", "lib/app/a.ts", `import { stream } from "hono/streaming";`),
  good("layers", "lib/decide/a.ts", `import { parse } from "smol-toml";`),
  bad("layers", "lib/act/a.ts", `import { parse } from "smol-toml";`),
  bad("layers", "lib/config/a.ts", `import { Command } from "commander";`),
  bad("layers", "lib/app/a.ts", `import leftPad from "left-pad";`),
  bad("layers", "lib/app/a.ts", `import { test } from "bun:test";`),
  good("layers", "lib/source/a.ts", `import { readFile } from "node:fs/promises";`),
  bad("layers", "lib/enrich/a.ts", `import { readFile } from "node:fs/promises";`),
  good("layers", "lib/decide/a.ts", `import { normalize } from "node:path";`),
  bad("layers", "lib/act/a.ts", `import { setTimeout } from "node:timers/promises";`),
  // globals
  bad("globals", "lib/act/a.ts", "process.exit(1);"),
  bad("globals", "lib/act/a.ts", `process["exit"](1);`),
  bad("globals", "lib/act/a.ts", "const { exit } = process;"),
  good("globals", "lib/act/a.ts", "const pid = process.pid;"),
  bad("globals", "lib/act/a.ts", "const t = Date.now();"),
  bad("globals", "lib/act/a.ts", "const t = new Date();"),
  good("globals", "lib/act/a.ts", "const t = new Date(0);"),
  good("globals", "lib/core/time.ts", "const t = Date.now();"),
  bad("globals", "lib/core/ids.ts", "const t = Math.random();"),
  good("globals", "lib/core/ids.ts", "const t = Math.floor(1.5);"),
  bad("globals", "lib/act/a.ts", "console.log(1);"),
  bad("globals", "lib/act/a.ts", "globalThis.console.log(1);"),
  bad("globals", "lib/act/a.ts", "const log = console;"),
  good("globals", "lib/act/a.ts", "const a = b.console; const c = { console: 1 };"),
  good("globals", "lib/app/a.ts", "console.log(1); process.exit(0); setTimeout(f, 1); new Worker(u);"),
  bad("globals", "lib/source/a.ts", "setTimeout(f, 1); setInterval(f, 1);", 2),
  good("globals", "lib/task/a.ts", "setTimeout(f, 1);"),
  bad("globals", "lib/source/a.ts", "new Worker(u);"),
  bad("globals", "lib/source/a.ts", "WebAssembly.compile(b);"),
  good("globals", "lib/source/a.ts", "function f(worker: Worker): void {}"),
  good("globals", "lib/capsule/a.ts", "WebAssembly.compile(b); new Worker(u);"),
  bad("globals", "lib/source/a.ts", "await Bun.sleep(1);"),
  good("globals", "test/unit/a_test.ts", "console.log(Date.now(), Math.random());"),
  // no-module-state
  bad("no-module-state", "lib/act/a.ts", "let count = 0;"),
  bad("no-module-state", "ffi/a.ts", "export let count = 0;"),
  bad("no-module-state", "lib/act/a.ts", "const cache = new Map<string, number>();"),
  bad("no-module-state", "lib/act/a.ts", "const scratch = new Uint8Array(8);"),
  bad("no-module-state", "lib/act/a.ts", "const pending: string[] = [];"),
  bad("no-module-state", "lib/act/a.ts", "const seen = {};"),
  bad("no-module-state", "lib/act/a.ts", `export const names: string[] = ["a"];`),
  good("no-module-state", "lib/act/a.ts", `export const names: readonly string[] = ["a"];`),
  good("no-module-state", "lib/act/a.ts", `export const names = ["a"] as const;`),
  good("no-module-state", "lib/act/a.ts", `const table: ReadonlyMap<string, number> = new Map([["a", 1]]);`),
  good("no-module-state", "lib/act/a.ts", "const LIMIT = 3; const encoder = new TextEncoder();"),
  good("no-module-state", "lib/act/a.ts", "function f(): number { let n = 0; return ++n; }"),
  bad("no-module-state", "lib/act/a.ts", "class A { static count = 0; }"),
  bad("no-module-state", "lib/act/a.ts", "class A { static readonly seen = new Set<string>(); }"),
  good("no-module-state", "lib/act/a.ts", "class A { static readonly limit = 3; #seen = new Set<string>(); }"),
  good("no-module-state", "test/unit/a_test.ts", "let count = 0;"),
  // shape
  bad("max-lines", "lib/act/a.ts", lines(301)),
  good("max-lines", "lib/act/a.ts", lines(300)),
  good("max-lines", "probes/abi.gen.ts", lines(301)),
  bad("max-function-lines", "lib/act/a.ts", `function f() {\n${lines(69)}}`),
  good("max-function-lines", "lib/act/a.ts", `function f() {\n${lines(68)}}`),
  bad("max-function-lines", "ffi/a.ts", `class A { m() {\n${lines(69)}} }`),
  bad("max-function-lines", "scripts/a.ts", `const f = () => {\n${lines(69)}};`),
  bad("no-default-export", "lib/act/a.ts", "export default 1;"),
  bad("no-default-export", "lib/act/a.ts", "const x = 1; export { x as default };"),
  good("no-default-export", "lib/act/a.ts", "export const x = 1;"),
  good("no-default-export", "ffi/embedded.d.ts", `declare module "*.o" { const path: string; export default path; }`),
  bad("no-cast", "lib/act/a.ts", "const x = y as Foo;"),
  bad("no-cast", "lib/act/a.ts", "const x = <Foo>y;"),
  good("no-cast", "lib/act/a.ts", "const x = [1] as const;"),
  good("no-cast", "lib/core/ids.ts", "const x = y as EntryId;"),
  good("no-cast", "ffi/a.ts", "const x = y as Pointer;"),
];

for (const [index, { rule, file, code, count }] of CASES.entries()) {
  const title = code.length > 60 ? `${code.slice(0, 40).replaceAll("\n", " ")}...` : code;
  Deno.test(`${rule} ${count === 0 ? "accepts" : "refuses"} ${file}: ${title} (${index})`, () => {
    const reports = Deno.lint.runPlugin(plugin, file, code).filter(({ id }) => id === `agentguard/${rule}`);
    if (reports.length !== count) {
      throw new Error(`expected ${count} reports, got ${JSON.stringify(reports.map(({ message }) => message))}`);
    }
  });
}
