/** The table that a person reads. */
import type { EscapeResult } from "./types.ts";

/** What became of a case on one kernel. */
export interface KernelResult extends EscapeResult {
  /** As `uname -r` says it. */
  readonly kernel: string;
}

const HEAD = ["case", "escape", "kernel", "mechanism", "label", "effect"] as const;

/**
 * Markdown, one line for a case and all kernels on which the same became of it, cases in the order of their first
 * appearance. The line of a case that is not as expected ends with why.
 */
export function escapeTable(results: readonly KernelResult[]): string {
  const lines = new Map<string, Map<string, string[]>>();
  for (const { id, escape, kernel, mechanism, label, effect, problems } of results) {
    const why = problems.length > 0 ? `; FAILED: ${problems.join("; ").replaceAll(/\s+/g, " ").slice(0, 400)}` : "";
    const same = JSON.stringify([id, escape, mechanism, label, effect + why]);
    const of_case = lines.get(id) ?? new Map<string, string[]>();
    lines.set(id, of_case);
    of_case.set(same, [...of_case.get(same) ?? [], release(kernel)]);
  }
  const rows = [...lines.values()].flatMap((of_case) =>
    [...of_case].map(([same, kernels]) => {
      const [id = "", escape = "", mechanism = "", label = "", effect = ""]: readonly string[] = JSON.parse(same);
      return [id, escape, kernels.join(", "), mechanism, label, effect];
    })
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(HEAD), line(HEAD.map(() => "---")), ...rows.map(line)].join("\n");
}

/** The version without what the builder calls it. */
function release(kernel: string): string {
  return /^\d+(\.\d+)*/.exec(kernel)?.[0] ?? kernel;
}
