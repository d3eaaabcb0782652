/** What a bench found, as rows, and the three ways of printing them: text, JSON, Markdown. */

import { median, quantile } from "./statistics.ts";

/** One figure with what it is compared to. */
export interface Row {
  readonly name: string;
  /** `ns`, `us`, `ms`, `s`, `MB`, `%`, `/s`, `events`. */
  readonly unit: string;
  /** Samples; 1 for something that was counted. */
  readonly n: number;
  readonly median: number;
  /** 99 % of the samples are at most this; for rates, which are better when high, 99 % are at least this. */
  readonly p99: number;
  /** Median difference to the baseline, in `unit`, pair by pair. */
  readonly added?: number;
  /** Median ratio to the baseline, pair by pair. */
  readonly ratio?: number;
  /** Bounds of the 95 % confidence interval of the ratio. */
  readonly ratio_low?: number;
  readonly ratio_high?: number;
  /** Name of the row that is the baseline. */
  readonly baseline?: string;
}

/** The result of one bench. */
export interface Report {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Row[];
  /** What must be said beside the figures: counts, losses, conditions. */
  readonly notes: readonly string[];
  /** What should not have happened; a bench with faults fails. */
  readonly faults: readonly string[];
}

/** Makes a row of samples where less is better. */
export function timeRow(name: string, unit: string, samples: readonly number[]): Row {
  return { name, unit, n: samples.length, median: median(samples), p99: quantile(samples, 0.99) };
}

/** Makes a row of rates, where more is better: its p99 is the rate that 99 % of the samples reach. */
export function rateRow(name: string, samples: readonly number[]): Row {
  return { name, unit: "/s", n: samples.length, median: median(samples), p99: quantile(samples, 0.01) };
}

/** Makes a row of one counted value. */
export function countRow(name: string, unit: string, value: number): Row {
  return { name, unit, n: 1, median: value, p99: value };
}

/** A pair of a baseline and a value, measured one shortly after the other. */
export interface Pair {
  readonly base: number;
  readonly value: number;
}

/** The row with its comparison to a baseline. */
export function compared(row: Row, baseline: string, pairs: readonly Pair[]): Row {
  return {
    ...row,
    baseline,
    added: median(pairs.map(({ base, value }) => value - base)),
    ratio: median(pairs.map(({ base, value }) => value / base)),
  };
}

const HEAD: readonly string[] = ["what", "unit", "n", "median", "p99", "added", "ratio"];

/** Text for a terminal: aligned columns. */
export function renderText(report: Report): string {
  const cells = [HEAD, ...report.rows.map(cellsOf)];
  const widths = HEAD.map((_, column) => Math.max(...cells.map((line) => line[column]?.length ?? 0)));
  const lines = cells.map((line) =>
    line.map((cell, column) => column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)).join(
      "  ",
    ).trimEnd()
  );
  return [
    `== ${report.name}: ${report.title}`,
    ...lines.map((line) => `   ${line}`),
    ...report.notes.map((note) => `   ${note}`),
    ...report.faults.map((fault) => `   FAULT: ${fault}`),
  ].join("\n");
}

/** A Markdown section. */
export function renderMarkdown(report: Report): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [
    `### ${report.name}: ${report.title}`,
    "",
    line(HEAD),
    line(HEAD.map((_, column) => column < 2 ? "---" : "--:")),
    ...report.rows.map((row) => line(cellsOf(row))),
    "",
    ...report.notes.map((note) => `- ${note}`),
    ...report.faults.map((fault) => `- **Fault**: ${fault}`),
  ].join("\n");
}

function cellsOf(row: Row): readonly string[] {
  const interval = row.ratio_low === undefined || row.ratio_high === undefined
    ? ""
    : ` (${row.ratio_low.toFixed(3)} to ${row.ratio_high.toFixed(3)})`;
  return [
    row.name,
    row.unit,
    formatCount(row.n),
    formatNumber(row.median),
    formatNumber(row.p99),
    row.added === undefined ? "" : `${row.added >= 0 ? "+" : ""}${formatNumber(row.added)}`,
    row.ratio === undefined ? "" : `${row.ratio.toFixed(3)}${interval}`,
  ];
}

/** Three or more significant digits and no exponent. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  if (size >= 100 || Number.isInteger(value)) return formatCount(Math.round(value));
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** An integer with a comma between thousands. */
export function formatCount(value: number): string {
  return value.toLocaleString("en-US");
}
