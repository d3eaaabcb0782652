/**
 * Questions on the guard's own terminal, for a person who sits where the guarded command was started. Only where the
 * command does not read from that terminal. The command can draw on it: while a question is shown its session stands
 * still, what it left the terminal in is undone, a yes needs a code that only the question shows, and a few wrong ones
 * end the asking here.
 */
import { closeSync, constants, openSync, readFileSync, writeSync } from "node:fs";
import {
  type ApprovalEvent,
  type ApprovalView,
  type Approver,
  errorMessage,
  type Log,
  type SessionId,
} from "../core/mod.ts";
import { sleep, type Subscription } from "../task/mod.ts";
import type { ApprovalDesk } from "../publish/mod.ts";
import { formatAnswer, formatApproval } from "./format_approval.ts";
import type { Paint } from "./format_text.ts";
import { processFacts } from "./process_facts.ts";

/** What a prompt needs. */
export interface PromptParts {
  readonly desk: ApprovalDesk;
  readonly log: Log;
  readonly paint: Paint;
  /** True where the terminal understands control sequences. */
  readonly escapes: boolean;
  /** Stops a session until what is returned is called; `undefined` where that cannot be. */
  readonly hush: (session: SessionId) => (() => void) | undefined;
}

/**
 * Ends whatever sequence or string is being sent (CAN, ST), then brings back visible text, the usual characters,
 * margins and modes (DECSTR). Sources: ECMA-48, sections 8.3.6 and 8.3.143; DEC STD 070.
 */
const RESET = "\x18\x1b\\\x1b[!p\x1b[0m\x1b(B\x0f";
/** Until a session that was told to stop stands still, and its last words are out, milliseconds. */
const HUSH_MS = 25;
/** Wrong codes for one question before it is left to others. */
const WRONG_MAX = 3;
/** Letters that cannot be taken for one another. */
const LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ";
const CODE_CHARS = 4;
/** A typed line; what is longer is none. */
const LINE_CHARS_MAX = 1_024;

interface Shown {
  readonly view: ApprovalView;
  readonly code: string;
  wrong: number;
}

/** Asks on /dev/tty from `start` on; dispose it. */
export class TerminalPrompt implements Disposable {
  readonly #parts: PromptParts;
  readonly #fd: number;
  readonly #who: Approver;
  readonly #events: Subscription<ApprovalEvent>;
  readonly #waiting: Map<string, ApprovalView> = new Map();
  #input: { destroy(): void } | undefined;
  /** Lets the session of the question go on. */
  #goOn: (() => void) | undefined;
  #shown: Shown | undefined;
  #text = "";
  #closed = false;

  private constructor(parts: PromptParts, fd: number, who: Approver) {
    this.#parts = parts;
    this.#fd = fd;
    this.#who = who;
    this.#events = parts.desk.watch();
  }

