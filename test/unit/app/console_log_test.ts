import { describe, expect, test } from "bun:test";
import { ConsoleLog, type ConsoleLogOptions } from "../../../lib/app/console_log.ts";
import { painter } from "../../../lib/app/format_text.ts";
import { NOW_US } from "./support.ts";

function logged(options: Partial<ConsoleLogOptions>, use: (log: ConsoleLog) => void): readonly string[] {
  const lines: string[] = [];
  use(
    new ConsoleLog({
      json: false,
      level: "info",
      quiet: false,
      paint: painter({ isTty: false, env: {} }),
      clock: { wallUs: () => NOW_US, monotonicUs: () => 0 },
      write: (text) => lines.push(text),
      ...options,
    }),
  );
  return lines;
}

function all(log: ConsoleLog): void {
  log.debug("d");
  log.info("i");
  log.warn("w");
  log.error("e");
}

describe("ConsoleLog", () => {
  test("for people", () => {
    expect(logged({}, all)).toEqual(["agentguard: i\n", "agentguard: warning: w\n", "agentguard: error: e\n"]);
    const lines = logged({}, (log) => log.info("guard claude", { pid: 7, path: "/a b", on: true, gone: undefined }));
    expect(lines).toEqual(["agentguard: guard claude (pid=7 path='/a b' on=true)\n"]);
  });

  test("for programs", () => {
    const lines = logged({ json: true }, (log) => log.warn("x\ny", { pid: 7, level: "mine", gone: undefined }));
    expect(lines).toHaveLength(1);
    expect(lines[0]?.trimEnd()).not.toContain("\n");
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      time: "2026-01-02T03:04:05.000000Z",
      level: "warn",
      message: "x\ny",
      pid: 7,
      level_: "mine",
    });
  });

  test("levels and quiet", () => {
    expect(logged({ level: "debug" }, all)).toHaveLength(4);
    expect(logged({ level: "warn" }, all)).toHaveLength(2);
    expect(logged({ level: "error" }, all)).toHaveLength(1);
    expect(logged({ level: "debug", quiet: true }, all)).toEqual(["agentguard: error: e\n"]);
  });

  test("hostile and long text", () => {
    const lines = logged({}, (log) => log.error(`a\x1b[2J\nb${"x".repeat(100_000)}`, { "k\x1b": "\u202e\n" }));
    expect(lines).toHaveLength(1);
    expect(lines[0]?.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(lines[0]?.length).toBeLessThan(2_200);
    const json = logged({ json: true }, (log) => log.error("x".repeat(100_000)));
    expect(json[0]?.length).toBeLessThan(2_200);
  });
});
