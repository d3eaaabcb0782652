/** Asking a witness for its cosignature. Source: C2SP tlog-witness. */
import { AgentguardError, errorMessage } from "../core/mod.ts";
import type { Anchor, AnchoredLog, AnchorNote } from "./anchor_types.ts";
import { cosignedAt, parseWitnessKey, type WitnessName } from "./cosignature.ts";
import { parseCheckpoint } from "./note.ts";

/** Path of a guard's own witness on its control socket. */
const OWN_PATH = "/v1/witness/add-checkpoint";
const ANSWER_CHARS_MAX = 65_536;

/** A witness: another guard's control socket, or any server that speaks tlog-witness. */
export class WitnessAnchor implements Anchor {
  readonly name: string;
  readonly #url: string;
  readonly #witness: WitnessName;
  /** What the witness has cosigned, as far as it is known here. */
  #size = 0;

  /** Throws `config` for a key that is none. */
  constructor(url: string, key: string) {
    const witness = parseWitnessKey(key);
    if (!witness.ok) throw new AgentguardError("config", `use the witness ${url}: ${witness.error}`);
    this.#url = url;
    this.#witness = witness.value;
    this.name = `witness ${url}`;
  }

  async put(note: AnchorNote, log: AnchoredLog, signal: AbortSignal): Promise<string> {
    let answer = await this.#ask(note, log, signal);
    if (answer.status === 409) {
      const last = Number(/^(\d{1,16})\n$/.exec(answer.body)?.[1] ?? Number.NaN);
      if (last > note.size) {
        const detail =
          `the witness ${this.#url} has cosigned ${last} entries, the record has ${note.size}: its end is cut`;
        throw new AgentguardError("tamper", detail);
      }
      if (last === this.#size || !Number.isSafeInteger(last)) throw this.#conflict(note);
      this.#size = last;
      answer = await this.#ask(note, log, signal);
    }
    if (answer.status === 409 || answer.status === 422) throw this.#conflict(note);
    if (answer.status !== 200) {
      const said = answer.body.trim().slice(0, 200);
      throw new AgentguardError("io", `ask the witness ${this.#url}: it answered ${answer.status}: ${said}`);
    }
    this.#requireCosignature(note, answer.body);
    this.#size = note.size;
    return answer.body;
  }

  async #ask(
    { note, size }: AnchorNote,
    log: AnchoredLog,
    signal: AbortSignal,
  ): Promise<{ readonly status: number; readonly body: string }> {
    const old_size = Math.min(this.#size, size);
    const proof = old_size === 0 ? [] : log.tree().consistency(old_size, size);
    const body = `old ${old_size}\n${proof.map((hash) => `${hash.toBase64()}\n`).join("")}\n${note}`;
    const is_socket = this.#url.startsWith("/");
    const url = is_socket ? `http://agentguard${OWN_PATH}` : `${this.#url.replace(/\/$/, "")}/add-checkpoint`;
    try {
      const response = await fetch(url, {
        method: "POST",
        body,
        signal,
        redirect: "error",
        ...(is_socket ? { unix: this.#url } : undefined),
      });
      return { status: response.status, body: (await response.text()).slice(0, ANSWER_CHARS_MAX) };
    } catch (thrown) {
      throw new AgentguardError("io", `ask the witness ${this.#url}: ${errorMessage(thrown)}`, { cause: thrown });
    }
  }

  #requireCosignature({ note }: AnchorNote, lines: string): void {
    const signed = parseCheckpoint(note.endsWith("\n") ? note + lines : `${note}\n${lines}`);
    const found = signed.ok && signed.value.signatures.some((line) => {
      return cosignedAt(signed.value, line, this.#witness) !== undefined;
    });
    if (found) return;
    throw new AgentguardError("io", `ask the witness ${this.#url}: its answer is not signed by its key`);
  }

  #conflict({ size }: AnchorNote): AgentguardError {
    const detail = `the witness ${this.#url} has cosigned another history than that of the ${size} entries here`;
    return new AgentguardError("tamper", detail);
  }
}