  /** Opens the terminal; `undefined` where this process has none, or is not the one that it listens to. */
  static async open(parts: PromptParts): Promise<TerminalPrompt | undefined> {
    const facts = processFacts(process.pid);
    if (facts?.terminal === undefined || !inForeground()) return undefined;
    let fd: number;
    try {
      fd = openSync("/dev/tty", constants.O_RDWR | constants.O_NOCTTY);
    } catch (thrown) {
      parts.log.debug(`ask on the terminal: ${errorMessage(thrown)}`);
      return undefined;
    }
    const uid = process.getuid?.() ?? 0;
    const verified = `the guard's own terminal ${facts.terminal}, with the code that was shown there`;
    const prompt = new TerminalPrompt(parts, fd, { id: `uid:${uid}`, uid, verified, terminal: true });
    const { ReadStream } = await import("node:tty");
    const input = new ReadStream(fd);
    input.on("data", (bytes: Uint8Array) => prompt.#typed(Buffer.from(bytes).toString()));
    input.on("error", (error: Error) => parts.log.warn(`read from the terminal: ${error.message}`));
    prompt.#input = input;
    void prompt.#run();
    return prompt;
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
    this.#events.close();
    if (this.#input === undefined) closeSync(this.#fd);
    else this.#input.destroy();
  }

  /** Settles with the subscription. */
  async #run(): Promise<void> {
    for await (const item of this.#events) {
      if (item.kind === "lagged") continue;
      const { event, approval } = item.value;
      if (event === "asked") this.#waiting.set(approval.approval_id, approval);
      if (event !== "answered") {
        await this.#next();
        continue;
      }
      this.#waiting.delete(approval.approval_id);
      if (this.#shown?.view.approval_id === approval.approval_id) {
        this.#say(`\n${formatAnswer(approval, this.#parts.paint)}\n`);
        this.#leave();
      }
      await this.#next();
    }
  }

  async #next(): Promise<void> {
    if (this.#shown !== undefined || this.#closed) return;
    const [view] = this.#waiting.values();
    if (view === undefined) return;
    const shown = { view, code: newCode(), wrong: 0 };
    this.#shown = shown;
    if (view.session !== undefined) this.#hush(view.session.session_id);
    await sleep(HUSH_MS);
    if (this.#shown !== shown) return; // answered elsewhere
    const { paint, escapes } = this.#parts;
    const lines = formatApproval(view, { paint, columns: 0 });
    const before = escapes ? RESET : "";
    this.#say(`${before}\nagentguard asks: ${lines.join("\n")}\n\n${this.#ask(shown)}`);
  }

  #hush(session: SessionId): void {
    try {
      this.#goOn = this.#parts.hush(session);
    } catch (thrown) {
      // It is asked all the same: the code is still one that only the question shows.
      this.#parts.log.warn(`stop the session while it is asked: ${errorMessage(thrown)}`);
    }
  }

  /** The question is not shown any more. */
  #leave(): void {
    this.#shown = undefined;
    const goOn = this.#goOn;
    this.#goOn = undefined;
    try {
      goOn?.();
    } catch (thrown) {
      this.#parts.log.error(`let the session go on: ${errorMessage(thrown)}`);
    }
  }

  #ask({ view, code }: Shown): string {
    const second = view.code_needed ? " and a one-time code" : "";
    return this.#parts.paint("bold", `type ${code}${second} for yes, n for no, l to leave it to others > `);
  }

  #typed(text: string): void {
    this.#text += text;
    const lines = this.#text.split("\n");
    this.#text = (lines.pop() ?? "").slice(-LINE_CHARS_MAX);
    for (const line of lines) this.#line(line.trim().toUpperCase());
  }

  #line(line: string): void {
    const shown = this.#shown;
    if (shown === undefined || line === "") return;
    const [word = "", code] = line.split(/\s+/);
    if (word === "N") return this.#vote(shown, { verdict: "deny" });
    if (word === shown.code) {
      return this.#vote(shown, { verdict: "allow", ...(code === undefined ? {} : { code }) });
    }
    if (word === "L" || ++shown.wrong >= WRONG_MAX) {
      this.#waiting.delete(shown.view.approval_id);
      this.#say("left to others: agentguard approvals\n");
      this.#leave();
      void this.#next();
      return;
    }
    this.#say(this.#ask(shown));
  }

  #vote(shown: Shown, ballot: Parameters<ApprovalDesk["vote"]>[1]): void {
    // The answer is told by the events; what did not count is told here.
    void this.#parts.desk.vote(shown.view.approval_id, ballot, this.#who).then((result) => {
      if (result.ok || this.#shown !== shown) return;
      this.#say(`${this.#parts.paint("red", result.error.message)}\n${this.#ask(shown)}`);
    });
  }

  /** A terminal that does not take text has nobody in front of it. */
  #say(text: string): void {
    try {
      writeSync(this.#fd, text);
    } catch (thrown) {
      this.#parts.log.debug(`write to the terminal: ${errorMessage(thrown)}`);
    }
  }
}

/** True if what is typed goes to the guard's process group: reading would stop it otherwise. */
function inForeground(): boolean {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const [, , pgrp, , , tpgid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return pgrp === tpgid;
}

function newCode(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(CODE_CHARS));
  return [...bytes].map((byte) => LETTERS.charAt(byte % LETTERS.length)).join("");
}
