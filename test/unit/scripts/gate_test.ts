import { describe, expect, test } from "bun:test";
import { countFailures, parseJunit } from "../../../scripts/gate/junit.ts";
import { checked, exitCode, NOTHING, sum, summaryLine } from "../../../scripts/gate/outcome.ts";

/** As bun 1.4.4 writes it. */
const XML = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="bun test" tests="5" assertions="1" failures="1" skipped="3" time="0.01">
  <testsuite name="test/unit/a_test.ts" file="test/unit/a_test.ts" tests="5" failures="1" skipped="3" time="0.003">
    <testcase name="ok" classname="" time="0.000007" file="test/unit/a_test.ts" line="2" assertions="0" />
    <testsuite name="group &lt;x&gt;" file="test/unit/a_test.ts" line="3" tests="4">
      <testcase name="bad &amp; worse" classname="group &lt;x&gt;" time="0.001" file="test/unit/a_test.ts" line="3">
        <failure type="AssertionError" message="a &gt; b&#10;">AssertionError: &lt;testcase /&gt;&#10;</failure>
      </testcase>
      <testcase name="a > b" classname="group &lt;x&gt;" time="0" file="test/unit/a_test.ts" line="4" assertions="0" />
      <testcase name="off" classname="group &lt;x&gt;" time="0" file="test/unit/a_test.ts" line="5" assertions="0">
        <skipped />
      </testcase>
      <testcase name="later" classname="" time="0" file="test/unit/a_test.ts" line="6" assertions="0">
        <skipped message="later" />
      </testcase>
    </testsuite>
  </testsuite>
</testsuites>
`;

describe("parseJunit()", () => {
  test("counts passed, failed and skipped cases of nested suites", () => {
    expect(parseJunit(XML)).toEqual({
      passed: 2,
      failed: 1,
      skipped: [
        { name: "group <x> > off", file: "test/unit/a_test.ts", line: 5 },
        { name: "later", file: "test/unit/a_test.ts", line: 6 },
      ],
    });
  });

  test("finds nothing in nothing", () => {
    expect(parseJunit("")).toEqual({ passed: 0, failed: 0, skipped: [] });
  });
});

describe("countFailures()", () => {
  const clean = { passed: 3, failed: 0, skipped: [] };
  const cases = [
    { name: "a clean run", report: clean, printed: " 3 pass\n 0 fail\n", code: 0, failures: 0 },
    { name: "a file that could not be loaded", report: clean, printed: " 3 pass\n 2 fail\n", code: 1, failures: 2 },
    { name: "a crash without a summary", report: clean, printed: "Segmentation fault", code: 139, failures: 1 },
    { name: "a failure in the file only", report: { ...clean, failed: 4 }, printed: "", code: 1, failures: 4 },
  ];
  test.each(cases)("$name", ({ report, printed, code, failures }) => {
    expect(countFailures(report, printed, code)).toBe(failures);
  });
});

describe("outcomes", () => {
  test("add up to the last line and the exit code", () => {
    const skipped = { ...NOTHING, skips: [{ name: "a", reason: "needs root" }] };
    const good = sum([checked(true, "silent"), { ...NOTHING, passed: 4 }, skipped]);
    expect(summaryLine(good)).toBe("5 passed, 0 failed, 1 skipped");
    expect(good.output).toBe("");
    expect(exitCode(good)).toBe(0);
  });

  test("one failure fails the gate and shows its output", () => {
    const bad = sum([checked(true, "silent"), checked(false, "loud")]);
    expect(summaryLine(bad)).toBe("1 passed, 1 failed, 0 skipped");
    expect(bad.output).toBe("loud");
    expect(exitCode(bad)).toBe(1);
  });

  test("nothing that ran is a failure", () => {
    expect(exitCode(NOTHING)).toBe(1);
  });
});
