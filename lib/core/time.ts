/** Time comes in through a `Clock`; nothing else in the product reads the system's clocks. */

/** Microseconds since the Unix epoch, exact in a double until the year 2255. */
export type WallUs = number;

/** Where time comes from. Tests pass a clock that they move by hand. */
export interface Clock {
  /** Wall clock, microseconds since the Unix epoch. May step backwards. */
  wallUs(): WallUs;
  /** Monotonic clock in microseconds with an arbitrary origin. Never steps. */
  monotonicUs(): number;
}

/** The system's clocks. */
export const systemClock: Clock = {
  wallUs: () => Math.round((performance.timeOrigin + performance.now()) * 1000),
  monotonicUs: () => performance.now() * 1000,
};

/** RFC 3339 UTC with microseconds, as JSON shows times: `2026-01-02T03:04:05.000006Z`. */
export function formatTime(wall_us: WallUs): string {
  const ms = Math.floor(wall_us / 1000);
  const us = Math.round(wall_us - ms * 1000);
  return `${new Date(ms).toISOString().slice(0, -1)}${String(us).padStart(3, "0")}Z`;
}

/** Reads what `formatTime` writes (3 to 6 fractional digits, or none); `undefined` for anything else. */
export function parseTime(text: string): WallUs | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z$/.exec(text);
  if (match === null) return undefined;
  const ms = Date.parse(`${match[1]}Z`);
  if (Number.isNaN(ms)) return undefined;
  return ms * 1000 + Number((match[2] ?? "").padEnd(6, "0"));
}
