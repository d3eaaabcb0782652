/** Writes build/licenses.txt: the notices for everything that the executable embeds. */

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runScript } from "./support/cli.ts";
import { mustRun } from "./support/command.ts";
import { inRoot } from "./support/paths.ts";
import type { Step } from "./support/step.ts";

const HELP = `
Writes the licence notices of everything that dist/agentguard embeds.

usage: bun scripts/licenses.ts [--print]

  --print   write to stdout instead of build/licenses.txt
`;

const OUTPUT = "build/licenses.txt";

/** Where Bun's own licence page lies among the pinned development dependencies. */
const BUN_LICENSE = "node_modules/bun-types/docs/project/license.mdx";

/** Debian packages whose binaries are inside: three shared libraries, and the C library of the static launcher. */
const DEBIAN: readonly { readonly package: string; readonly what: string; readonly terms: readonly string[] }[] = [
  { package: "libbpf1", what: "libbpf.so.1, used under BSD-2-Clause", terms: [] },
  { package: "libelf1", what: "libelf.so.1 of elfutils, used under LGPL-3.0-or-later", terms: ["LGPL-3", "GPL-3"] },
  { package: "zlib1g", what: "libz.so.1", terms: [] },
  { package: "musl-dev", what: "musl, linked into the launcher", terms: [] },
];

/** One component's notice. */
interface Notice {
  readonly title: string;
  readonly text: string;
}

/** The step that writes the notices. */
export async function licenseStep(): Promise<Step> {
  const text = await collectNotices();
  return {
    name: "licenses",
    inputs: ["LICENSE"],
    key: [text],
    outputs: [OUTPUT],
    action: (): Promise<void> => {
      writeFileSync(inRoot(OUTPUT), text);
      return Promise.resolve();
    },
  };
}

/** All notices as one text; throws if a component has none, because then it may not be shipped. */
export async function collectNotices(): Promise<string> {
  const notices = [
    ...npmNotices(),
    bunNotice(),
    ...termNotices(["LGPL-2", "LGPL-2.1"], "libraries that Bun links"),
    ...(await debianNotices()),
  ];
  const own = readFileSync(inRoot("LICENSE"), "utf8").trim();
  const head = [
    "agentguard is licensed under Apache-2.0 (text below); its BPF programs under BSD-2-Clause or GPL-2.0.",
    "It contains the components listed here, each under its own licence.",
    "",
    ...["agentguard", ...notices.map(({ title }) => title)].map((title) => `  ${title}`),
  ].join("\n");
  const parts = [{ title: "agentguard", text: own }, ...notices];
  const rule = "=".repeat(80);
  return [head, ...parts.map(({ title, text }) => `${rule}\n${title}\n${rule}\n\n${text.trim()}`)].join("\n\n") + "\n";
}

function npmNotices(): readonly Notice[] {
  const manifest = readJson(inRoot("package.json"));
  const names = new Set(Object.keys(fieldsOf(manifest["dependencies"])));
  // What a dependency depends on is embedded, too; a set goes on with what is added to it.
  for (const name of names) {
    const { dependencies } = readJson(inRoot("node_modules", name, "package.json"));
    for (const inner of Object.keys(fieldsOf(dependencies))) names.add(inner);
  }
  return [...names].sort().map((name) => {
    const folder = inRoot("node_modules", name);
    const { version, license } = readJson(join(folder, "package.json"));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`find the licence text of ${name}: its package has no LICENSE file`);
    return { title: `${name} ${version}, ${license}`, text: readFileSync(join(folder, file), "utf8") };
  });
}

function bunNotice(): Notice {
  const path = inRoot(BUN_LICENSE);
  if (!existsSync(path)) throw new Error(`find Bun's licence page: ${BUN_LICENSE} is missing`);
  const text = readFileSync(path, "utf8").replace(/^---[\s\S]*?\n---\n/, "");
  return { title: `Bun ${Bun.version}, MIT, with the libraries that it links`, text };
}

/** The full text of licences that notices only name; Debian's base-files brings them. */
function termNotices(names: readonly string[], of: string): readonly Notice[] {
  return names.map((name) => ({
    title: `${name}, terms of ${of}`,
    text: readFileSync(`/usr/share/common-licenses/${name}`, "utf8"),
  }));
}

async function debianNotices(): Promise<readonly Notice[]> {
  const notices: Notice[] = [];
  for (const { package: name, what, terms } of DEBIAN) {
    const path = `/usr/share/doc/${name}/copyright`;
    if (!existsSync(path)) throw new Error(`reinstall ${name}: its licence notice ${path} is missing`);
    const format = "${Version}, source package ${source:Package} ${source:Version}";
    const version = (await mustRun(["dpkg-query", "-W", `-f=${format}\\n`, name])).split("\n")[0];
    notices.push({ title: `${name} ${version}: ${what}`, text: readFileSync(path, "utf8") });
    notices.push(...termNotices(terms, name));
  }
  return notices;
}

function readJson(path: string): Readonly<Record<string, unknown>> {
  const value: unknown = JSON.parse(readFileSync(path, "utf8"));
  return fieldsOf(value);
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

if (import.meta.main) {
  await runScript({ help: HELP, options: { print: "flag" } }, async ({ print }) => {
    const text = await collectNotices();
    if (print === true) await Bun.write(Bun.stdout, text);
    else writeFileSync(inRoot(OUTPUT), text);
    return 0;
  });
}
