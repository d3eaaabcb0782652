/**
 * Runs test files inside a guest, one after the other, and writes one JSON line for each to the host:
 * `bun scripts/vm/kernel_tests.ts RESULTS SECONDS FILE...`. Files that the seconds are not enough for have failed.
 */

import { appendFileSync, existsSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCommand } from "../support/command.ts";
import { toolPath } from "../support/paths.ts";
import { type FileResult, PROGRESS } from "./file_result.ts";

/** One test: an emulated processor is some thirty times slower than a real one. */
const TEST_MS = 240_000;
/** What is kept of the output of a file that failed: the serial line takes its time. */
const OUTPUT_CHARS = 20_000;

const [results = "", seconds = "0", ...files] = process.argv.slice(2);
const deadline_ms = performance.now() + Number(seconds) * 1000;
for (const file of files) {
  const result = await runFile(file);
  appendFileSync(results, `${JSON.stringify(result)}\n`);
  console.log(`${PROGRESS}${file}: exit ${result.code}, ${result.seconds} s`);
}

async function runFile(file: string): Promise<FileResult> {
  const started_ms = performance.now();
  const junit = join(mkdtempSync(join(tmpdir(), "kernel-tests-")), "junit.xml");
  const options = [`--timeout=${TEST_MS}`, "--reporter=junit", `--reporter-outfile=${junit}`];
  const argv = [toolPath("bun"), "test", ...options, `./${file}`];
  const timeout_ms = Math.max(1, Math.round(deadline_ms - started_ms));
  const { code, stdout, stderr, timedOut } = await runCommand(argv, { timeout_ms });
  const output = `${stdout}${stderr}${timedOut ? "\nended: the time for all files is over" : ""}`;
  return {
    file,
    code,
    junit: existsSync(junit) ? readFileSync(junit, "utf8") : "",
    summary: stderr.split("\n").filter((line) => /^ *\d+ (pass|fail)$/.test(line)).join("\n"),
    output: code === 0 ? "" : output.slice(-OUTPUT_CHARS),
    seconds: Math.round((performance.now() - started_ms) / 1000),
  };
}
