/** How long a yes holds, as people write it: `once`, `session`, `15m`, `always`. */
import type { GrantTerm } from "./approval_view.ts";

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** A year. */
const DURATION_MS_MAX = 31_536_000_000;

/** What to write, for messages. */
export const GRANT_TERM_HINT = "once, session, always, or a duration such as 15m, 8h or 7d (at most 365d)";

/** The term, or `undefined` for anything else. */
export function parseGrantTerm(text: string): GrantTerm | undefined {
  if (text === "once" || text === "session" || text === "always") return { term: text };
  const match = /^(\d{1,9})([smhd])$/.exec(text);
  const duration_ms = Number(match?.[1] ?? "0") * (UNITS_MS[match?.[2] ?? ""] ?? 0);
  return duration_ms > 0 && duration_ms <= DURATION_MS_MAX ? { term: "duration", duration_ms } : undefined;
}
