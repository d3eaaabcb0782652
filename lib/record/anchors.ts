/** Puts checkpoints into second places, so that a cut end of the record is found there. */
import { AgentguardError, assertNever, errorMessage, type GuardAction, type Log } from "../core/mod.ts";
import { FileAnchor } from "./anchor_file.ts";
import { NatsAnchor } from "./anchor_nats.ts";
import type { Anchor, AnchoredLog, AnchorNote, AnchorSettings, AnchorStatus } from "./anchor_types.ts";
import { WitnessAnchor } from "./anchor_witness.ts";
import { noteOf } from "./log_state.ts";
import type { Timers } from "./timers.ts";

/** What the anchors work with. */
export interface AnchorsOptions {
  readonly timers: Timers;
  readonly log: Log;
  /** Time between two attempts, milliseconds. */
  readonly every_ms: number;
  /** Records when a place fails, works again, or knows another history. Must not throw. */
  readonly record: (action: GuardAction) => void;
}

/** Longest wait for one place, milliseconds. */
const PUT_MS_MAX = 5_000;

interface Place {
  readonly anchor: Anchor;
  size: number;
  error: string | undefined;
}

/** Makes a place. Throws `config` for a witness key that is none. */
export function makeAnchor(settings: AnchorSettings): Anchor {
  switch (settings.kind) {
    case "file":
      return new FileAnchor(settings.path);
    case "witness":
      return new WitnessAnchor(settings.url, settings.key);
    case "nats":
      return new NatsAnchor(settings);
    default:
      return assertNever(settings);
  }
}

/** All places of one record. Close it before the record. */
export class Anchors implements Disposable {
  readonly #log: AnchoredLog;
  readonly #options: AnchorsOptions;
  readonly #places: readonly Place[];
  #next: Disposable | undefined;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(log: AnchoredLog, anchors: readonly Anchor[], options: AnchorsOptions) {
    this.#log = log;
    this.#options = options;
    this.#places = anchors.map((anchor) => ({ anchor, size: 0, error: undefined }));
  }

  /** Anchors what is there, and from now on what is new. */
  start(): void {
    if (this.#places.length === 0 || this.#closed) return;
    void this.anchorNow().then(() => {
      if (!this.#closed) this.#next = this.#options.timers.after(this.#options.every_ms, () => this.start());
    });
  }

  /** Puts the newest checkpoint where it is not yet; what fails is in the status. Never rejects. */
  anchorNow(): Promise<void> {
    this.#running ??= this.#putAll().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** How each place stands. */
  status(): readonly AnchorStatus[] {
    return this.#places.map(({ anchor, size, error }) => ({
      name: anchor.name,
      size,
      ...(error === undefined ? undefined : { error }),
    }));
  }

  /** Begins nothing more. Doing it twice is harmless. */
  close(): void {
    this.#closed = true;
    this.#next?.[Symbol.dispose]();
  }

  /** The same as `close`. */
  [Symbol.dispose](): void {
    this.close();
  }

  async #putAll(): Promise<void> {
    const note = this.#newest();
    if (note === undefined) return;
    await Promise.all(this.#places.map((place) => place.size === note.size ? undefined : this.#put(place, note)));
  }

  #newest(): AnchorNote | undefined {
    try {
      const state = this.#log.state();
      if (state === undefined) return undefined;
      return { origin: state.origin, size: state.newest.size, note: noteOf(state, state.newest) };
    } catch (thrown) {
      this.#options.log.warn(`no checkpoint to anchor: ${errorMessage(thrown)}`);
      return undefined;
    }
  }

  async #put(place: Place, note: AnchorNote): Promise<void> {
    const { anchor } = place;
    try {
      await anchor.put(note, this.#log, AbortSignal.timeout(PUT_MS_MAX));
      place.size = note.size;
      if (place.error !== undefined) this.#options.record({ type: "guard.restored", detail: `anchor ${anchor.name}` });
      place.error = undefined;
    } catch (thrown) {
      this.#failed(place, thrown);
    }
  }

  #failed(place: Place, thrown: unknown): void {
    const error = errorMessage(thrown);
    const known = place.error;
    place.error = error;
    if (known === error) return;
    const tampered = thrown instanceof AgentguardError && thrown.code === "tamper";
    this.#options.log[tampered ? "error" : "warn"](`anchor ${place.anchor.name}: ${error}`);
    const detail = `anchor ${place.anchor.name}: ${error}`;
    // Of a place that fails in one way after the other, the first is enough.
    if (tampered || known === undefined) {
      this.#options.record({ type: tampered ? "guard.tamper" : "guard.degraded", detail });
    }
  }
}
