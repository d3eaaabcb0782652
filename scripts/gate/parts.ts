/** The parts of the gate, in order. */

import { runCommand } from "../support/command.ts";
import { ROOT, toolPath } from "../support/paths.ts";
import { runGroup, runTopLevel, testGroups } from "./bun_tests.ts";
import { runExamples } from "./examples.ts";
import { checked, type Outcome } from "./outcome.ts";
import { runVirtualMachines } from "./vm.ts";

/** One part: a check that counts as one test, or a group of tests. */
export interface Part {
  readonly name: string;
  readonly run: () => Promise<Outcome>;
  /**
   * `together`: neither loads the machine's kernel nor minds what runs beside it. `behind`: goes on behind all parts
   * that follow, with less right to the processors than they have. Absent: alone but for what is behind it.
   */
  readonly turn?: "together" | "behind";
}

/** Groups of tests that run in their own memory and directories. */
const TOGETHER: readonly string[] = ["unit", "property", "fault"];

/** Parts that `--only` runs first all the same: tests import what they make. */
export const PREREQUISITES: readonly string[] = ["setup", "build"];

/** All parts of this repository as it is now. */
export function gateParts(): readonly Part[] {
  const [bun, deno, oxlint] = [toolPath("bun"), toolPath("deno"), toolPath("oxlint")];
  const groups = testGroups();
  const plugin = ["scripts/lint_plugin.ts", "scripts/lint_plugin_test.ts"];
  return [
    command("setup", ["scripts/setup.sh", "--tests"]),
    command("build", ["scripts/build.sh"]),
    together(command("format", [deno, "fmt", "--check"])),
    together({ name: "format-c", run: checkCFormat }),
    together(command("lint", [deno, "lint"])),
    together(command("lint-types", [oxlint, "--type-aware", "--deny-warnings", "-c", "scripts/oxlintrc.json", "."])),
    together(command("types", [bun, "check", "--no-script"])),
    // The plugin runs in Deno; --no-config, because the repository's compiler options describe Bun.
    together(command("types-plugin", [deno, "check", "--no-config", ...plugin])),
    together(command("abi", [bun, "scripts/gen_abi.ts", "--check"])),
    together({ name: "lint-plugin", run: () => runPluginTests(deno) }),
    together({ name: "tidy", run: runTopLevel }),
    ...groups.filter((name) => TOGETHER.includes(name)).map((name) => together(group(name))),
    // The guests need the processors, what follows mostly waits.
    { name: "vm", run: runVirtualMachines, turn: "behind" },
    ...groups.filter((name) => !TOGETHER.includes(name)).map(group),
    { name: "examples", run: runExamples },
  ];
}

function together(part: Part): Part {
  return { ...part, turn: "together" };
}

function group(name: string): Part {
  return { name, run: () => runGroup(name) };
}

function command(name: string, argv: readonly string[]): Part {
  return {
    name,
    run: async (): Promise<Outcome> => {
      const { code, stdout, stderr } = await runCommand(argv, { timeout_ms: 20 * 60_000 });
      return checked(code === 0, `${argv.join(" ")}\n${stdout}${stderr}`);
    },
  };
}

async function checkCFormat(): Promise<Outcome> {
  // Bun's globs take no alternatives that hold a slash: they would match nothing, and nothing is well formatted.
  const files = ["probes/**/*.{c,h}", "ffi/native/**/*.{c,h}"]
    .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: ROOT })]).sort();
  if (files.length === 0) return checked(false, "no C files found");
  const argv = ["clang-format", "--style=file:probes/.clang-format", "--dry-run", "-Werror", ...files];
  const { code, stdout, stderr } = await runCommand(argv);
  return checked(code === 0, `clang-format --style=file:probes/.clang-format -i FILE mends this:\n${stdout}${stderr}`);
}

async function runPluginTests(deno: string): Promise<Outcome> {
  const argv = [deno, "test", "--no-config", "--quiet", "scripts/lint_plugin_test.ts"];
  const { code, stdout, stderr } = await runCommand(argv);
  const output = `${stdout}${stderr}`;
  const [, passed, failed] = /(\d+) passed[^|]*\| (\d+) failed/.exec(output) ?? [];
  const failures = Math.max(Number(failed ?? 0), code === 0 && passed !== undefined ? 0 : 1);
  return { passed: Number(passed ?? 0), failed: failures, skips: [], output };
}
