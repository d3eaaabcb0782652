/** Durations and sizes as a person writes them. */

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const DURATION_MS_MAX = 365 * 86_400_000;

/** What to write, for messages. */
export const DURATION_HINT = 'write a number with ms, s, m, h or d, as in "5m"';

/** `500ms`, `30s`, `5m`, `2h`, `1d` in milliseconds; more than zero and at most 365 days. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text);
  const unit_ms = UNITS_MS[match?.[2] ?? ""];
  if (match === null || unit_ms === undefined) return undefined;
  const ms = Number(match[1]) * unit_ms;
  return ms > 0 && ms <= DURATION_MS_MAX ? ms : undefined;
}

const SIZE_UNITS: Readonly<Record<string, number>> = {
  ...{ B: 1, KB: 1_000, MB: 1_000_000, GB: 1_000_000_000, TB: 1_000_000_000_000 },
  ...{ KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824, TiB: 1_099_511_627_776 },
};

/** `100MB`, `2GiB` in bytes; a whole number that a double holds exactly. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,12})([KMGT]i?B|B)$/.exec(text);
  const bytes = Number(match?.[1]) * (SIZE_UNITS[match?.[2] ?? ""] ?? Number.NaN);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
