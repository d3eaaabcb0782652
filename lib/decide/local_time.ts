/** Time of day and day of the week in a time zone. */

/** A moment on the wall clock of a zone. */
export interface LocalTime {
  /** Minutes since midnight. */
  readonly minute: number;
  /** 0 is Sunday. */
  readonly day: number;
}

/** Offsets from UTC change only at whole minutes (IANA time zone database, since 1972). */
const SLOT_MS = 60_000;
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

/** Tells the time in one zone. Remembers the offset of the minute that was asked about last. */
export class ZoneClock {
  readonly #format: Intl.DateTimeFormat | undefined;
  #slot = NaN;
  #offset_ms = 0;

  /** `zone` is a name that `Intl` knows. */
  constructor(zone: string) {
    this.#format = zone === "UTC" ? undefined : zoneFormat(zone);
  }

  /** The local time at a moment, microseconds since the epoch. */
  at(wall_us: number): LocalTime {
    const ms = Math.floor(wall_us / 1_000);
    const local = ms + this.#offset(ms);
    const day_ms = 86_400_000;
    const since_midnight = ((local % day_ms) + day_ms) % day_ms;
    const days = Math.floor(local / day_ms);
    // The epoch was a Thursday.
    return { minute: Math.floor(since_midnight / 60_000), day: (((days + 4) % 7) + 7) % 7 };
  }

  #offset(ms: number): number {
    if (this.#format === undefined) return 0;
    const slot = Math.floor(ms / SLOT_MS);
    if (slot !== this.#slot) {
      const { day, minute } = formatted(this.#format, slot * SLOT_MS);
      const utc = new Date(slot * SLOT_MS);
      const days = ((day - utc.getUTCDay() + 10) % 7) - 3; // -1, 0 or 1
      this.#offset_ms = (days * 1_440 + minute - utc.getUTCHours() * 60 - utc.getUTCMinutes()) * 60_000;
      this.#slot = slot;
    }
    return this.#offset_ms;
  }
}

/** A formatter that gives day and time only. */
export function zoneFormat(zone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    weekday: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  });
}

/** The local time as the formatter says it. */
export function formatted(format: Intl.DateTimeFormat, ms: number): LocalTime {
  const parts = format.formatToParts(ms);
  const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? "";
  return { minute: Number(part("hour")) * 60 + Number(part("minute")), day: DAYS.indexOf(part("weekday")) };
}
