/** The table that a person reads. */
import type { EscapeResult } from "./types.ts";

const HEAD = ["case", "escape", "kernel", "mechanism", "label", "effect"] as const;

/** Markdown; the line of a case that is not as expected ends with why. */
export function escapeTable(results: readonly EscapeResult[], kernel: string): string {
  const rows = results.map(({ id, escape, mechanism, label, effect, problems }) => [
    id,
    escape,
    kernel,
    mechanism,
    label,
    effect + (problems.length > 0 ? `; FAILED: ${problems.join("; ").replaceAll(/\s+/g, " ").slice(0, 400)}` : ""),
  ]);
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(HEAD), line(HEAD.map(() => "---")), ...rows.map(line)].join("\n");
}
