/** Reads the JUnit file and the summary that `bun test` leaves. Pure. */

/** One test that was skipped. */
export interface SkippedCase {
  readonly name: string;
  /** Path of the test file, relative to the root of the repository. */
  readonly file: string;
  /** Line of the test, from 1; 0 if unknown. */
  readonly line: number;
}

/** The counts of one JUnit file. */
export interface JunitReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly SkippedCase[];
}

/** Counts the test cases of a JUnit document. */
export function parseJunit(xml: string): JunitReport {
  let [passed, failed] = [0, 0];
  const skipped: SkippedCase[] = [];
  for (
    const [, attributes, closed, body] of xml.matchAll(
      /<testcase\b((?:[^>"]|"[^"]*")*?)(\/)?>(?:((?:(?!<testcase\b)[\s\S])*?)<\/testcase>)?/g,
    )
  ) {
    const content = closed === "/" ? "" : body ?? "";
    if (/<(failure|error)\b/.test(content)) failed++;
    else if (/<skipped\b/.test(content)) skipped.push(skippedCase(attributes ?? ""));
    else passed++;
  }
  return { passed, failed, skipped };
}

/**
 * How many tests failed in truth. The JUnit file misses a test file that could not be loaded, and is missing altogether
 * after a crash; the printed summary and the exit code do not.
 */
export function countFailures(report: JunitReport, printed: string, code: number): number {
  const [, summary] = /^ *(\d+) fail$/m.exec(printed) ?? [];
  return Math.max(report.failed, Number(summary ?? 0), code === 0 ? 0 : 1);
}

function skippedCase(attributes: string): SkippedCase {
  const get = (name: string): string => unescape(new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? "");
  const group = get("classname");
  return {
    name: group === "" ? get("name") : `${group} > ${get("name")}`,
    file: get("file"),
    line: Number(get("line") || 0),
  };
}

function unescape(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&apos;", "'")
    .replaceAll("&amp;", "&");
}
